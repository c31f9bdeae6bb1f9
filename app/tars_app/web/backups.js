// SPDX-License-Identifier: GPL-3.0-or-later
// The line about the backups at the foot of the page, and the notice if they need attention.

import { announce } from "./notice.js";
import { inOrder } from "./order.js";
import { Failure, readBackups } from "./service.js";
import { element, formatIn, plural } from "./text.js";

const REFRESH_MS = 60_000;
const DAY_MS = 86_400_000;

const line = document.getElementById("backups");
const notice = document.getElementById("backup-notice");

export function watchBackups() {
  refresh();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}

const request = inOrder();

async function refresh() {
  const isCurrent = request();
  try {
    const backups = await readBackups();
    if (isCurrent()) show(backups);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // The notice about the documents names the reason.
    if (isCurrent()) write("It is not known whether backups are made", true);
  }
}

function show(backups) {
  const urgent = backups.problems.filter((problem) => problem.urgent);
  write(describe(backups, new Date()), urgent.length > 0);
  // Reminders wait until nothing is urgent.
  const shown = urgent.length ? urgent : backups.problems;
  announce(
    notice,
    shown.map(({ message, next_step }) => [message, `${next_step}.`]),
  );
}

function write(text, urgent) {
  line.classList.toggle("urgent", urgent);
  line.replaceChildren(...(urgent ? [element("span", "sign", "!"), " ", text] : [text]));
}

// "Saved 14:07, proven on 3 November, 41 days kept", by the clocks of the household.
function describe({ state, zone, saved, proven, oldest, kept }, now) {
  if (state === "none") return "No backups are set up";
  if (state === "unknown" && !saved) return "It is not known whether backups are made";
  const clock = clockOf(zone);
  const parts = [saved ? `Saved ${clock.moment(new Date(saved), now)}` : "Not saved yet"];
  if (state === "unknown") parts[0] = `Last known backup ${clock.moment(new Date(saved), now)}`;
  if (saved) parts.push(proven ? `proven on ${clock.day(new Date(proven), now)}` : "not proven yet");
  const days = oldest ? Math.floor((now - new Date(oldest)) / DAY_MS) : 0;
  if (kept) parts.push(days ? `${plural(days, "day")} kept` : `${plural(kept, "backup")} kept`);
  return parts.join(", ");
}

function clockOf(zone) {
  const [time, date, dated, year] = [
    { hour: "2-digit", minute: "2-digit" },
    { day: "numeric", month: "long" },
    { day: "numeric", month: "long", year: "numeric" },
    { year: "numeric" },
  ].map((options) => formatIn(zone, "en-GB", options));
  const day = (instant, now) => (year.format(instant) === year.format(now) ? date : dated).format(instant);
  const today = (instant, now) => dated.format(instant) === dated.format(now);
  const moment = (instant, now) =>
    today(instant, now) ? time.format(instant) : `on ${day(instant, now)}, ${time.format(instant)}`;
  return { day, moment };
}
