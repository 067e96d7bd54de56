// Batches by source or by round, each with a bar of its time.

class Waterfall {
  constructor() {
    this.id = "row";
    this.label = "Rounds";
    this.columns = [["Source", "name"], ["Keys", "number"], ["Waiting", "number"], ["Time", "number"], ["", "time"]];
    this.by = "source";
    this.selected = null;
    this.marked = new Set();
    this.critical = new Set(recording.path.map((link) => link.batch));
  }

  groupKey(batch) {
    return this.by === "source" ? `source-${batches.source[batch]}` : `round-${batches.round[batch]}`;
  }

  group() {
    const groups = new Map();
    for (let batch = 0; batch < batchCount; batch += 1) {
      if (!filter.shows("batch", batch)) continue;
      const key = this.groupKey(batch);
      if (!groups.has(key)) groups.set(key, { key, members: [] });
      groups.get(key).members.push(batch);
    }
    this.groups = [...groups.values()];
  }

  roots() {
    return this.groups;
  }

  children(group) {
    return group.members.map((batch) => ({ key: `batch-${batch}`, batch }));
  }

  opens(node) {
    return node.members !== undefined;
  }

  path(batch) {
    return [this.groupKey(batch), `batch-${batch}`];
  }

  fill(cells, node) {
    if (this.opens(node)) this.fillGroup(cells, node.members);
    else this.fillBatch(cells, node.batch);
  }

  fillGroup([name, keys, waiting, time, bars], members) {
    const [first] = members;
    const bySource = this.by === "source";
    if (bySource) name.append(this.swatch(first));
    const title = bySource ? sourceName(first) : `round ${number(batches.round[first])}`;
    const count = bySource ? plural(members.length, "round") : plural(members.length, "batch");
    name.append(nameText(title), element("span", "quiet", ` ${count}`));
    const sum = (counts) => number(members.reduce((total, batch) => total + counts(batch), 0));
    keys.append(sum((batch) => batches.count[batch]));
    waiting.append(sum((batch) => lengthOf(batches.waiters, batch)));
    time.append(duration(members.reduce((total, batch) => total + this.taken(batch), 0)));
    this.drawLane(bars, members);
  }

  fillBatch([name, keys, waiting, time, bars], batch) {
    const bySource = this.by === "source";
    if (!bySource) name.append(this.swatch(batch));
    name.append(nameText(bySource ? `round ${number(batches.round[batch])}` : sourceName(batch)));
    if (this.critical.has(batch)) name.append(element("span", "tag path", "critical"));
    if (this.marked.has(batch)) name.append(element("span", "tag", "finding"));
    if (batches.error[batch] >= 0) name.append(element("span", "tag", "error"));
    keys.append(number(batches.count[batch]));
    waiting.append(number(lengthOf(batches.waiters, batch)));
    time.append(duration(this.taken(batch)));
    const className = (this.critical.has(batch) ? "path " : "") + (this.marked.has(batch) ? "found" : "");
    for (const mark of axis.mark(className, batches.start[batch], batches.end[batch])) {
      mark.style.setProperty("--colour", colourOf(batches.source[batch]));
      bars.append(mark);
    }
    if (batches.start[batch] >= 0) bars.append(element("span", "unseen", `from ${duration(batches.start[batch])}`));
  }

  swatch(batch) {
    const swatch = element("span", "swatch");
    swatch.style.setProperty("--colour", colourOf(batches.source[batch]));
    return swatch;
  }

  taken(batch) {
    return Math.max(0, batches.end[batch] - batches.start[batch]);
  }

  // All bars of a group in one picture, because a source may have thousands of them.
  drawLane(cell, members) {
    const canvas = element("canvas");
    canvas.setAttribute("aria-hidden", "true");
    cell.append(canvas);
    const width = cell.clientWidth;
    const height = cell.clientHeight;
    const scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name);
    let drawnTo = -1;
    for (const batch of members) {
      if (batches.start[batch] < 0) continue;
      const left = axis.position(batches.start[batch]) * width;
      const right = Math.max(left + 2, axis.position(batches.end[batch]) * width);
      if (right < Math.max(0, drawnTo) || left > width) continue;
      pen.fillStyle = colour(`--s${batches.source[batch] % 8}`);
      pen.fillRect(left, height * 0.25, right - left, height * 0.5);
      if (this.marked.has(batch)) {
        pen.fillStyle = colour("--warn");
        pen.fillRect(left, height * 0.82, right - left, 2);
      }
      drawnTo = this.by === "source" ? Math.floor(right) : -1;
    }
  }

  // The batch of a group whose bar is nearest to the pointer.
  nearest(node, event) {
    const canvas = event.target.closest?.("canvas");
    if (!canvas || !node.members) return null;
    const box = canvas.getBoundingClientRect();
    const time = axis.begin + ((event.clientX - box.left) / box.width) * (axis.end - axis.begin);
    const distance = (batch) => Math.max(0, batches.start[batch] - time, time - batches.end[batch]);
    return node.members.reduce((best, batch) => (distance(batch) < distance(best) ? batch : best));
  }

  enter(node, event) {
    const batch = node.batch ?? this.nearest(node, event);
    if (batch === null) return false;
    show(`batch-${batch}`, event.type === "keydown");
    return true;
  }

  focus(node) {
    if (node.batch !== undefined) preview("batch", node.batch);
  }

  hover(node, event) {
    const batch = node && (node.batch ?? this.nearest(node, event));
    showTip(batch === null || batch === undefined ? null : describeBatch(batch), event);
  }
}
