// SPDX-License-Identifier: GPL-3.0-or-later
// The sheet that lists the files of the shares: which were read, which were not and why, by folder, name and state.

import { showDocument } from "./document.js";
import { exportOf, Failure, listFiles, readLibrary, retryFiles } from "./service.js";
import { button, closeByClick, day, element, plural } from "./text.js";

const LABELS = {
  found: "not read yet",
  waiting: "being read",
  reading: "being read",
  failed: "not readable",
  ignored: "ignored",
  pending: "being read",
};
const COUNTED = { read: "read", failed: "not readable", ignored: "ignored" };

export const sheet = document.getElementById("documents");
const filter = document.getElementById("library-filter");
const text = document.getElementById("library-text");
const state = document.getElementById("library-state");
const folders = document.getElementById("library-folders");
const summary = document.getElementById("library-summary");
const list = document.getElementById("library-files");
const more = document.getElementById("library-more");
const actions = document.getElementById("library-actions");

let folder = "";
let shown = "";
let latest = 0;

closeByClick(sheet);
filter.addEventListener("submit", (event) => event.preventDefault());
text.addEventListener("input", change);
state.addEventListener("change", change);

const selection = () => ({ folder, text: text.value.trim(), states: state.value.split(" ") });
const pathOf = (file) => `${file.source}/${file.path}`;

// Nothing on the sheet is replaced while it is the same, so that the focus stays where it is.
export async function showLibrary(progress) {
  const turn = ++latest;
  const [{ counts, folders: below }, { total, files }] = await Promise.all([readLibrary(folder), listFiles(selection(), 0)]);
  if (turn !== latest) return;
  actions.inert = more.inert = false;
  const content = JSON.stringify([folder, selection(), below, counts, total, files]);
  if (content === shown) return;
  shown = content;
  filter.hidden = folders.hidden = actions.hidden = false;
  folders.replaceChildren(...trail(), ...folderList(below));
  list.replaceChildren(...files.map(fileItem));
  summary.textContent = total ? plural(total, "file") : "No file matches.";
  if (progress?.minutes_left) summary.textContent += ` · ${progress.text}`;
  offerMore(files.length, total);
  offerActions(counts.failed, total);
}

// The documents of a past day, without what was ignored then, which is not on record.
export function showPast(documents) {
  latest += 1;
  shown = "";
  filter.hidden = folders.hidden = actions.hidden = true;
  summary.textContent = documents.length ? plural(documents.length, "document") : "None yet.";
  list.replaceChildren(...documents.map((document) => fileItem({ ...document, reason: document.error })));
  more.replaceChildren();
}

// Until the files of the new selection are shown, the buttons below the list are those of the old one.
async function change() {
  actions.inert = more.inert = true;
  try {
    await showLibrary();
  } catch (error) {
    say(error);
  }
}

function say(error) {
  if (!(error instanceof Failure)) throw error;
  summary.textContent = `${error.message} ${error.nextStep}`;
}

function open(path) {
  folder = path;
  change().then(() => folders.querySelector("[aria-current]")?.focus());
}

// "All shares / LLM_docs / house": every part but the last one is a button.
function trail() {
  const parts = folder ? folder.split("/") : [];
  const names = ["All shares", ...parts];
  const line = element("p", "trail");
  names.forEach((name, index) => {
    const last = index === names.length - 1;
    const part = last ? element("strong", "", name) : button("quiet", name, () => open(parts.slice(0, index).join("/")));
    if (last) part.setAttribute("aria-current", "location");
    if (last) part.tabIndex = -1;
    const slash = element("span", "slash", "/");
    slash.setAttribute("aria-hidden", "true");
    line.append(...(index ? [slash, part] : [part]));
  });
  return [line];
}

function folderList(below) {
  if (!below.length) return [];
  const items = below.map(({ name, path, counts }) => {
    const item = element("li", "", button("path", name, () => open(path)));
    item.append(element("span", "where", countsOf(counts)));
    return item;
  });
  const made = element("ul", "folders", ...items);
  made.setAttribute("aria-label", "Folders in it");
  return [made];
}

function countsOf(counts) {
  const pending = counts.found + counts.waiting + counts.reading;
  const parts = Object.entries(COUNTED).map(([name, label]) => counts[name] && `${counts[name]} ${label}`);
  parts.splice(1, 0, pending && `${pending} being read`);
  return parts.filter(Boolean).join(" · ") || "empty";
}

function fileItem(file) {
  const { document_id: id, source, path, modified, pages, reason, next_step: next, note, earlier } = file;
  const name = id ? button("path", path, () => showDocument(id, path)) : element("span", "path", path);
  if (id) name.setAttribute("aria-haspopup", "dialog");
  const item = element("li", file.state, name);
  const since = file.since ? ` since ${new Date(file.since).toLocaleTimeString("en-GB", { timeStyle: "short" })}` : "";
  const label = LABELS[file.state];
  const facts = [source, day(modified), pages ? plural(pages, "page") : "", label ? label + since : ""];
  item.append(element("span", "where", facts.filter(Boolean).join(" · ")));
  if (reason) item.append(element("span", "why", reason));
  if (earlier) item.append(element("span", "where", "Answers use its earlier version."));
  if (note) item.append(element("span", "where", note));
  if (next) item.append(element("span", "where", next));
  if (id && next && file.state === "failed") item.append(retryButton("Read it again", { path: pathOf(file) }, path));
  if (id && file.state === "waiting") item.append(retryButton("Read it next", { path: pathOf(file) }, path));
  return item;
}

function retryButton(label, order, path) {
  const made = button("quiet", label, () => retry(order));
  if (path) made.setAttribute("aria-label", `${label}: ${path}`);
  return made;
}

async function retry(order) {
  try {
    const { text: outcome } = await retryFiles(order);
    await showLibrary();
    summary.textContent = outcome;
    summary.scrollIntoView({ block: "nearest" });
    document.dispatchEvent(new CustomEvent("library-changed"));
  } catch (error) {
    say(error);
  }
}

function offerMore(count, total) {
  more.replaceChildren();
  if (count >= total) return;
  more.append(
    button("quiet", `Show more of ${total.toLocaleString("en-GB")}`, async () => {
      try {
        const turn = latest;
        const { files } = await listFiles(selection(), count);
        if (turn !== latest) return;
        const items = files.map(fileItem);
        list.append(...items);
        shown = "";
        offerMore(count + files.length, total);
        items[0]?.querySelector("button")?.focus();
      } catch (error) {
        say(error);
      }
    }),
  );
}

function offerActions(failed, total) {
  actions.replaceChildren();
  if (failed) {
    const order = folder ? { folder } : { failed: true };
    actions.append(retryButton(`Read ${plural(failed, "failed file")} again`, order), " ");
  }
  if (!total) return;
  for (const format of ["csv", "json"]) {
    const link = element("a", "quiet", `Save as ${format.toUpperCase()}`);
    link.href = exportOf(selection(), format);
    link.download = `library.${format}`;
    actions.append(link, " ");
  }
}
