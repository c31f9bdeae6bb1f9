// SPDX-License-Identifier: GPL-3.0-or-later
// Mark the sentences of an answer that the documents do not support, and attach each citation to its sentence.

import { HEADING, ITEM, citationMark, element, renderAnswer } from "./text.js";

// Characters of Unicode's private area stand for the edges of a sentence and of a part of it while the text is rendered.
const [BEGIN, END, PART, PART_END] = ["\ue000", "\ue001", "\ue002", "\ue003"];
const EDGES = /([\ue000-\ue003])/;
const BADGES = {
  absent: "not in the documents",
  other: "belongs to something else",
  calculation: "does not add up",
};
const REASONS = {
  absent: (text) => `“${text}” is in none of the passages that were read.`,
  other: (text) => `“${text}” is in the passages, but beside something else than what was asked for.`,
  calculation: (text) => `“${text}” is not the result of this calculation.`,
};

// sentences: those of the events `sentence`, whose positions count Unicode code points. citations: those of `done`.
export function renderChecked(answer, sentences, citations, makeMarker) {
  const doubtful = sentences.filter(({ unsupported }) => unsupported.length);
  const parts = renderAnswer(withEdges(answer, sentences, citations), makeMarker);
  const state = { doubtful, sentence: null, part: null };
  for (const part of parts) markIn(part, state);
  return parts;
}

function withEdges(answer, sentences, citations) {
  const characters = Array.from(answer.replace(/[\ue000-\ue004]/g, "\ufffd"));
  const before = new Map();
  const insert = (position, text) => before.set(position, (before.get(position) ?? "") + text);
  for (const { number, start, end, unsupported } of sentences) {
    const text = characters.slice(start, end).join("");
    if (unsupported.length) {
      const lead = (ITEM.exec(text) ?? HEADING.exec(text))?.[0] ?? "";
      insert(start + Array.from(lead).length, BEGIN);
      for (const part of unsupported) {
        insert(part.start, PART);
        insert(part.end, PART_END);
      }
      insert(end, END);
      continue;
    }
    const own = citations.filter((citation) => citation.sentences.includes(number));
    for (const source of new Set(own.map((citation) => citation.source))) {
      if (!text.includes(`[${source}]`)) insert(end, ` ${citationMark(source, number)}`);
    }
  }
  return Array.from({ length: characters.length + 1 }, (_, i) => (before.get(i) ?? "") + (characters[i] ?? "")).join("");
}

function markIn(root, state) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    if (state.sentence || EDGES.test(node.data)) node.replaceWith(...pieces(node, state));
  }
}

function pieces(node, state) {
  const inButton = node.parentElement.closest("button");
  return node.data.split(EDGES).flatMap((text) => {
    if (text === BEGIN) state.sentence = { parts: [...state.doubtful[0].unsupported], all: state.doubtful.shift() };
    else if (text === PART) state.part = state.sentence?.parts.shift();
    else if (text === PART_END) state.part = null;
    else if (text === END) return leave(state);
    else if (text && !inButton && state.part) return [part(text, state.part)];
    else if (text && !inButton && state.sentence) return [element("span", "doubtful", text)];
    else if (text) return [text];
    return [];
  });
}

function part(text, { text: whole, reason }) {
  const made = element("span", "doubtful unsupported", text);
  made.title = REASONS[reason](whole);
  return made;
}

function leave(state) {
  const { unsupported } = state.sentence.all;
  state.sentence = null;
  const badge = element("span", "badge", BADGES[unsupported[0].reason]);
  badge.title = unsupported.map(({ text, reason }) => REASONS[reason](text)).join(" ");
  return [" ", badge];
}
