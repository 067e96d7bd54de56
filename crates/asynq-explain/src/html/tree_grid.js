// A tree of rows of which only those in view are elements. The focus stays on the scrolled element, and
// `aria-activedescendant` names the active row, so rows can come and go while somebody reads them.

class TreeGrid {
  // `model` has: id, label, columns, roots(), children(node), opens(node), fill(cells, node), enter(node, event),
  // focus(node) and hover(node, event). A node has a `key`, by which it is found again.
  constructor(host, model) {
    this.model = model;
    this.open = new Set();
    this.rows = [];
    this.active = 0;
    this.drawn = new Map();
    this.build(host);
  }

  build(host) {
    host.classList.add("grid");
    const head = element("div", "head");
    head.setAttribute("role", "row");
    head.setAttribute("aria-rowindex", "1");
    this.columns = this.model.columns.map(([title, className]) => {
      const cell = element("div", className, title);
      cell.setAttribute("role", "columnheader");
      head.append(cell);
      return cell;
    });
    this.room = element("div", "room");
    this.room.setAttribute("role", "rowgroup");
    const headGroup = element("div", "", head);
    headGroup.setAttribute("role", "rowgroup");
    headGroup.className = "head";
    this.scroll = element("div", "scroll", headGroup, this.room);
    this.scroll.setAttribute("role", "treegrid");
    this.scroll.setAttribute("aria-label", this.model.label);
    this.scroll.setAttribute("aria-colcount", this.model.columns.length);
    this.scroll.tabIndex = 0;
    host.append(this.scroll);
    this.scroll.addEventListener("scroll", () => this.draw());
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    this.room.addEventListener("click", (event) => this.click(event));
    this.room.addEventListener("mousemove", (event) => this.model.hover(this.nodeAt(event), event));
    this.room.addEventListener("mouseleave", (event) => this.model.hover(null, event));
  }

  // Rows that are in open ones. A chain of callers may be as deep as there are tasks, so this is a loop.
  flatten() {
    this.rows = [];
    const pending = [];
    const push = (nodes, level) => {
      for (let at = nodes.length - 1; at >= 0; at -= 1) pending.push([nodes[at], level, at + 1, nodes.length]);
    };
    push(this.model.roots(), 1);
    while (pending.length) {
      const [node, level, position, size] = pending.pop();
      this.rows.push({ node, level, position, size });
      if (this.isOpen(node)) push(this.model.children(node), level + 1);
    }
  }

  isOpen(node) {
    return this.open.has(node.key) && this.model.opens(node);
  }

  // Opens whole levels as long as they fit into `limit` rows.
  openLevels(limit) {
    for (;;) {
      this.flatten();
      const closed = this.rows.filter(({ node }) => this.model.opens(node) && !this.open.has(node.key));
      const more = closed.reduce((sum, { node }) => sum + this.model.children(node).length, 0);
      if (!closed.length || this.rows.length + more > limit) return;
      for (const { node } of closed) this.open.add(node.key);
    }
  }

  refresh() {
    const key = this.rows[this.active]?.node.key;
    this.flatten();
    const found = this.rows.findIndex(({ node }) => node.key === key);
    this.active = Math.max(0, Math.min(found < 0 ? this.active : found, this.rows.length - 1));
    this.scroll.setAttribute("aria-rowcount", this.rows.length + 1);
    this.redraw();
  }

  redraw() {
    for (const row of this.drawn.values()) row.remove();
    this.drawn.clear();
    this.rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
    this.room.style.height = this.rows.length ? `${this.rows.length * this.rowHeight}px` : "auto";
    this.room.replaceChildren();
    if (!this.rows.length) this.room.append(element("p", "empty", "Nothing matches the filter."));
    this.draw();
  }

  draw() {
    const margin = 6;
    const height = this.scroll.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / this.rowHeight) - margin);
    const last = Math.min(this.rows.length, Math.ceil((this.scroll.scrollTop + height) / this.rowHeight) + margin);
    for (const [index, row] of this.drawn) {
      if ((index < first || index >= last) && index !== this.active) {
        row.remove();
        this.drawn.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) this.drawRow(index);
    if (this.rows.length) this.drawRow(this.active);
  }

  drawRow(index) {
    if (this.drawn.has(index)) return;
    const { node, level, position, size } = this.rows[index];
    const row = element("div", index === this.active ? "active" : "");
    row.id = `${this.model.id}-${node.key}`;
    row.dataset.index = index;
    row.style.top = `${index * this.rowHeight}px`;
    const states = { role: "row", "aria-level": level, "aria-posinset": position, "aria-setsize": size,
      "aria-rowindex": index + 2, "aria-selected": node.key === this.model.selected };
    if (this.model.opens(node)) states["aria-expanded"] = this.open.has(node.key);
    for (const [name, value] of Object.entries(states)) row.setAttribute(name, value);
    const cells = this.model.columns.map(([, className]) => {
      const cell = element("div", className);
      cell.setAttribute("role", "gridcell");
      row.append(cell);
      return cell;
    });
    const toggle = element("span", "toggle", this.model.opens(node) ? (this.open.has(node.key) ? "▾" : "▸") : "");
    toggle.setAttribute("aria-hidden", "true");
    cells[0].append(toggle);
    cells[0].style.paddingLeft = `${Math.min(level - 1, 12) * 0.9}rem`;
    this.room.append(row);
    this.drawn.set(index, row);
    this.model.fill(cells, node);
    if (index === this.active) this.scroll.setAttribute("aria-activedescendant", row.id);
  }

  // Makes a row the active one and brings it into view.
  activate(index) {
    if (!this.rows.length) return;
    this.drawn.get(this.active)?.classList.remove("active");
    this.active = Math.max(0, Math.min(index, this.rows.length - 1));
    const top = this.active * this.rowHeight;
    const head = this.scroll.firstChild.offsetHeight;
    const view = this.scroll.clientHeight - head;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (top + this.rowHeight > this.scroll.scrollTop + view) this.scroll.scrollTop = top + this.rowHeight - view;
    this.draw();
    const row = this.drawn.get(this.active);
    row.classList.add("active");
    this.scroll.setAttribute("aria-activedescendant", row.id);
  }

  // Opens what `path`, the keys from a root down, leads through, and activates its end.
  reveal(path) {
    for (const key of path.slice(0, -1)) this.open.add(key);
    this.refresh();
    const index = this.rows.findIndex(({ node }) => node.key === path.at(-1));
    if (index < 0) return false;
    this.activate(index);
    return true;
  }

  toggle(index, open) {
    const { node } = this.rows[index];
    if (!this.model.opens(node)) return;
    if (open) this.open.add(node.key);
    else this.open.delete(node.key);
    this.refresh();
    this.activate(this.active);
  }

  nodeAt(event) {
    const row = event.target.closest("[data-index]");
    return row && this.rows[row.dataset.index].node;
  }

  click(event) {
    const row = event.target.closest("[data-index]");
    if (!row) return;
    const index = Number(row.dataset.index);
    const { node } = this.rows[index];
    this.activate(index);
    if (event.target.closest(".toggle") || !this.model.enter(node, event)) this.toggle(index, !this.open.has(node.key));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.rows.length) return;
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / this.rowHeight) - 2);
    const { node, level } = this.rows[this.active];
    const moves = {
      ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.rows.length, End: this.rows.length,
    };
    if (event.key in moves) {
      this.activate(this.active + moves[event.key]);
      this.model.focus(this.rows[this.active].node);
    } else if (event.key === "ArrowRight") {
      if (this.isOpen(node)) this.activate(this.active + 1);
      else this.toggle(this.active, true);
    } else if (event.key === "ArrowLeft") {
      if (this.isOpen(node)) this.toggle(this.active, false);
      else this.activate(this.parentOf(this.active, level));
    } else if (event.key === "Enter" || event.key === " ") {
      if (!this.model.enter(node, event)) this.toggle(this.active, !this.open.has(node.key));
    } else {
      return;
    }
    event.preventDefault();
  }

  parentOf(index, level) {
    let at = index;
    while (at > 0 && this.rows[at].level >= level) at -= 1;
    return level === 1 ? index : at;
  }
}
