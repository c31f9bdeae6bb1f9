// SPDX-License-Identifier: GPL-3.0-or-later
// The sheet of a document: its versions, what changed between them, and a way to forget it.

import { fill, moment, orFailure, renderDifference } from "./changes.js";
import { forget, previewForgetting, readChanges, readHistory, takeBack } from "./service.js";
import { button, closeByClick, element, longDay, plural } from "./text.js";

const sheet = document.getElementById("document");
const body = sheet.querySelector(".body");
const place = sheet.querySelector(".where");

closeByClick(sheet);
document.addEventListener("show-document", ({ detail }) => showDocument(detail.id, detail.path));

let latest = 0;

export async function showDocument(id, path) {
  const turn = ++latest;
  sheet.querySelector("h2").textContent = path.split("/").at(-1);
  place.textContent = path;
  body.replaceChildren(element("p", "hint", "Reading the history…"));
  if (!sheet.open) sheet.showModal();
  body.focus({ preventScroll: true });
  let line = path;
  const content = await orFailure(async () => {
    const history = await readHistory(id);
    const gone = history.deleted ? ` · deleted on ${longDay(history.deleted)}` : "";
    line = `${history.source}/${history.path}${gone}`;
    return describe(history);
  });
  if (turn !== latest) return;
  place.textContent = line;
  body.replaceChildren(...content);
}

function describe(history) {
  const versions = [...history.versions].reverse();
  const changes = element("div", "diff");
  changes.setAttribute("aria-live", "polite");
  const list = element("ol", "versions");
  versions.forEach((version, index) => {
    list.append(versionItem(history, version, versions[index + 1], changes));
  });
  const end = element("div", "forget");
  end.append(forgetButton(history.document_id, end));
  const count = plural(versions.length, "version");
  const removed = history.kept_since ? ` The history before ${longDay(history.kept_since)} is no longer kept.` : "";
  return [element("p", "hint", `${count}, the latest first.${removed}`), list, changes, end];
}

// A file that was moved to another share is named with the share that it was in.
function formerName(history, version) {
  if (version.source !== history.source) return `as ${version.source}/${version.path}`;
  return version.path === history.path ? "" : `as ${version.path}`;
}

function versionItem(history, version, before, changes) {
  const until = version.until ? `to ${moment(version.until)}` : "until now";
  const item = element("li", "", element("strong", "", `${moment(version.observed)} ${until}`));
  const facts = [
    version.dated ? `dated ${version.dated} (${version.dated_by})` : "",
    formerName(history, version),
    version.snapshot ? "from a snapshot of the NAS" : "",
    version.kept ? plural(version.chunks, "passage") : (version.error ?? "its text is not on record"),
  ];
  item.append(element("span", "where", facts.filter(Boolean).join(" · ")));
  if (before?.kept && version.kept) {
    item.append(button("quiet", "What changed", () => showChanges(history, before, version, changes)));
  }
  return item;
}

async function showChanges(history, before, after, target) {
  await fill(target, "Comparing…", async () => {
    const difference = await readChanges(history.document_id, before.observed, after.observed);
    const heading = element("h3", "", `What changed on ${moment(difference.after?.observed ?? difference.before.until)}`);
    return [heading, ...renderDifference(difference)];
  });
  target.scrollIntoView({ block: "nearest" });
}

const forgetButton = (id, target) => button("quiet danger", "Forget this document…", () => offerForgetting(id, target));

async function offerForgetting(id, target) {
  const make = async () => offer(await previewForgetting(id), target);
  await fill(target, "Looking up what would be removed…", make, forgetButton(id, target));
  target.scrollIntoView({ block: "nearest" });
}

function offer(preview, target) {
  const name = `${preview.source}/${preview.path}`;
  const removed = `${plural(preview.versions, "version")} with ${plural(preview.passages, "passage")}`;
  const points = element("ul", "points", element("li", "", `Removed for good: ${removed}, and every name that it had.`));
  for (const sentence of preview.remains) points.append(element("li", "", sentence));
  const places = preview.shared_with.map((other) => `${other.source}/${other.path}`);
  if (places.length) points.append(element("li", "", `The same passages are in: ${places.join(", ")}.`));
  const keep = button("quiet", "Keep it", () => {
    target.replaceChildren(forgetButton(preview.document_id, target));
    target.firstChild.focus();
  });
  const go = button("again danger", "Forget it for good", () => carryOut(preview.document_id, target));
  return [element("h3", "", `Forget ${name}?`), points, element("p", "choices", go, " ", keep)];
}

// The result is shown unless the sheet has another document by then.
async function carryOut(id, target) {
  const turn = latest;
  const make = async () => {
    const forgotten = await forget(id);
    document.dispatchEvent(new CustomEvent("forgotten", { detail: id }));
    if (turn === latest) showForgotten(forgotten);
    return [];
  };
  await fill(target, "Forgetting it…", make, forgetButton(id, target));
  target.scrollIntoView({ block: "nearest" });
}

function showForgotten(forgotten) {
  const points = element("ul", "points", ...forgotten.remains.map((sentence) => element("li", "", sentence)));
  const what = "The document is forgotten. What the files of the database still hold is erased within minutes.";
  const undo = element("div", "choices");
  undo.setAttribute("aria-live", "polite");
  undo.append(undoButton(forgotten.forgotten_id, undo));
  body.replaceChildren(element("p", "message", what), points, ...(forgotten.deleted ? [] : [undo]));
  body.focus({ preventScroll: true });
}

const undoButton = (forgottenId, target) => button("quiet", "Read its file again", () => readAgain(forgottenId, target));

function readAgain(forgottenId, target) {
  const make = async () => {
    await takeBack(forgottenId);
    return [element("p", "message", "Its file is read again within minutes, as a new document without its past.")];
  };
  fill(target, "One moment…", make, undoButton(forgottenId, target));
}
