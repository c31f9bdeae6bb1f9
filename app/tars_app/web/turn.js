// SPDX-License-Identifier: GPL-3.0-or-later
// One question and its answer, from the search to its end or failure.

import { fill, renderTopic } from "./changes.js";
import { renderChecked } from "./doubts.js";
import { openDocuments } from "./holdings.js";
import { showPassage } from "./passage.js";
import { Failure, ask } from "./service.js";
import { supersededLine } from "./superseded.js";
import { button, element, longDay, plural, where } from "./text.js";
import { today } from "./timeline.js";

const template = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const spoken = document.getElementById("spoken");

// Append the turn to thread and run it. time: fields of the request. Its buttons of the class asks call
// askAgain(turn, question, time).
export function startTurn(question, time, thread, askAgain) {
  const turn = template("turn");
  turn.querySelector(".question").textContent = question;
  thread.append(turn);
  const stop = new AbortController();
  const again = (...request) => askAgain(turn, ...request);
  const finished = run(turn, { question, time, askAgain: again }, stop.signal)
    .catch((error) => fail(turn, error, () => again(question, time)))
    .finally(() => {
      turn.querySelector(".progress").remove();
      turn.removeAttribute("aria-busy");
    });
  return { turn, finished, stop: () => stop.abort() };
}

async function run(turn, request, signal) {
  const clock = startClock(turn.querySelector(".seconds"));
  let sources = [];
  let answer = "";
  let frame = 0;
  let sentences = [];
  let citations = [];
  const draw = () => {
    frame = 0;
    const makeMarker = (number, sentence) =>
      marker(sources, number, sentence, () => quoteFor(citations, number, sentence));
    update(turn.querySelector(".answer"), renderChecked(answer, sentences, citations, makeMarker));
  };
  progress(turn, "Searching the documents");
  try {
    for await (const { name, data } of ask(request.question, request.time, signal)) {
      if (name === "sources") {
        sources = data.sources;
        turn.dataset.documents = sources.map((source) => source.document_id).join(" ");
        showTime(turn, request, data);
        offerChanges(turn, request.question, data.as_of);
        if (sources.length) progress(turn, `Reading ${plural(sources.length, "passage")}`);
      } else if (name === "token") {
        if (!answer) progress(turn, "Writing");
        answer = (answer + data.text).trimStart();
        frame ||= requestAnimationFrame(draw);
      } else if (name === "sentence") {
        sentences.push(data);
        frame ||= requestAnimationFrame(draw);
      } else if (name === "done") {
        ({ answer, sentences, citations } = data);
        if (data.history_begins) answer = `There is no history before ${longDay(data.history_begins)}.`;
        finish(turn, sources, data, request);
      }
    }
  } finally {
    clearInterval(clock);
    cancelAnimationFrame(frame);
    draw();
  }
}

// Replace the children of a place by those made. The same ones stay, so that none loses the focus, or a click, meanwhile.
function update(place, made) {
  made.forEach((node, index) => {
    const old = place.childNodes[index];
    if (!old) place.append(node);
    else if (old.isEqualNode(node)) return;
    else if (old.cloneNode().isEqualNode(node.cloneNode())) update(old, [...node.childNodes]);
    else old.replaceWith(node);
  });
  while (place.childNodes.length > made.length) place.lastChild.remove();
}

function progress(turn, text) {
  turn.querySelector(".doing").textContent = text;
  spoken.textContent = text;
}

function startClock(target) {
  const started = performance.now();
  return setInterval(() => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    target.textContent = seconds > 1 ? `${seconds} s` : "";
  }, 500);
}

// The quote of a passage for a sentence of the answer; without one, its first quote.
function quoteFor(citations, number, sentence) {
  const quotes = citations.filter(({ source }) => source === number);
  return (quotes.find(({ sentences }) => sentences.includes(sentence)) ?? quotes[0])?.quote ?? null;
}

// The number of a passage in the answer: a button, or null where there is no such passage. The quotes come later.
function marker(sources, number, sentence, findQuote) {
  const source = sources.find((candidate) => candidate.id === number);
  if (!source) return null;
  const button = element("button", "marker", String(number));
  button.type = "button";
  button.setAttribute("aria-label", `Passage ${number}, ${source.title}`);
  button.setAttribute("aria-haspopup", "dialog");
  button.dataset.sentence = sentence || "";
  button.addEventListener("click", () => showPassage(source, findQuote()));
  return button;
}

const NEAREST = new Set(["unsupported", "not_in_documents"]);

function finish(turn, sources, done, request) {
  const byId = new Map(sources.map((source) => [source.id, source]));
  const cited = done.citations.filter((citation) => byId.has(citation.source));
  const evidence = turn.querySelector(".evidence");
  evidence.hidden = !cited.length;
  if (NEAREST.has(done.support)) evidence.querySelector("h3").textContent = "Nearest in the documents";
  const note = turn.querySelector(".note");
  note.hidden = !done.note;
  note.textContent = done.note ?? "";
  showUnread(turn, done.unread);
  evidence.querySelector("ol").append(...cited.map(({ source, quote, label }) => citation({ ...byId.get(source), label }, quote)));

  const ids = new Set(cited.map(({ source }) => source));
  const rest = sources.filter((source) => !ids.has(source.id));
  const others = turn.querySelector(".others");
  others.hidden = !rest.length;
  others.querySelector("summary").textContent = `${plural(rest.length, "more passage was", "more passages were")} read`;
  others.querySelector("ol").append(...rest.map((source) => citation(source, null)));

  if (sources.length) {
    turn.querySelector(".made").textContent =
      `${done.model} · ${plural(sources.length, "passage")} · ${done.duration_s.toFixed(1)} s`;
  } else if (done.history_begins) {
    offerBeginning(turn, done.history_begins, request);
  } else {
    turn.classList.add("nothing");
    const list = element("button", "quiet", "Show the documents");
    list.type = "button";
    list.addEventListener("click", openDocuments);
    turn.querySelector(".made").replaceChildren("Try other words. ", list);
  }
  if (done.support === "not_in_documents") turn.classList.add("nothing");
  const unread = done.unread ? `Not read: ${done.unread.path}, whose name fits the question.` : "";
  spoken.textContent = `${done.answer} ${done.note ?? ""} ${unread} ${cited.length ? `${plural(cited.length, "citation")}.` : ""}`;
}

// A file that was not read, and whose name fits the question better than those of the passages.
function showUnread(turn, file) {
  if (!file) return;
  const line = element("p", "superseded unread-file", element("strong", "", "Not read: "), `${file.source}/${file.path}. `);
  line.append("Its name fits the question. ", [file.reason, file.next_step].filter(Boolean).join(" "));
  line.append(" ", button("quiet", "Show the documents", openDocuments));
  turn.querySelector(".note").after(line);
}

function citation(source, quote) {
  const item = template("citation");
  const button = item.querySelector("button");
  item.querySelector(".number").textContent = source.id;
  item.querySelector(".title").textContent = source.title;
  item.querySelector(".where").textContent = where(source);
  const words = item.querySelector(".quote");
  if (quote === null) words.replaceWith(element("span", "excerpt", source.excerpt));
  else words.textContent = quote;
  button.addEventListener("click", () => showPassage(source, quote));
  const line = supersededLine(source, (successor) => showPassage(successor, null));
  if (line) item.append(line);
  if (source.note) item.append(element("p", "unread", source.note));
  return item;
}

// The time that the answer is about: the one that was read from the question, with a way to change it, or the one chosen.
function showTime(turn, { question, askAgain }, { understood, as_of }) {
  const line = turn.querySelector(".time");
  line.hidden = !understood && !as_of;
  if (!understood) {
    line.textContent = as_of ? `From the documents as they were on ${longDay(as_of.at)}.` : "";
    return;
  }
  const { kind, text, first, last } = understood;
  line.textContent = `“${text}” is read as: ${MEANINGS[kind](first && longDay(first), last && longDay(last))}. `;
  const change = element("span", "change-time");
  const words = button("quiet asks", "Read it as words", () => askAgain(question, { interpret: false }));
  const other = button("quiet asks", "Choose another day", () => {
    other.hidden = true;
    change.append(dayForm(last, (day) => askAgain(question, { as_of: day })));
    change.querySelector("input").focus();
  });
  change.append(other, words);
  line.append(change);
}

const MEANINGS = {
  as_of: (_, last) => `the documents as they were at the end of ${last}`,
  between: (first, last) => `the documents of all times ${first ? `from ${first} to` : "until"} ${last}`,
  period: (first, last) => (first === last ? `documents of ${last} first` : `documents from ${first} to ${last} first`),
  latest: () => "the latest documents first",
};

function dayForm(day, onChosen) {
  const input = element("input", "");
  Object.assign(input, { type: "date", required: true });
  input.value = day ?? today();
  input.addEventListener("focus", () => {
    input.max = today();
  });
  const form = element("form", "day-form", element("label", "", "As of ", input), " ");
  const go = element("button", "quiet asks", "Ask again");
  form.append(go);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onChosen(input.value);
  });
  return form;
}

// A button that shows what changed about the question since the past time that the answer is about.
function offerChanges(turn, question, past) {
  const place = turn.querySelector(".changed");
  place.hidden = !past;
  if (!past) return;
  const show = button("quiet", "What changed about this since then", () =>
    fill(place, "Comparing…", () => renderTopic(question, past.at), show),
  );
  place.replaceChildren(show);
}

// The question is about a time before the first observation.
function offerBeginning(turn, begins, { question, askAgain }) {
  turn.classList.add("nothing");
  const first = button("quiet asks", `Ask about ${longDay(begins)}`, () =>
    askAgain(question, { as_of: begins.slice(0, 10) }),
  );
  const now = button("quiet asks", "Ask about today", () => askAgain(question, { interpret: false }));
  turn.querySelector(".made").replaceChildren(first, " ", now);
}

export const isMadeFrom = (turn, id) => Boolean(turn.dataset.documents?.split(" ").includes(id));

// Answers that were made from a document which is forgotten now go with it, once they have ended.
export function removeForgotten(thread, id) {
  for (const turn of thread.querySelectorAll(".turn:not([aria-busy])")) {
    if (!isMadeFrom(turn, id)) continue;
    const gone = "This answer was removed: it was made from a document that is forgotten.";
    turn.replaceChildren(turn.querySelector(".question"), element("p", "made", gone));
  }
}

function fail(turn, error, again) {
  if (error.name === "AbortError") {
    turn.classList.add("stopped");
    turn.querySelector(".made").textContent = "Stopped.";
    spoken.textContent = "Stopped.";
    return;
  }
  const known = error instanceof Failure;
  if (!known) console.error(error);
  const trouble = template("trouble");
  trouble.querySelector(".message").textContent = known ? error.message : "An unexpected error occurred in this page.";
  trouble.querySelector(".next-step").textContent = known ? error.nextStep : "Reload the page, then ask again.";
  trouble.querySelector(".again").addEventListener("click", again);
  turn.querySelector(".answer").after(trouble);
  turn.classList.add("failed");
}
