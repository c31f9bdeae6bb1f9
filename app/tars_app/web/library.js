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
const PART = 100; // files that are listed first, and with each click on "Show more"
const MOST = 1000; // files that one request lists
const COUNTED = { read: "read", failed: "not readable", ignored: "ignored" };

export const sheet = document.getElementById("documents");
const body = sheet.querySelector(".body");
const filter = document.getElementById("library-filter");
const text = document.getElementById("library-text");
const state = document.getElementById("library-state");
const folders = document.getElementById("library-folders");
const summary = document.getElementById("library-summary");
const list = document.getElementById("library-files");
const more = document.getElementById("library-more");
const actions = document.getElementById("library-actions");

let folder = "";
let length = PART;
let shown = "";
let outcome = ""; // of what was ordered last, until it is shown
let latest = 0;

closeByClick(sheet);
filter.addEventListener("submit", (event) => event.preventDefault());
text.addEventListener("input", change);
state.addEventListener("change", change);

const selection = () => ({ folder, text: text.value.trim(), states: state.value.split(" ") });
const pathOf = (file) => `${file.source}/${file.path}`;

// Nothing on the sheet is replaced while it is the same. Return whether this is the latest call.
export async function showLibrary(progress) {
  const turn = ++latest;
  const answers = await Promise.all([readLibrary(folder), readFiles(length)]).catch((error) => {
    if (turn === latest) throw error;
  });
  if (turn !== latest) return false;
  const [{ counts, folders: below }, { total, files }] = answers;
  actions.inert = more.inert = false;
  const content = JSON.stringify([folder, selection(), below, counts, total, files]);
  if (content !== shown) {
    shown = content;
    filter.hidden = folders.hidden = actions.hidden = false;
    keepFocus(() => {
      folders.replaceChildren(...trail(), ...folderList(below));
      list.replaceChildren(...files.map(fileItem));
      offerMore(files.length, total);
      offerActions(counts.failed, total);
    });
    summary.textContent = total ? plural(total, "file") : "No file matches.";
    if (progress?.minutes_left) summary.textContent += ` · ${progress.text}`;
  }
  if (outcome) summary.textContent = outcome;
  outcome = "";
  return true;
}

// The first files of the selection; and how many there are.
async function readFiles(count) {
  const offsets = Array.from({ length: Math.ceil(count / MOST) }, (_, part) => part * MOST);
  const read = (offset) => listFiles(selection(), offset, Math.min(MOST, count - offset));
  const parts = await Promise.all(offsets.map(read));
  return { total: parts[0].total, files: parts.flatMap(({ files }) => files) };
}

// The documents of a past day, without what was ignored then, which is not on record.
export function showPast(documents) {
  latest += 1;
  const content = JSON.stringify(documents);
  if (content === shown) return;
  keepFocus(() => {
    clearList();
    list.replaceChildren(...documents.map((document) => fileItem({ ...document, reason: document.error })));
  });
  shown = content;
  summary.textContent = documents.length ? plural(documents.length, "document") : "None yet.";
}

// Show nothing until another list arrives.
export function clearList() {
  latest += 1;
  length = PART;
  shown = "";
  filter.hidden = folders.hidden = actions.hidden = true;
  summary.textContent = "Reading the list…";
  list.replaceChildren();
  more.replaceChildren();
}

// What is replaced may have the focus: then the control of the same name gets it, or one of the same file.
function keepFocus(replace) {
  const focused = document.activeElement;
  const wasHere = sheet.contains(focused);
  replace();
  if (!wasHere || focused.isConnected) return;
  const [name, path] = [nameOf(focused), pathBeside(focused)];
  const controls = [...sheet.querySelectorAll("button, a, [aria-current]")];
  const same = controls.find((control) => nameOf(control) === name);
  (same ?? controls.find((control) => path && pathBeside(control) === path) ?? body).focus({ preventScroll: true });
}

const nameOf = (control) => control.getAttribute("aria-label") ?? control.textContent;
const pathBeside = (control) => control.closest("li")?.querySelector(".path")?.textContent;

// Until the files of the new selection are shown, the buttons below the list are those of the old one.
async function change() {
  length = PART;
  actions.inert = more.inert = true;
  await showLibrary().catch(showFailure);
}

// The list is of no selection then: the next one replaces it.
export function showFailure(error) {
  shown = "";
  say(error);
}

function say(error) {
  if (!(error instanceof Failure)) throw error;
  summary.textContent = `${error.message} ${error.nextStep}`;
}

async function open(path) {
  folder = path;
  await change();
  folders.firstChild?.scrollIntoView({ block: "nearest" });
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
    ({ text: outcome } = await retryFiles(order));
    await showLibrary();
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
      length = count + PART;
      try {
        if (await showLibrary()) list.children[count]?.querySelector("button")?.focus();
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
