// What to change first, each with the line of code and links to its bars; and the critical path.

function findingItem(finding, index) {
  const where = element("p", "", element("code", "place", finding.place), " in ", element("code", "", finding.function), " ");
  where.append(element("span", "tag", finding.kind));
  const item = element("li", "", element("p", "what", ...prose(finding.what)), where);
  item.id = `item-${index}`;
  item.append(element("p", "", ...prose(finding.why)), element("p", "", ...prose(finding.advice)));
  const links = element("div", "links");
  if (finding.batches.length) links.append(linkTo(`finding-${index}`, `Show ${plural(finding.batches.length, "bar")}`));
  if (finding.tasks.length) links.append(linkTo(`task-${finding.tasks[0]}`, "Show the task"));
  item.append(links);
  return item;
}

function fillFindings() {
  const list = document.getElementById("findings");
  list.append(...recording.findings.map(findingItem));
  if (!recording.findings.length) list.append(element("li", "none", "Nothing to change: no finding."));
}

function fillPath() {
  const links = recording.path;
  document.getElementById("path").hidden = !links.length;
  document.getElementById("path-length").textContent = plural(links.length, "round");
  const most = 200;
  const shown = links.slice(0, most).map((link) => {
    const item = element("li", "", linkTo(`batch-${link.batch}`, `${sourceName(link.batch)}, round ${number(batches.round[link.batch])}`));
    if (link.place) item.append(" ", element("code", "", link.place));
    if (link.why) item.append(element("p", "", ...prose(link.why)));
    return item;
  });
  if (links.length > most) shown.push(element("li", "quiet", `and ${plural(links.length - most, "more round")}`));
  document.getElementById("path-links").append(...shown);
}

function fillSummary() {
  document.getElementById("title").textContent = recording.title;
  const keys = batches.count.reduce((sum, count) => sum + count, 0);
  const counts = [[recording.rounds, "round"], [batchCount, "batch"], [keys, "key"], [taskCount, "task"]];
  const values = counts.map(([count, noun]) => plural(count, noun).split(" "));
  values.push([duration(recording.duration), "in all"]);
  if (recording.dropped) values.push([number(recording.dropped), "of the oldest events were lost"]);
  const items = values.map(([value, noun]) => element("li", "", element("b", "", value), ` ${noun}`));
  document.getElementById("summary").append(...items);
}
