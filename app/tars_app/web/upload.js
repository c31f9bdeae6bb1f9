// SPDX-License-Identifier: GPL-3.0-or-later
// Adding documents to the shares: chosen with a button or dropped on the sheet, sent one after the other.

import { sheet } from "./library.js";
import { Failure, readUploads, uploadFile } from "./service.js";
import { element, onSingleClick, plural } from "./text.js";

const MIB = 1024 * 1024;

const section = document.getElementById("upload");
const hint = document.getElementById("upload-hint");
const summary = document.getElementById("upload-summary");
const list = document.getElementById("upload-list");
const input = document.getElementById("upload-files");
const waiting = [];

let limit = 0;
let sending = false;
let added = 0;
let refused = 0;

// Whether documents can be added is asked each time the sheet is opened; to a past day none are.
export async function offerUploads(possible) {
  section.hidden ||= !possible;
  if (!possible) return;
  try {
    const { place, max_bytes: bytes } = await readUploads();
    limit = bytes;
    section.hidden = !place;
    hint.textContent = `or drop them here. They are saved in ${place}, up to ${Math.floor(bytes / MIB)} MiB each.`;
  } catch (error) {
    if (!(error instanceof Failure)) throw error; // the list shows what is wrong
  }
}

onSingleClick(document.getElementById("upload-choose"), () => input.click());
input.addEventListener("change", () => {
  add(input.files);
  input.value = ""; // so that the same file can be chosen again
});

// Without this, the browser would leave the page and show the file that is dropped.
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  sheet.addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    sheet.classList.toggle("dropping", !section.hidden && (name === "dragenter" || name === "dragover"));
    if (name === "drop" && !section.hidden) add(event.dataTransfer.files);
  });
}

function add(files) {
  for (const file of files) {
    const item = element("li", "waiting", element("span", "path", file.name), element("span", "why", "Waiting."));
    list.append(item);
    waiting.push([file, item]);
  }
  send();
}

async function send() {
  if (sending) return;
  sending = true;
  while (waiting.length) {
    summary.textContent = `Adding ${plural(waiting.length, "document")}…`;
    await sendOne(...waiting.shift());
  }
  sending = false;
  const parts = [added && `${plural(added, "document")} added`, refused && `${refused} not added`];
  summary.textContent = `${parts.filter(Boolean).join(", ")}.`;
  added = refused = 0;
}

async function sendOne(file, item) {
  const bar = element("progress");
  bar.setAttribute("aria-label", `Sending ${file.name}`);
  bar.max = 1;
  bar.value = 0;
  item.lastChild.replaceWith(bar);
  try {
    if (file.size > limit) throw new Failure(...tooLarge(file));
    if (!(await canRead(file))) throw new Failure("It cannot be read here.", "Of a folder, add the files in it.");
    const { text } = await uploadFile(file, (part) => {
      bar.value = part;
    });
    item.className = "read";
    bar.replaceWith(element("span", "where", text));
    added += 1;
    document.dispatchEvent(new CustomEvent("library-changed"));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    item.className = "failed";
    bar.replaceWith(element("span", "why", error.message), element("span", "where", error.nextStep));
    refused += 1;
  }
}

// A folder, or a file that is gone, whose size is 0 then. Sending it would fail like a lost connection.
async function canRead(file) {
  const { size } = file;
  const start = await (size ? file.slice(0, 1) : file).arrayBuffer().catch(() => null);
  return start !== null && (size === 0 || start.byteLength > 0);
}

const tooLarge = ({ size }) => [
  `The file has ${Math.ceil(size / MIB)} MiB; larger ones than ${Math.floor(limit / MIB)} MiB are not read.`,
  "Split it, or save it with smaller pictures.",
];
