// SPDX-License-Identifier: GPL-3.0-or-later
// The documents and shares: their count, the notice about a share with a problem, the sheet that lists them.

import { announce } from "./notice.js";
import { Failure, listDocuments } from "./service.js";
import { day, element, plural } from "./text.js";

const REFRESH_MS = 20_000;
const STATES = { pending: "being read", failed: "not readable" };

const notice = document.getElementById("notice");
const holdings = document.getElementById("holdings");
const button = document.getElementById("show-documents");
const sheet = document.getElementById("documents");

sheet.querySelector(".close").addEventListener("click", () => sheet.close());
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
button.addEventListener("click", openDocuments);

export function openDocuments() {
  sheet.showModal();
  refresh();
}

export function watch() {
  refresh();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}

export async function refresh() {
  try {
    show(await listDocuments());
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    announce(notice, [[error.message, error.nextStep]]);
    if (button.hidden) holdings.textContent = "The list of documents cannot be read right now.";
  }
}

function show({ documents, sources }) {
  announce(notice, sources.filter((source) => !source.available || source.detail).map(describeProblem));
  const count = (state) => documents.filter((document) => document.state === state).length;
  const [ready, pending, failed] = ["indexed", "pending", "failed"].map(count);
  button.hidden = false;
  button.textContent = plural(documents.length, "document");
  holdings.replaceChildren(...describe(ready, pending, failed, documents.length, sources));
  fillSheet(documents, [`${plural(ready, "document")} ready`, ...remarks(pending, failed)].join(" · "));
}

function describeProblem({ name, available, detail }) {
  if (available) return [`${name}: ${detail}.`, "Everything else in it is read. Check the named file on the NAS."];
  return [
    `${name} is unavailable${detail ? `: ${detail}` : ""}.`,
    "Answers come from what was read before. Check that the NAS is on. This notice disappears when the share is back.",
  ];
}

function remarks(pending, failed) {
  return [pending && `${pending} being read`, failed && `${failed} not readable`].filter(Boolean);
}

function describe(ready, pending, failed, total, sources) {
  const names = sources.map((source) => source.name).join(", ");
  if (!sources.length) return ["No share with documents is connected yet. Add one under shares in tars.yml."];
  if (!total) return [`There are no documents in ${names} yet. Copy some into it; they are read within a minute.`];
  const rest = remarks(pending, failed);
  return [
    element("strong", "", plural(ready, "document")),
    ` from ${names} ${ready === 1 ? "is" : "are"} ready`,
    rest.length ? ` (${rest.join(", ")}). ` : ". ",
    "Every answer cites its passages, so that you can check it.",
  ];
}

function fillSheet(documents, summary) {
  sheet.querySelector(".where").textContent = summary;
  const list = element("ul", "documents");
  for (const { source, path, state, error, note, modified, pages } of documents) {
    const facts = [source, day(modified), pages ? plural(pages, "page") : "", STATES[state] ?? ""];
    const item = element("li", state, element("span", "path", path));
    item.append(element("span", "where", facts.filter(Boolean).join(" · ")));
    if (error) item.append(element("span", "why", error));
    if (note) item.append(element("span", "where", note));
    list.append(item);
  }
  sheet.querySelector(".body").replaceChildren(documents.length ? list : element("p", "hint", "None yet."));
}
