// SPDX-License-Identifier: GPL-3.0-or-later
// The sheet that shows a passage in its page, with the quote marked.

import { Failure, openPassage } from "./service.js";
import { element, locate, where } from "./text.js";

const sheet = document.getElementById("passage");
const body = sheet.querySelector(".body");
const title = sheet.querySelector("h2");
const place = sheet.querySelector(".where");

sheet.querySelector(".close").addEventListener("click", () => sheet.close());
// The content fills the dialog, so a click on the dialog itself is one on the backdrop.
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());

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
  try {
    content = renderPassage(await openPassage(source.chunk_id), quote);
    if (source.also_in.length) content.push(element("p", "hint", `The same passage is in ${others(source.also_in)}.`));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    content = [element("p", "message", error.message), element("p", "hint", error.nextStep)];
  }
  if (turn !== latest) return;
  body.replaceChildren(...content);
  const mark = body.querySelector("mark") ?? body.querySelector(".passage-text");
  mark?.scrollIntoView({ block: "center" });
}

function others(places) {
  return places.map((other) => [other.source, other.path].join("/")).join(", ");
}

function renderPassage(passage, quote) {
  const text = passage.before + passage.text + passage.after;
  const begin = passage.before.length;
  const end = begin + passage.text.length;
  const marked = quote ? locate(text, quote) : null;
  const cuts = [...new Set([0, begin, end, text.length, ...(marked ?? [])])].sort((a, b) => a - b);
  const page = element("p", "page-text");
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [from, to] = [cuts[i], cuts[i + 1]];
    const inside = from >= begin && to <= end;
    const piece = element("span", inside ? "passage-text" : "around", text.slice(from, to));
    page.append(marked && from >= marked[0] && to <= marked[1] ? element("mark", "", piece) : piece);
  }
  if (quote && !marked) {
    return [element("p", "hint", "The quoted words are not in this passage any more; its document has changed."), page];
  }
  return [page];
}
