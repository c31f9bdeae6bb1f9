// SPDX-License-Identifier: GPL-3.0-or-later
// The sheet that shows a passage in its page, its sheet, its mail or its text, with the quote marked.

import { download, mailHeader, pageFigure, tableExcerpt } from "./original.js";
import { Failure, openPassage } from "./service.js";
import { supersededLine } from "./superseded.js";
import { button, closeByClick, element, locate, where } from "./text.js";

const sheet = document.getElementById("passage");
const body = sheet.querySelector(".body");
const title = sheet.querySelector("h2");
const place = sheet.querySelector(".where");

closeByClick(sheet);

let latest = 0;

// source: an entry of the event `sources`. quote: the cited words, or null.
export async function showPassage(source, quote) {
  const turn = ++latest;
  title.textContent = source.title;
  place.textContent = where(source);
  body.replaceChildren(element("p", "hint", "Opening the passage…"));
  if (!sheet.open) sheet.showModal();
  body.focus({ preventScroll: true });
  let content;
  let line = where(source);
  try {
    const passage = await openPassage(source.chunk_id, quote);
    content = renderPassage(passage, quote);
    if (passage.note) content.push(element("p", "unread", passage.note));
    line = where(passage);
    if (source.also_in.length) content.push(element("p", "hint", `The same passage is in ${others(source.also_in)}.`));
    content.push(download(passage.version_id), historyButton(passage));
    const superseded = supersededLine(passage, (successor) => showPassage(successor, null));
    if (superseded) content.unshift(superseded);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    content = [element("p", "message", error.message), element("p", "hint", error.nextStep)];
  }
  if (turn !== latest) return;
  place.textContent = line;
  body.replaceChildren(...content);
  const mark = body.querySelector("mark") ?? body.querySelector(".passage-text");
  mark?.scrollIntoView({ block: "center" });
}

function historyButton({ document_id: id, path }) {
  return button("quiet history-of", "History of this document", () => {
    sheet.close();
    document.dispatchEvent(new CustomEvent("show-document", { detail: { id, path } }));
  });
}

function others(places) {
  return places.map((other) => [other.source, other.path].join("/")).join(", ");
}

const CHANGED = "The quoted words are not in this passage any more; its document has changed.";

// What belongs to a passage stands before it: its page, the header of its mail, or that of its table.
function renderPassage(passage, quote) {
  const { table, mail, header } = passage;
  if (table) {
    const rows = tableExcerpt(table, passage.label);
    const content = rows.querySelector("mark") ? [rows] : [element("p", "hint", CHANGED), rows];
    return mail.length ? [mailHeader(mail), ...content] : content;
  }
  const content = renderText(passage, quote);
  if (passage.has_page) return [pageFigure(passage, quote), ...content];
  if (mail.length) return [mailHeader(mail), ...content];
  return header ? [element("p", "hint", header), ...content] : content;
}

function renderText(passage, quote) {
  const header = passage.mail.map(({ name, value }) => `${name}: ${value}`).join("\n");
  const all = passage.before + passage.text + passage.after;
  // The header of a mail stands above already, unless the quote is from it.
  const isShown = header && all.startsWith(header) && !(quote && locate(header, quote));
  const whole = isShown ? all.slice(header.length).trimStart() : all;
  const cut = all.length - whole.length;
  const begin = Math.max(0, passage.before.length - cut);
  const end = passage.before.length + passage.text.length - cut;
  const marked = quote ? locate(whole, quote) : null;
  const cuts = [...new Set([0, begin, end, whole.length, ...(marked ?? [])])].sort((a, b) => a - b);
  const page = element("p", "page-text");
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [from, to] = [cuts[i], cuts[i + 1]];
    const inside = from >= begin && to <= end;
    const piece = element("span", inside ? "passage-text" : "around", whole.slice(from, to));
    page.append(marked && from >= marked[0] && to <= marked[1] ? element("mark", "", piece) : piece);
  }
  return quote && !marked ? [element("p", "hint", CHANGED), page] : [page];
}
