// Tasks under their callers. Many calls of one function by the same caller are one row, which can be opened.

const FOLD = 5;

class TaskTree {
  constructor() {
    this.id = "row";
    this.label = "Tasks";
    this.columns = [["Function", "name"], ["Calls", "number"], ["Waits", "number"], ["Time", "number"], ["", "time"]];
    this.selected = null;
  }

  roots() {
    return this.nodes(taskCount);
  }

  children(node) {
    return node.members ? node.members.map((task) => this.node(task)) : this.nodes(node.task);
  }

  nodes(caller) {
    const shown = itemsOf(children, caller).filter((task) => filter.shows("task", task));
    const byFunction = new Map();
    for (const task of shown) {
      const key = tasks.function[task];
      if (!byFunction.has(key)) byFunction.set(key, []);
      byFunction.get(key).push(task);
    }
    const nodes = [];
    for (const [key, members] of byFunction) {
      if (members.length < FOLD) nodes.push(...members.map((task) => this.node(task)));
      else nodes.push({ key: `calls-${caller}-${key}`, task: members[0], members });
    }
    return nodes;
  }

  node(task) {
    return { key: `task-${task}`, task };
  }

  opens(node) {
    return node.members !== undefined || lengthOf(children, node.task) > 0;
  }

  path(task) {
    const path = [];
    // A damaged recording may have a circle of callers.
    for (let at = task; at >= 0 && path.length <= 2 * taskCount; at = tasks.caller[at]) {
      const caller = tasks.caller[at] < 0 ? taskCount : tasks.caller[at];
      path.push(`task-${at}`, `calls-${caller}-${tasks.function[at]}`);
    }
    return path.reverse();
  }

  fill([name, calls, waits, time, bars], node) {
    const { task, members } = node;
    name.append(nameText(functionName(task)));
    if (members) name.append(element("span", "quiet", `× ${number(members.length)}`));
    name.append(placeText(strings[tasks.place[task]]));
    if (tasks.sync[task]) name.append(element("span", "tag", "synchronous"));
    calls.append(members ? number(members.length) : number(lengthOf(children, task)));
    const waited = (of) => of.reduce((sum, one) => sum + lengthOf(tasks.waits, one), 0);
    waits.append(number(waited(members ?? [task])));
    const [begin, end] = members ? this.extent(members) : [tasks.start[task], tasks.end[task]];
    if (begin >= 0) time.append(duration(end - begin));
    bars.append(...axis.mark("life", begin, end));
    if (!members) this.drawWaits(bars, task);
  }

  extent(members) {
    let begin = Infinity;
    let end = -1;
    for (const task of members) {
      begin = Math.min(begin, tasks.start[task]);
      end = Math.max(end, tasks.end[task]);
    }
    return [begin, end];
  }

  drawWaits(cell, task) {
    for (const batch of itemsOf(tasks.waits, task).slice(0, 100)) {
      for (const mark of axis.mark("", batches.start[batch], batches.end[batch])) {
        mark.style.setProperty("--colour", colourOf(batches.source[batch]));
        cell.append(mark);
      }
    }
  }

  enter(node, event) {
    if (node.members) return false;
    show(`task-${node.task}`, event.type === "keydown");
    return true;
  }

  focus(node) {
    if (!node.members) preview("task", node.task);
  }

  hover(node, event) {
    showTip(node && !node.members ? describeTask(node.task) : null, event);
  }
}
