// What is known of one batch or task: in a line or two at the pointer, and in full beside the grids.

const tip = document.getElementById("tip");
const detailsPanel = document.getElementById("details");
const detailsBody = document.getElementById("details-body");

function some(texts, limit, noun) {
  const rest = texts.length - limit;
  return texts.slice(0, limit).join(", ") + (rest > 0 ? ` and ${plural(rest, `more ${noun}`)}` : "");
}

function describeBatch(batch) {
  const keys = itemsOf(batches.keys, batch).map((key) => strings[key]);
  const waiters = itemsOf(batches.waiters, batch);
  const lines = [`${sourceName(batch)}, round ${number(batches.round[batch])}: ${plural(batches.count[batch], "key")}`];
  if (keys.length) lines.push(`Keys: ${some(keys, 8, "key")}`);
  if (waiters.length) {
    lines.push(`Waiting: ${some(waiters.slice(0, 100).map(functionName), 3, "task")}`);
    const stack = stackOf(waiters[0], waitPlace(waiters[0], batch)).slice(0, 5);
    lines.push(`Stack: ${stack.map(({ task, place }) => `${functionName(task)} (${place})`).join(" ← ")}`);
  }
  return lines;
}

function describeTask(task) {
  const lines = [`${functionName(task)}, ${strings[tasks.place[task]]}`];
  const waits = itemsOf(tasks.waits, task);
  if (waits.length) lines.push(`Waited for: ${some(waits.map((batch) => `${sourceName(batch)} in round ${batches.round[batch]}`), 4, "batch")}`);
  return lines;
}

function showTip(lines, event) {
  tip.hidden = !lines;
  if (!lines) return;
  tip.replaceChildren(...lines.map((line) => element("p", "", line)));
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, window.innerWidth - box.width - 8))}px`;
  const below = event.clientY + 18;
  tip.style.top = `${below + box.height < window.innerHeight ? below : Math.max(4, event.clientY - box.height - 12)}px`;
}

function linkTo(id, text) {
  const link = element("a", "", text);
  link.href = `#${id}`;
  return link;
}

function terms(pairs) {
  const list = element("dl");
  for (const [term, value] of pairs) {
    if (value === "" || value === null) continue;
    list.append(element("dt", "", term), element("dd", term === "Error" ? "error" : "", value));
  }
  return list;
}

// A list of which the first are shown, with a button for the others.
function listOf(title, count, item, className = "") {
  if (!count) return [];
  const limit = 20;
  const list = element("ul", className);
  const fill = (from, to) => {
    for (let at = from; at < Math.min(to, count); at += 1) list.append(element("li", "", ...[item(at)].flat()));
  };
  fill(0, limit);
  const parts = [element("h3", "", `${title} (${number(count)})`), list];
  if (count > limit) {
    const more = element("button", "", `Show ${count > 1000 ? "1,000" : "all"}`);
    more.type = "button";
    more.addEventListener("click", () => { fill(limit, 1000); more.remove(); });
    parts.push(more);
  }
  return parts;
}

function stackList(innermost, innermostPlace) {
  const stack = stackOf(innermost, innermostPlace);
  const line = (at) => [linkTo(`task-${stack[at].task}`, functionName(stack[at].task)), " ", element("code", "", stack[at].place)];
  return listOf("Stack", stack.length, line);
}

function findingLinks(has) {
  const links = recording.findings.flatMap((finding, index) => (has(finding) ? [index] : []));
  const line = (at) => linkTo(`finding-${links[at]}`, `${recording.findings[links[at]].kind}, ${recording.findings[links[at]].place}`);
  return listOf("Findings", links.length, line);
}

function batchDetails(batch) {
  const waiters = itemsOf(batches.waiters, batch);
  const keys = itemsOf(batches.keys, batch);
  const definition = strings[recording.source_places[batches.source[batch]]];
  return [
    terms([
      ["Source", definition ? element("code", "", definition) : ""],
      ["Round", number(batches.round[batch])],
      ["Sent because", strings[batches.reason[batch]]],
      ["Began", duration(batches.start[batch])],
      ["Took", duration(batches.end[batch] - batches.start[batch])],
      ["Keys", number(batches.count[batch])],
      ["Error", batches.error[batch] < 0 ? "" : strings[batches.error[batch]]],
    ]),
    ...findingLinks((finding) => finding.batches.includes(batch)),
    ...listOf("Keys", keys.length, (at) => element("code", "", strings[keys[at]]), "wrapped"),
    ...listOf("Waiting tasks", waiters.length, (at) => linkTo(`task-${waiters[at]}`, functionName(waiters[at])), "wrapped"),
    ...(waiters.length ? stackList(waiters[0], waitPlace(waiters[0], batch)) : []),
  ];
}

function taskDetails(task) {
  const waits = itemsOf(tasks.waits, task);
  const from = tasks.waits.starts[task];
  const notes = itemsOf(tasks.notes, task);
  const wait = (at) => {
    const place = strings[tasks.wait_place[from + at]];
    const text = `${sourceName(waits[at])}, round ${number(batches.round[waits[at]])}`;
    return [linkTo(`batch-${waits[at]}`, text), ...(place ? [" awaited at ", element("code", "", place)] : [])];
  };
  return [
    terms([
      ["Place", element("code", "", strings[tasks.place[task]])],
      ["Began", duration(tasks.start[task])],
      ["Took", tasks.start[task] < 0 ? "" : duration(tasks.end[task] - tasks.start[task])],
      ["Called at", strings[tasks.at[task]] && element("code", "", strings[tasks.at[task]])],
      ["Call", tasks.sync[task] ? "synchronous" : ""],
    ]),
    ...listOf("Notes", notes.length, (at) => strings[notes[at]]),
    ...findingLinks((finding) => finding.tasks.includes(task)),
    ...listOf("Waited for", waits.length, wait),
    ...stackList(task, strings[tasks.place[task]]),
  ];
}

function fillDetails(kind, index) {
  detailsPanel.classList.remove("nothing");
  document.getElementById("close").hidden = false;
  const title = kind === "batch" ? `${sourceName(index)}, round ${number(batches.round[index])}` : functionName(index);
  document.getElementById("details-title").textContent = title;
  detailsBody.replaceChildren(...(kind === "batch" ? batchDetails(index) : taskDetails(index)));
  detailsPanel.scrollTop = 0;
}

// Shows what the keyboard has moved to, where that hides nothing.
function preview(kind, index) {
  if (!window.matchMedia("(max-width: 60rem)").matches) fillDetails(kind, index);
}

function emptyDetails() {
  detailsPanel.classList.add("nothing");
  document.getElementById("close").hidden = true;
  document.getElementById("details-title").textContent = "Details";
  detailsBody.replaceChildren(element("p", "quiet", "Choose a round or a task to see its keys, who waits for it, and where it was called."));
}
