// SPDX-License-Identifier: GPL-3.0-or-later
// What changed in a document between two versions, or about a topic since a time.

import { showPassage } from "./passage.js";
import { Failure, readTopic } from "./service.js";
import { button, element, plural } from "./text.js";

// Days alone would not distinguish versions of one day.
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });
export const moment = (iso) => MOMENT.format(new Date(iso));

// Return what make() returns, or the message of a failure and the controls to try again with.
export async function orFailure(make, ...controls) {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [element("p", "message", error.message), element("p", "hint", error.nextStep), ...controls];
  }
}

// Replace what is in place by what make() returns, or by a failure and the control that began this. The last of several
// calls counts. The focus stays in place.
export async function fill(place, text, make, ...control) {
  const hint = element("p", "hint", text);
  if (place.contains(document.activeElement)) {
    place.tabIndex = -1;
    place.focus({ preventScroll: true });
  }
  place.replaceChildren(hint);
  const content = await orFailure(make, ...control);
  if (hint.parentNode === place) place.replaceChildren(...content);
}

// Removed and added sentences differ by a word, a sign and a line, so that no colour is needed.
export function renderDifference({ source, before, after, changes, unchanged }) {
  if (!changes.length) return [element("p", "hint", "No sentence differs.")];
  const same = element("p", "hint", `${plural(unchanged, "passage")} the same.`);
  return [...changes.map((change) => renderChange(change, source, { before, after })), same];
}

function renderChange({ removed, added }, source, versions) {
  const change = element("div", "change");
  if (removed.length) change.append(side("del", "−", "Removed", removed, source, versions.before));
  if (added.length) change.append(side("ins", "+", "Added", added, source, versions.after));
  return change;
}

function side(tag, sign, label, quotes, source, version) {
  const head = element("p", "side", element("span", "sign", sign), ` ${label}`);
  head.firstChild.setAttribute("aria-hidden", "true");
  const [{ chunk_id, page, quote }] = quotes;
  const place = { ...version, chunk_id, page, source, also_in: [], title: version.path.split("/").at(-1) };
  head.append(" ", button("quiet", page ? `page ${page}` : "in the text", () => showPassage(place, quote)));
  const text = element(tag, "", quotes.map((entry) => entry.quote).join(" "));
  return element("div", "", head, text);
}

// What changed since a time in the passages about a question: a list of elements.
export async function renderTopic(question, since) {
  const { documents, unchanged, not_compared: unknown } = await readTopic(question, since);
  const parts = documents.flatMap((difference) => {
    const { path } = difference.after ?? difference.before;
    const end = difference.after ? "" : " (deleted since)";
    const title = element("h3", "", `${difference.source}/${path}${difference.before ? end : " (new since)"}`);
    return [title, ...renderDifference(difference).slice(0, -1)];
  });
  const names = (places) => places.map((place) => `${place.source}/${place.path}`).join(", ");
  if (!documents.length) parts.push(element("p", "hint", "Nothing changed about this."));
  if (unchanged.length) parts.push(element("p", "hint", `Unchanged: ${names(unchanged)}.`));
  if (unknown.length) parts.push(element("p", "hint", `Their text of one time is not on record: ${names(unknown)}.`));
  return parts;
}
