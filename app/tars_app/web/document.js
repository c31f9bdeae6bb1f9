// SPDX-License-Identifier: GPL-3.0-or-later
// The sheet of a document: its versions, what changed between them, and a way to forget it.

import { moment, orFailure, renderDifference } from "./changes.js";
import { forget, previewForgetting, readChanges, readHistory, takeBack } from "./service.js";
import { button, closeByClick, element, longDay, plural } from "./text.js";

const sheet = document.getElementById("document");
const body = sheet.querySelector(".body");

closeByClick(sheet);
document.addEventListener("show-document", ({ detail }) => showDocument(detail.id, detail.path));

let latest = 0;

export async function showDocument(id, path) {
  const turn = ++latest;
  sheet.querySelector("h2").textContent = path.split("/").at(-1);
  sheet.querySelector(".where").textContent = path;
  body.replaceChildren(element("p", "hint", "Reading the history…"));
  if (!sheet.open) sheet.showModal();
  body.focus({ preventScroll: true });
  const content = await orFailure(async () => describe(await readHistory(id)));
  if (turn === latest) body.replaceChildren(...content);
}

function describe(history) {
  const gone = history.deleted ? ` · deleted on ${longDay(history.deleted)}` : "";
  sheet.querySelector(".where").textContent = `${history.source}/${history.path}${gone}`;
  const versions = [...history.versions].reverse();
  const changes = element("div", "diff");
  changes.setAttribute("aria-live", "polite");
  const list = element("ol", "versions");
  versions.forEach((version, index) => {
    list.append(versionItem(history, version, versions[index + 1], changes));
  });
  const end = element("div", "forget");
  end.append(button("quiet danger", "Forget this document…", () => offerForgetting(history, end)));
  const count = plural(versions.length, "version");
  const removed = history.kept_since ? ` The history before ${longDay(history.kept_since)} is no longer kept.` : "";
  return [element("p", "hint", `${count}, the latest first.${removed}`), list, changes, end];
}

function versionItem(history, version, before, changes) {
  const until = version.until ? `to ${moment(version.until)}` : "until now";
  const item = element("li", "", element("strong", "", `${moment(version.observed)} ${until}`));
  const facts = [
    version.dated ? `dated ${version.dated} (${version.dated_by})` : "",
    version.path === history.path ? "" : `as ${version.path}`,
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
  target.replaceChildren(element("p", "hint", "Comparing…"));
  const content = await orFailure(async () => {
    const difference = await readChanges(history.document_id, before.observed, after.observed);
    const heading = element("h3", "", `What changed on ${moment(difference.after?.observed ?? difference.before.until)}`);
    return [heading, ...renderDifference(difference)];
  });
  target.replaceChildren(...content);
  target.scrollIntoView({ block: "nearest" });
}

async function offerForgetting(history, target) {
  target.replaceChildren(element("p", "hint", "Looking up what would be removed…"));
  target.replaceChildren(...(await orFailure(async () => offer(await previewForgetting(history.document_id), target))));
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
    target.replaceChildren(button("quiet danger", "Forget this document…", () => offerForgetting(preview, target)));
    target.firstChild.focus();
  });
  const go = button("again danger", "Forget it for good", () => carryOut(preview));
  return [element("h3", "", `Forget ${name}?`), points, element("p", "choices", go, " ", keep)];
}

async function carryOut(preview) {
  const content = await orFailure(async () => {
    const forgotten = await forget(preview.document_id);
    document.dispatchEvent(new CustomEvent("forgotten", { detail: preview.document_id }));
    const points = element("ul", "points", ...forgotten.remains.map((sentence) => element("li", "", sentence)));
    const what = "The document is forgotten. What the files of the database still hold is erased within minutes.";
    const undo = element("div", "choices");
    undo.setAttribute("aria-live", "polite");
    undo.append(button("quiet", "Read its file again", () => readAgain(forgotten.forgotten_id, undo)));
    return forgotten.deleted ? [element("p", "message", what), points] : [element("p", "message", what), points, undo];
  });
  latest += 1;
  body.replaceChildren(...content);
  body.focus({ preventScroll: true });
}

async function readAgain(forgottenId, place) {
  const content = await orFailure(async () => {
    await takeBack(forgottenId);
    return [element("p", "message", "Its file is read again within minutes, as a new document without its past.")];
  });
  place.replaceChildren(...content);
}
