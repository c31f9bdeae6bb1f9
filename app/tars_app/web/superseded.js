// SPDX-License-Identifier: GPL-3.0-or-later
// What became of a passage that no longer stands in its document.

import { button, element, longDay } from "./text.js";

const STATES = {
  changed: (date) => `This has changed since ${date}.`,
  removed: (date) => `This was removed on ${date}.`,
  deleted: (date) => `The document was deleted on ${date}.`,
  failed: (date) => `The document was changed on ${date}, and cannot be read since.`,
  pending: (date) => `The document was changed on ${date}, and is being read.`,
};

// source: a passage with its place. open(successor): shows the passage that took its place. Null: it still stands there.
export function supersededLine(source, open) {
  const later = source.superseded;
  if (!later) return null;
  const state = later.state === "changed" && !later.chunk_id ? "removed" : later.state;
  const line = element("p", "superseded", element("span", "sign", "↻"), " ", STATES[state](longDay(later.at)));
  line.firstChild.setAttribute("aria-hidden", "true");
  if (later.error) line.append(` ${later.error}`);
  if (later.chunk_id) {
    const successor = { ...source, chunk_id: later.chunk_id, also_in: [], superseded: null };
    line.append(" ", button("quiet", "Show what took its place", () => open(successor)));
  }
  return line;
}
