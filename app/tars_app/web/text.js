// SPDX-License-Identifier: GPL-3.0-or-later
// Turn text into elements. Text of a model or a document is set as textContent, never as HTML.

const LONG_DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "long" });
const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function button(className, text, onClick) {
  const made = element("button", className, text);
  made.type = "button";
  onSingleClick(made, onClick);
  return made;
}

// The second click of a double click is ignored: it was meant for what the first one has replaced.
export function onSingleClick(target, onClick) {
  target.addEventListener("click", (event) => event.detail > 1 || onClick(event));
}

// A sheet closes with its button, and with a click beside it: its content fills it, so that a click on itself is one there.
export function closeByClick(sheet) {
  onSingleClick(sheet, ({ target }) => (target === sheet || target.closest(".close")) && sheet.close());
}

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

// "page 3 · 14 Mar 2021 · LLM_docs/house", without the parts that are unknown.
export function where(place) {
  const folder = [place.source, ...place.path.split("/").slice(0, -1)].join("/");
  return [place.label, day(place.modified), folder].filter(Boolean).join(" · ");
}

// A day (2025-05-03) or a time, as "3 May 2025" by the clocks of this device; a day has no time zone.
export const longDay = (iso) => LONG_DATE.format(new Date(iso.length === 10 ? `${iso}T12:00` : iso));

// A format of dates and times by the clocks of a zone; by those of this device if the browser does not know it.
export function formatIn(zone, locale, options) {
  try {
    return new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return new Intl.DateTimeFormat(locale, options);
  }
}

export const day = (iso) => (iso ? DATE.format(new Date(iso)) : "");

// Render an answer: paragraphs, lists, **strong**, `code`, and [1] as makeMarker(1), or as text where that is null.
export function renderAnswer(text, makeMarker) {
  const blocks = text.trim().split(/\n\s*\n/).filter(Boolean);
  return blocks.flatMap((block) => renderBlock(block.split("\n"), makeMarker));
}

export const ITEM = /^\s*(?:[-*•]|(\d{1,3})[.)])\s+/;
export const HEADING = /^#{1,6} /;
// A marker for a sentence: what citationMark(source, sentence) returns.
const MARKER = /^(?:\[(\d+)\]|\ue004(\d+),(\d+)\ue004)$/;

export const citationMark = (source, sentence) => `\ue004${source},${sentence}\ue004`;

function renderBlock(lines, makeMarker) {
  const parts = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    const last = parts.at(-1);
    if (item) {
      const tag = item[1] ? "OL" : "UL";
      const list = last?.tagName === tag ? last : element(tag.toLowerCase());
      if (list !== last) {
        if (item[1]) list.start = Number(item[1]);
        parts.push(list);
      }
      list.append(element("li", "", ...renderInline(line.slice(item[0].length), makeMarker)));
    } else if (last?.tagName === "P") {
      last.append(element("br"), ...renderInline(line, makeMarker));
    } else {
      parts.push(element("p", "", ...renderInline(line.replace(HEADING, ""), makeMarker)));
    }
  }
  return parts;
}

function renderInline(text, makeMarker) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`|\[\d{1,2}\]|\ue004\d+,\d+\ue004)/).map((piece) => {
    if (/^\*\*.+\*\*$/.test(piece)) return element("strong", "", piece.slice(2, -2));
    if (/^`.+`$/.test(piece)) return element("code", "", piece.slice(1, -1));
    const marker = MARKER.exec(piece);
    return (marker && makeMarker(Number(marker[1] ?? marker[2]), Number(marker[3]))) ?? piece;
  });
}

// Return [start, end] of a quote in a text, ignoring differences in white space; null where it does not occur.
export function locate(text, quote) {
  const words = quote.trim().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const start = text.indexOf(quote);
  if (start >= 0) return [start, start + quote.length];
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+");
  const match = new RegExp(pattern).exec(text);
  return match && [match.index, match.index + match[0].length];
}
