// Batches and tasks that have all words of the filter in one of their texts.

class Filter {
  constructor() {
    this.words = [];
    this.all();
  }

  all() {
    this.batches = null; // null: everything
    this.tasks = null;
    this.shownTasks = null; // with the callers of those that match
    this.batchMatches = batchCount;
    this.taskMatches = taskCount;
  }

  set(text) {
    this.words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.all();
    if (!this.words.length) return;
    const lower = strings.map((string) => string.toLowerCase());
    const found = this.words.map((word) => lower.map((string) => string.includes(word)));
    this.matchTasks(found);
    this.matchBatches(found);
  }

  matchTasks(found) {
    this.tasks = new Uint8Array(taskCount);
    this.shownTasks = new Uint8Array(taskCount);
    this.taskMatches = 0;
    for (let task = 0; task < taskCount; task += 1) {
      if (!found.every((hit) => this.taskHas(hit, task))) continue;
      this.tasks[task] = 1;
      this.taskMatches += 1;
      for (let at = task; at >= 0 && !this.shownTasks[at]; at = tasks.caller[at]) this.shownTasks[at] = 1;
    }
  }

  taskHas(hit, task) {
    if (hit[tasks.function[task]] || hit[tasks.place[task]] || hit[tasks.at[task]]) return true;
    const { starts, items } = tasks.notes;
    for (let at = starts[task]; at < starts[task + 1]; at += 1) if (hit[items[at]]) return true;
    for (let at = tasks.waits.starts[task]; at < tasks.waits.starts[task + 1]; at += 1) {
      if (hit[tasks.wait_place[at]] || hit[recording.sources[batches.source[tasks.waits.items[at]]]]) return true;
    }
    return false;
  }

  matchBatches(found) {
    this.batches = new Uint8Array(batchCount);
    this.batchMatches = 0;
    for (let batch = 0; batch < batchCount; batch += 1) {
      if (!found.every((hit) => this.batchHas(hit, batch))) continue;
      this.batches[batch] = 1;
      this.batchMatches += 1;
    }
  }

  batchHas(hit, batch) {
    if (hit[recording.sources[batches.source[batch]]] || hit[batches.reason[batch]]) return true;
    if (batches.error[batch] >= 0 && hit[batches.error[batch]]) return true;
    if (itemsOf(batches.keys, batch).some((key) => hit[key])) return true;
    return itemsOf(batches.waiters, batch).some((task) => hit[tasks.function[task]] || hit[tasks.place[task]]);
  }

  shows(kind, index) {
    const of = kind === "batch" ? this.batches : this.shownTasks;
    return !of || of[index] === 1;
  }
}

const filter = new Filter();
