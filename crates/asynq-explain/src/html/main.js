// Puts the parts together: what is selected is the fragment of the address, so that links and the
// browser's Back lead to it.

const rounds = new Waterfall();
const tree = new TaskTree();
let roundGrid;
let taskGrid;
let chosenBy = null; // the grid to which Escape returns

function say(text) {
  document.getElementById("live").textContent = text;
}

function mark(finding) {
  rounds.marked = new Set(finding === null ? [] : recording.findings[finding].batches);
  document.querySelectorAll("#findings .marked").forEach((item) => item.classList.remove("marked"));
  if (finding !== null) document.getElementById(`item-${finding}`).classList.add("marked");
}

// Selects what an id like `batch-3`, `task-7` or `finding-0` names.
function show(id, moveFocus) {
  if (location.hash !== `#${id}`) history.pushState(null, "", `#${id}`);
  select(id, moveFocus);
}

function select(id, moveFocus) {
  const [, kind, digits] = /^(batch|task|finding)-(\d+)$/.exec(id) ?? [];
  const index = Number(digits);
  const count = { batch: batchCount, task: taskCount, finding: recording.findings.length }[kind] ?? 0;
  if (index < count) selectKnown(kind, index, moveFocus);
}

function selectKnown(kind, index, moveFocus) {
  if (kind === "finding") {
    mark(index);
    const found = recording.findings[index];
    if (found.batches.length) selectIn(roundGrid, rounds, "batch", found.batches[0]);
    say(`Finding ${index + 1}, ${found.place}: ${plural(found.batches.length, "bar")} marked`);
    roundGrid.scroll.focus({ preventScroll: true });
    roundGrid.scroll.scrollIntoView({ block: "nearest" });
    return;
  }
  if (kind === "batch") selectIn(roundGrid, rounds, kind, index);
  else selectIn(taskGrid, tree, kind, index);
  say(`${document.getElementById("details-title").textContent}: details are shown`);
  if (moveFocus) detailsPanel.focus();
}

function selectIn(grid, model, kind, index) {
  if (!filter.shows(kind, index)) clearFilter();
  rounds.selected = null;
  tree.selected = null;
  model.selected = `${kind}-${index}`;
  axis.show(kind === "batch" ? batches.start[index] : Math.max(0, tasks.start[index]));
  chosenBy = grid;
  fillDetails(kind, index);
  grid.reveal(model.path(index));
  redraw();
}

function unselect() {
  rounds.selected = null;
  tree.selected = null;
  mark(null);
  emptyDetails();
  history.replaceState(null, "", location.pathname + location.search);
  redraw();
  const focused = [roundGrid, taskGrid].find((grid) => grid.scroll === document.activeElement);
  (focused ?? chosenBy ?? roundGrid).scroll.focus();
}

function nextMarked() {
  const marked = [...rounds.marked];
  if (!marked.length) return;
  const at = marked.indexOf(Number(/^batch-(\d+)$/.exec(rounds.selected ?? "")?.[1]));
  show(`batch-${marked[(at + 1) % marked.length]}`, false);
}

function redraw() {
  axis.drawTicks(roundGrid.columns.at(-1));
  axis.drawTicks(taskGrid.columns.at(-1));
  roundGrid.redraw();
  taskGrid.redraw();
}

function refresh() {
  rounds.group();
  if (filter.words.length) {
    roundGrid.openLevels(300);
    taskGrid.openLevels(300);
  }
  roundGrid.refresh();
  taskGrid.refresh();
}

function applyFilter() {
  filter.set(document.getElementById("filter").value);
  refresh();
  const text = filter.words.length
    ? `${number(filter.batchMatches)} of ${plural(batchCount, "batch")}, ${number(filter.taskMatches)} of ${plural(taskCount, "task")}` : "";
  document.getElementById("matches").textContent = text;
  say(text);
}

function clearFilter() {
  document.getElementById("filter").value = "";
  applyFilter();
}

function zoom(change) {
  change();
  redraw();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.id === "filter";
  if (event.key === "Escape") {
    showTip(null);
    if (typing && event.target.value) clearFilter();
    else if (!document.getElementById("close").hidden) unselect();
    else if (filter.words.length) clearFilter();
  } else if (typing) {
    return;
  } else if (event.key === "/") {
    document.getElementById("filter").focus();
  } else if (event.key in keys) {
    keys[event.key]();
  } else {
    return;
  }
  event.preventDefault();
}

const keys = {
  "+": () => zoom(() => axis.zoom(0.5)),
  "-": () => zoom(() => axis.zoom(2)),
  0: () => zoom(() => axis.zoom(Infinity)),
  n: nextMarked,
};

function listen() {
  const on = (id, type, handler) => document.getElementById(id).addEventListener(type, handler);
  on("filter", "input", applyFilter);
  on("zoom-in", "click", keys["+"]);
  on("zoom-out", "click", keys["-"]);
  on("zoom-all", "click", keys[0]);
  on("earlier", "click", () => zoom(() => axis.shift(-0.5)));
  on("later", "click", () => zoom(() => axis.shift(0.5)));
  on("close", "click", unselect);
  for (const radio of document.querySelectorAll("[name=group]")) {
    radio.addEventListener("change", () => {
      rounds.by = radio.value;
      refresh();
      roundGrid.openLevels(120);
      roundGrid.refresh();
    });
  }
  document.addEventListener("keydown", onKey);
  document.addEventListener("scroll", () => showTip(null), true);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link || !/^#(batch|task|finding)-/.test(link.hash)) return;
    event.preventDefault();
    show(link.hash.slice(1), detailsPanel.contains(link));
  });
  window.addEventListener("popstate", () => select(location.hash.slice(1), false));
  window.addEventListener("resize", redraw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function open() {
  document.querySelector("main").hidden = false;
  document.querySelector(".bar").hidden = false;
  fillSummary();
  fillFindings();
  fillPath();
  emptyDetails();
  rounds.group();
  roundGrid = new TreeGrid(document.getElementById("waterfall"), rounds);
  taskGrid = new TreeGrid(document.getElementById("tasks"), tree);
  roundGrid.openLevels(120);
  taskGrid.openLevels(40);
  roundGrid.refresh();
  taskGrid.refresh();
  redraw();
  listen();
  select(location.hash.slice(1), false);
}

open();
