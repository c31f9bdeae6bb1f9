// SPDX-License-Identifier: GPL-3.0-or-later
// The control below the box that sets the day of the past which questions and the list of documents are about.

import { inOrder } from "./order.js";
import { Failure, readTimeline } from "./service.js";
import { formatIn, longDay } from "./text.js";

const DAY_MS = 86_400_000;
const REFRESH_MS = 60_000;
const BAR_HEIGHT = 20;

const control = document.getElementById("time-control");
const toggle = document.getElementById("time");
const panel = document.getElementById("timeline");
const picker = document.getElementById("as-of");
const slider = document.getElementById("as-of-slider");
const back = document.getElementById("today");
const hint = document.getElementById("as-of-hint");
const bars = panel.querySelector("svg");

let zone; // of the household; until it is read, that of this device
let days = [];
let chosen = null;
let first = 0;
let last = 0;
let changed = () => {};

// The day that is asked about, as 2025-05-03; null: now.
export const asOf = () => chosen;

// The day of the household, which the page may outlast.
export const today = () => formatIn(zone, "en-CA", { dateStyle: "short" }).format(new Date());

// onChange is called when another day is chosen.
export function watchTimeline(onChange) {
  changed = onChange;
  refresh();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}

const request = inOrder();

// On another day, and until there is a history, the days are read again.
async function refresh() {
  if (days.length && last === numberOf(today())) return;
  show();
  const isCurrent = request();
  try {
    const timeline = await readTimeline();
    if (!isCurrent()) return;
    ({ zone, days } = timeline);
    show();
  } catch (error) {
    // The notice about the documents names the reason.
    if (!(error instanceof Failure)) throw error;
  }
}

function show() {
  control.hidden = !days.length;
  if (!days.length) return choose(null);
  last = numberOf(today());
  first = Math.min(numberOf(days[0].day), last);
  picker.min = days[0].day;
  picker.max = isoOf(last);
  slider.max = String(last - first);
  document.getElementById("timeline-begin").textContent = longDay(isoOf(first));
  drawBars();
  choose(chosen);
}

// One bar for each day on which documents were new or changed; the slider has the days themselves.
function drawBars() {
  const most = Math.max(...days.map(({ changes }) => changes));
  bars.setAttribute("viewBox", `0 0 ${last - first + 1} ${BAR_HEIGHT}`);
  const made = days.map(({ day, changes }) => {
    const height = Math.max(4, Math.sqrt(changes / most) * BAR_HEIGHT);
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const place = { x: numberOf(day) - first, y: BAR_HEIGHT - height, width: 1, height };
    for (const [name, value] of Object.entries(place)) bar.setAttribute(name, String(value));
    return bar;
  });
  bars.replaceChildren(...made);
}

function choose(day) {
  const before = chosen;
  chosen = day && numberOf(day) < last ? day : null;
  const text = chosen ? `As of ${longDay(chosen)}` : "As of today";
  toggle.textContent = text;
  toggle.setAttribute("aria-label", chosen ? `Answers from the documents as of ${longDay(chosen)}` : "Answers as of today");
  control.classList.toggle("past", Boolean(chosen));
  picker.value = chosen ?? isoOf(last);
  slider.value = String(Math.max(0, numberOf(picker.value) - first));
  slider.setAttribute("aria-valuetext", chosen ? longDay(chosen) : "today");
  back.hidden = !chosen;
  if (chosen && numberOf(chosen) < first) hint.textContent = `There is no history before ${longDay(isoOf(first))}.`;
  else if (chosen) hint.textContent = "Answers come from the documents as they were at the end of this day.";
  else hint.textContent = "Answers come from the documents of today. Choose a day to ask about the past.";
  if (before !== chosen) changed();
}

toggle.addEventListener("click", () => {
  refresh();
  panel.hidden = !panel.hidden;
  toggle.setAttribute("aria-expanded", String(!panel.hidden));
});
picker.addEventListener("change", () => choose(picker.value || null));
slider.addEventListener("input", () => choose(isoOf(first + Number(slider.value))));
back.addEventListener("click", () => {
  choose(null);
  toggle.focus();
});

const numberOf = (day) => Date.parse(`${day}T00:00:00Z`) / DAY_MS;
const isoOf = (number) => new Date(number * DAY_MS).toISOString().slice(0, 10);
