// SPDX-License-Identifier: GPL-3.0-or-later
// One question and its answer, from the search to its end or failure.

import { renderChecked } from "./doubts.js";
import { openDocuments } from "./holdings.js";
import { showPassage } from "./passage.js";
import { Failure, ask } from "./service.js";
import { element, plural, where } from "./text.js";

const template = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const spoken = document.getElementById("spoken");

// Append the turn to thread and run it. The button of an error calls askAgain(question).
export function startTurn(question, thread, askAgain) {
  const turn = template("turn");
  turn.querySelector(".question").textContent = question;
  thread.append(turn);
  const stop = new AbortController();
  const finished = run(turn, question, stop.signal)
    .catch((error) => fail(turn, error, () => askAgain(question)))
    .finally(() => {
      turn.querySelector(".progress").remove();
      turn.removeAttribute("aria-busy");
    });
  return { turn, finished, stop: () => stop.abort() };
}

async function run(turn, question, signal) {
  const clock = startClock(turn.querySelector(".seconds"));
  let sources = [];
  let answer = "";
  let frame = 0;
  let sentences = [];
  let citations = [];
  const draw = () => {
    frame = 0;
    const makeMarker = (number, sentence) => marker(sources, quoteFor(citations, number, sentence), number);
    turn.querySelector(".answer").replaceChildren(...renderChecked(answer, sentences, citations, makeMarker));
  };
  progress(turn, "Searching the documents");
  try {
    for await (const { name, data } of ask(question, signal)) {
      if (name === "sources") {
        sources = data.sources;
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
        finish(turn, sources, data);
      }
    }
  } finally {
    clearInterval(clock);
    cancelAnimationFrame(frame);
    draw();
  }
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

// The number of a passage in the answer: a button, or null where there is no such passage.
function marker(sources, quote, number) {
  const source = sources.find((candidate) => candidate.id === number);
  if (!source) return null;
  const button = element("button", "marker", String(number));
  button.type = "button";
  button.setAttribute("aria-label", `Passage ${number}, ${source.title}`);
  button.setAttribute("aria-haspopup", "dialog");
  button.addEventListener("click", () => showPassage(source, quote));
  return button;
}

const NEAREST = new Set(["unsupported", "not_in_documents"]);

function finish(turn, sources, done) {
  const byId = new Map(sources.map((source) => [source.id, source]));
  const cited = done.citations.filter((citation) => byId.has(citation.source));
  const evidence = turn.querySelector(".evidence");
  evidence.hidden = !cited.length;
  if (NEAREST.has(done.support)) evidence.querySelector("h3").textContent = "Nearest in the documents";
  const note = turn.querySelector(".note");
  note.hidden = !done.note;
  note.textContent = done.note ?? "";
  evidence.querySelector("ol").append(...cited.map(({ source, quote }) => citation(byId.get(source), quote)));

  const ids = new Set(cited.map(({ source }) => source));
  const rest = sources.filter((source) => !ids.has(source.id));
  const others = turn.querySelector(".others");
  others.hidden = !rest.length;
  others.querySelector("summary").textContent = `${plural(rest.length, "more passage was", "more passages were")} read`;
  others.querySelector("ol").append(...rest.map((source) => citation(source, null)));

  if (sources.length) {
    turn.querySelector(".made").textContent =
      `${done.model} · ${plural(sources.length, "passage")} · ${done.duration_s.toFixed(1)} s`;
  } else {
    turn.classList.add("nothing");
    const list = element("button", "quiet", "Show the documents");
    list.type = "button";
    list.addEventListener("click", openDocuments);
    turn.querySelector(".made").replaceChildren("Try other words. ", list);
  }
  if (done.support === "not_in_documents") turn.classList.add("nothing");
  spoken.textContent = `${done.answer} ${done.note ?? ""} ${cited.length ? `${plural(cited.length, "citation")}.` : ""}`;
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
  return item;
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
