// The recording in columns: one array for each field, with one element for each batch or task.

const recording = JSON.parse(document.getElementById("recording").textContent);
const { strings, batches, tasks } = recording;
const batchCount = batches.source.length;
const taskCount = tasks.function.length;

// Elements of a list of lists, which is two flat arrays.
function itemsOf(lists, index) {
  return lists.items.slice(lists.starts[index], lists.starts[index + 1]);
}

function lengthOf(lists, index) {
  return lists.starts[index + 1] - lists.starts[index];
}

// Children of each task, in the order in which they were made; those of nobody come last.
function childrenOf(callers) {
  const starts = new Int32Array(taskCount + 2);
  const slot = (caller) => (caller < 0 ? taskCount : caller);
  for (const caller of callers) starts[slot(caller) + 1] += 1;
  for (let index = 0; index <= taskCount; index += 1) starts[index + 1] += starts[index];
  const next = starts.slice();
  const items = new Int32Array(taskCount);
  callers.forEach((caller, task) => { items[next[slot(caller)]++] = task; });
  return { starts, items };
}

const children = childrenOf(tasks.caller);

function number(value) {
  return value.toLocaleString("en");
}

function plural(count, noun) {
  if (count === 1) return `1 ${noun}`;
  return `${number(count)} ${noun.endsWith("ch") ? `${noun}es` : `${noun}s`}`;
}

// Times are whole microseconds, and -1 where the recording has none.
function duration(time) {
  if (time < 0) return "";
  if (time < 1000) return `${time} µs`;
  if (time < 1e6) return `${(time / 1000).toFixed(time < 1e5 ? 1 : 0)} ms`;
  return `${(time / 1e6).toFixed(time < 1e7 ? 2 : 1)} s`;
}

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function colourOf(source) {
  return `var(--s${source % 8})`;
}

function sourceName(batch) {
  return strings[recording.sources[batches.source[batch]]];
}

function functionName(task) {
  return strings[tasks.function[task]];
}

// Name in one line of a table, without its middle if it is long: those that are places differ at the end.
function nameText(name) {
  const letters = [...name];
  const short = letters.length > 30 ? [...letters.slice(0, 9), "…", ...letters.slice(-20)].join("") : name;
  const made = element("span", "text", short);
  if (short !== name) made.title = name;
  return made;
}

// Place in one line of a table, without the folders.
function placeText(place) {
  const made = element("span", "text quiet", place.slice(place.lastIndexOf("/") + 1));
  made.title = place;
  return made;
}

// Text in which words between backticks are code.
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", "", part) : part));
}

// Place at which a task waits for a batch, or else that of its function.
function waitPlace(task, batch) {
  for (let at = tasks.waits.starts[task]; at < tasks.waits.starts[task + 1]; at += 1) {
    if (tasks.waits.items[at] === batch && strings[tasks.wait_place[at]]) return strings[tasks.wait_place[at]];
  }
  return strings[tasks.place[task]];
}

// The task and its callers, innermost first, each with the line at which it is.
function stackOf(task, place) {
  const stack = [];
  let line = place;
  for (let at = task; at >= 0 && stack.length < 50; at = tasks.caller[at]) {
    stack.push({ task: at, place: line || strings[tasks.place[at]] });
    line = strings[tasks.at[at]];
  }
  return stack;
}
