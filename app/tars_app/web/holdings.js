// SPDX-License-Identifier: GPL-3.0-or-later
// The documents and shares: their count, the notice about a share with a problem, the sheet that lists them.

import { clearList, showFailure, showLibrary, showPast, sheet } from "./library.js";
import { announce } from "./notice.js";
import { inOrder } from "./order.js";
import { Failure, listDocuments, readLibrary } from "./service.js";
import { element, longDay, plural } from "./text.js";
import { asOf } from "./timeline.js";
import { offerUploads } from "./upload.js";

const REFRESH_MS = 20_000;

const notice = document.getElementById("notice");
const holdings = document.getElementById("holdings");
const button = document.getElementById("show-documents");

button.addEventListener("click", openDocuments);
document.addEventListener("library-changed", refresh);

export function openDocuments() {
  sheet.showModal();
  offerUploads(!asOf());
  refresh();
}

export function watch() {
  refresh();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}

// Another day is chosen: until its list arrives, none is shown.
export function changeDay() {
  clearList();
  refresh();
}

const request = inOrder();

export async function refresh() {
  const isLatest = request();
  const day = asOf();
  const isCurrent = () => isLatest() && day === asOf();
  try {
    await (day ? refreshPast(day, isCurrent) : refreshNow(isCurrent));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (!isCurrent()) return;
    announce(notice, [[error.message, error.nextStep]]);
    if (button.hidden) holdings.textContent = "The list of documents cannot be read right now.";
    if (sheet.open) showFailure(error);
  }
}

async function refreshNow(isCurrent) {
  const { counts, shares, progress } = await readLibrary("");
  if (!isCurrent()) return;
  const pending = counts.found + counts.waiting + counts.reading;
  const left = progress.minutes_left ? progress.text.split(", ").at(-1) : "";
  show({ ready: counts.read, pending, failed: counts.failed, left }, shares, []);
  if (sheet.open) await showLibrary(progress);
}

async function refreshPast(day, isCurrent) {
  const { documents, sources } = await listDocuments(day);
  if (!isCurrent()) return;
  const count = (state) => documents.filter((document) => document.state === state).length;
  const [ready, pending, failed] = ["indexed", "pending", "failed"].map(count);
  show({ ready, pending, failed, left: "" }, sources, [`as they were on ${longDay(day)}`]);
  if (sheet.open) showPast(documents);
}

function show(counts, shares, time) {
  const { ready, pending, failed } = counts;
  const total = ready + pending + failed;
  announce(notice, shares.filter((share) => !share.available || share.detail).map(describeProblem));
  button.hidden = false;
  button.textContent = plural(total, "document");
  holdings.replaceChildren(...describe(counts, total, shares));
  sheet.querySelector(".where").textContent = [`${plural(ready, "document")} ready`, ...remarks(counts), ...time].join(" · ");
}

function describeProblem({ name, available, detail }) {
  if (available) return [`${name}: ${detail}.`, "Everything else in it is read. Check the named file on the NAS."];
  return [
    `${name} is unavailable${detail ? `: ${detail}` : ""}.`,
    "Answers come from what was read before. Check that the NAS is on. This notice disappears when the share is back.",
  ];
}

function remarks({ pending, failed, left }) {
  return [pending && `${pending} being read`, left, failed && `${failed} not readable`].filter(Boolean);
}

function describe(counts, total, shares) {
  const names = shares.map((share) => share.name).join(", ");
  if (!shares.length) return ["No share with documents is connected yet. Add one under shares in tars.yml."];
  if (!total) return [`There are no documents in ${names} yet. Copy some into it; they are read within a minute.`];
  const rest = remarks(counts);
  return [
    element("strong", "", plural(counts.ready, "document")),
    ` from ${names} ${counts.ready === 1 ? "is" : "are"} ready`,
    rest.length ? ` (${rest.join(", ")}). ` : ". ",
    "Every answer cites its passages, so that you can check it.",
  ];
}
