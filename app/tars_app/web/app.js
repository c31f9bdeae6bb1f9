// SPDX-License-Identifier: GPL-3.0-or-later
// The page: the question box, the thread of this session, the keys.

import { watchBackups } from "./backups.js";
import { changeDay, refresh, watch } from "./holdings.js";
import { announce } from "./notice.js";
import { element, onSingleClick } from "./text.js";
import { asOf, watchTimeline } from "./timeline.js";
import { isMadeFrom, removeForgotten, startTurn } from "./turn.js";

const form = document.getElementById("ask");
const box = document.getElementById("question");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
const thread = document.getElementById("thread");
const history = document.getElementById("history");
const busyNotice = document.getElementById("busy-notice");

const asked = [];
let running = null;

// time: fields of the request; without any, those of the timeline.
async function askQuestion(question, time = asOf() ? { as_of: asOf() } : {}) {
  if (!question) return;
  if (running) return refuse();
  box.value = "";
  fit();
  document.body.classList.remove("empty");
  running = startTurn(question, time, thread, askAgain);
  asked.push(question);
  remember(question, running.turn);
  setBusy(true);
  reveal(running.turn);
  await running.finished;
  running = null;
  setBusy(false);
  refresh();
}

// A button of a turn asks again, in place of its own answer if that is still being written.
async function askAgain(turn, question, time) {
  if (running?.turn === turn) {
    running.stop();
    await running.finished;
  }
  askQuestion(question, time);
}

function refuse() {
  announce(busyNotice, [["An answer is being written.", "Ask when it has ended, or stop it."]]);
}

// While an answer is written, other turns cannot ask; what could stays in its place, where it may have the focus.
thread.addEventListener(
  "click",
  (event) => {
    if (!event.target.closest("[aria-disabled=true]")) return;
    event.preventDefault();
    event.stopPropagation();
    refuse();
  },
  true,
);

function setBusy(busy) {
  for (const control of thread.querySelectorAll(".asks")) {
    control.setAttribute("aria-disabled", String(busy && !running.turn.contains(control)));
  }
  if (!busy) announce(busyNotice, []);
  const focused = document.activeElement;
  send.hidden = busy;
  stop.hidden = !busy;
  // Hiding the focused button would move the focus to the top of the page.
  if (focused === send || focused === stop) box.focus();
}

function remember(question, turn) {
  turn.id = `turn-${asked.length}`;
  const link = element("a", "", question);
  link.href = `#${turn.id}`;
  history.querySelector("ol").append(element("li", "", link));
  history.hidden = asked.length < 2;
}

function reveal(turn) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  turn.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

// The box grows with its text.
function fit() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  askQuestion(box.value.trim());
});

// It takes the place of the button that asks.
onSingleClick(stop, () => running?.stop());

box.addEventListener("input", fit);
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowUp" && !box.value && asked.length) {
    event.preventDefault();
    box.value = asked.at(-1);
    fit();
  }
});

document.addEventListener("keydown", (event) => {
  // An open sheet handles Esc itself.
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) running?.stop();
});

document.addEventListener("forgotten", async ({ detail: id }) => {
  removeForgotten(thread, id);
  refresh();
  if (!running) return;
  // An answer that is being written is removed when it has ended.
  if (isMadeFrom(running.turn, id)) running.stop();
  await running.finished;
  removeForgotten(thread, id);
});

// What had the focus before a sheet was opened from another one may be gone when it closes; `close` does not bubble.
document.addEventListener("close", ({ target }) => keepFocusIn(target), true);

function keepFocusIn(closed) {
  const focused = document.activeElement;
  if (focused !== document.body && !closed.contains(focused)) return;
  const open = [...document.querySelectorAll("dialog[open] .body")];
  open.at(-1)?.focus({ preventScroll: true });
}

watch();
watchTimeline(changeDay);
watchBackups();
send.disabled = false; // without this script it would load the page again, and the question would be lost
if (matchMedia("(hover: hover)").matches) box.focus();
