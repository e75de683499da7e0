"use strict";
// Everything that pods have said goes into the page by textContent: it is text, whatever it looks like.
const report = JSON.parse(document.getElementById("report").textContent);
const collator = new Intl.Collator("en", { numeric: true });
const whole = new Intl.NumberFormat("en");
const filters = [];

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return unit ? `${bytes.toFixed(1)} ${units[unit]}` : `${bytes} B`;
}

function seconds(value) {
  return value === null ? "" : `${value.toFixed(1)} s`;
}

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === "number" ? a - b : collator.compare(a, b);
}

// A table of rows, sorted by the column whose head is pressed. shown: how a number is written; rare: a column that is
// left out where all rows have the same; usual: likewise where all have that.
function table(id, rows, columns) {
  const section = document.getElementById(id);
  if (!rows.length) return section.remove();
  const tells = ({ key, rare, usual }) =>
    usual === undefined ? !rare || new Set(rows.map((row) => row[key])).size > 1 : rows.some((row) => row[key] !== usual);
  const used = columns.filter(tells);
  const made = element("table"), head = made.createTHead().insertRow(), body = made.createTBody();
  const count = element("p", "", "count");
  count.setAttribute("aria-live", "polite");
  const lines = rows.map((row) => {
    const line = element("tr");
    for (const { key, shown, wide } of used) {
      const kind = key === "outcome" ? row.outcome : shown ? "number" : wide ? "wide" : "";
      line.append(element("td", shown ? shown(row[key]) : row[key], kind));
    }
    return { row, line, text: line.textContent.toLowerCase() };
  });
  for (const { line } of lines) body.append(line);
  for (const { key, name, shown } of used) {
    const cell = element("th", "", shown ? "number" : ""), button = element("button", name);
    cell.scope = "col";
    button.type = "button";
    button.addEventListener("click", () => {
      const down = cell.ariaSort === "ascending";
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.ariaSort = down ? "descending" : "ascending";
      lines.sort((a, b) => (down ? -1 : 1) * compare(a.row[key], b.row[key]));
      for (const { line } of lines) body.append(line);
    });
    cell.append(button);
    head.append(cell);
  }
  filters.push((words) => {
    let left = 0;
    for (const { line, text } of lines) left += !(line.hidden = !words.every((word) => text.includes(word)));
    count.textContent = left === lines.length ? whole.format(left) : `${whole.format(left)} of ${whole.format(lines.length)}`;
  });
  const scroll = element("div", "", "scroll");
  scroll.append(made);
  section.append(count, scroll);
}

// When each transfer was under way: one lane each, in the order in which they began.
function timeline(pods) {
  const section = document.getElementById("timeline");
  const begun = pods.filter((pod) => pod.begun !== null).sort((a, b) => a.begun - b.begun);
  if (!begun.length) return section.remove();
  const end = begun.reduce((last, pod) => Math.max(last, pod.begun + pod.seconds), 0.001);
  const of = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const picture = of("svg"), attributes = { viewBox: `0 0 ${end} ${begun.length}`, preserveAspectRatio: "none", role: "img" };
  for (const [name, value] of Object.entries(attributes)) picture.setAttribute(name, value);
  picture.setAttribute("height", Math.min(Math.max(begun.length * 10, 40), 360));
  picture.setAttribute("aria-label", `When each of ${begun.length} transfers was under way`);
  const lanes = begun.map((pod, lane) => ({ pod, lane })).sort((a, b) => (b.pod.outcome === "complete") - (a.pod.outcome === "complete"));
  for (const { pod, lane } of lanes) {
    const bar = of("rect"), title = of("title");
    const height = pod.outcome === "complete" ? 0.8 : Math.max(0.8, begun.length / 180);  // two pixels at least, above the others
    const place = { x: pod.begun, y: lane + 0.1, width: Math.max(pod.seconds, end / 500), height, class: pod.outcome };
    for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value);
    title.textContent = `${pod.pod}: ${pod.outcome}, ${seconds(pod.begun)} to ${seconds(pod.begun + pod.seconds)}`;
    bar.append(title);
    picture.append(bar);
  }
  const axis = element("div", "", "axis");
  axis.append(...[0, 0.25, 0.5, 0.75, 1].map((share) => element("span", seconds(share * end))));
  section.append(picture, axis);
}

document.getElementById("run").textContent = report.run;
for (const [name, value] of report.totals) {
  const pair = element("div");
  pair.append(element("dt", name), element("dd", typeof value === "number" ? whole.format(value) : value, name));
  document.getElementById("totals").append(pair);
}
timeline(report.pods);
table("errors", report.errors, [
  { key: "class", name: "Class" },
  { key: "error", name: "Error", wide: true },
  { key: "failed", name: "Pods failed", shown: whole.format },
  { key: "attempts", name: "Attempts failed", shown: whole.format },
  { key: "pods", name: "Where", wide: true },
]);
table("waves", report.waves, [
  { key: "wave", name: "Wave", shown: whole.format },
  { key: "name", name: "Name", usual: "" },
  { key: "pods", name: "Pods", shown: whole.format },
  { key: "failed", name: "Failed", shown: whole.format },
  { key: "begun", name: "Begun", shown: seconds },
  { key: "seconds", name: "Took", shown: seconds },
  { key: "stopped", name: "Stopped, because", usual: "", wide: true },
]);
table("pods", report.pods, [
  { key: "pod", name: "Pod" },
  { key: "container", name: "Container", rare: true },
  { key: "node", name: "Node", rare: true },
  { key: "path", name: "Path", rare: true, wide: true },
  { key: "outcome", name: "Outcome" },
  { key: "wave", name: "Wave", shown: whole.format, usual: 0 },
  { key: "rounds", name: "Rounds", shown: whole.format, usual: 1 },
  { key: "entries", name: "Entries", shown: whole.format },
  { key: "size", name: "Size", shown: size },
  { key: "wire", name: "On the wire", shown: size },
  { key: "begun", name: "Begun", shown: seconds },
  { key: "seconds", name: "Took", shown: seconds },
  { key: "tries", name: "Tries", shown: whole.format },
  { key: "error", name: "Error", rare: true, wide: true },
]);
table("entries", report.entries, [
  { key: "what", name: "What" },
  { key: "path", name: "Path", wide: true },
  { key: "why", name: "Why", wide: true },
  { key: "count", name: "Entries", shown: whole.format, rare: true },
  { key: "pods", name: "Where", wide: true },
]);
table("skipped", report.skipped, [
  { key: "pod", name: "Pod" },
  { key: "reason", name: "Reason", wide: true },
  { key: "counts", name: "Counts as", rare: true },
]);
const search = document.querySelector("input");
const filter = () => {
  const words = search.value.toLowerCase().split(" ").filter(Boolean);
  for (const one of filters) one(words);
};
search.addEventListener("input", filter);
filter();
