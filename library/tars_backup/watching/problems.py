# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs a person's attention, decided from recorded facts alone: nothing here reads the share."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .. import instants
from ..configuration import Alarms, Configuration
from ..errors import DestinationError, InterruptionError

AWAKE_GRACE_S = 3600.0
"""Seconds that the desktop must have run since the last good backup before its age counts: after a night in which the
desktop was off, the timer first gets the time to make a backup."""

COPY_FAILING = timedelta(days=1)
"""Time for which a copy may fail: a second NAS or a server that is off for a night."""

COPY_AGE = timedelta(days=14)
"""Age of a copy after which a person is reminded to connect its disk."""

SECOND_CHANCE = (DestinationError.code, InterruptionError.code)
"""Exit codes of runs whose failure counts from the second one in succession: a NAS that starts, a shutdown."""

HOOK_PREFIX = "alarm_"
"""Beginning of the kind of a problem of a hook, before the hook's kind."""

_DETAILS = "Run ./tars backup status, which shows the reason"

_REASONS = {
    10: "the share holds no repository, or another one",
    11: "a lock blocks the repository",
    12: "the key does not open the repository",
    20: "the share of the NAS cannot be used, or is full",
    30: "what was read back differs from what was saved",
    130: "it was interrupted",
}
"""Reasons of a failed run by its exit code. The page shows them, so they hold no text of a program."""


@dataclass(frozen=True)
class Problem:
    """A problem in plain words; `kind` names it, `since` is an instant, and only an `urgent` one is an alarm."""

    kind: str
    since: str
    message: str
    next_step: str
    urgent: bool = True


def find(configuration: Configuration, facts: Mapping[str, Mapping[str, Any]], now: datetime) -> tuple[Problem, ...]:
    """Return the problems; `facts` are the recorded objects by subject, empty ones for what was never recorded."""
    zone = zoneinfo.ZoneInfo(configuration.zone)
    limits = configuration.alarms
    everything = [
        *_silence(limits, facts, now, zone),
        *_failed_run(facts["run"], zone),
        *_failed_proof(facts, zone),
        *_missing(facts["run"], zone),
        *_space(configuration, facts["run"]),
        *_failed_hooks(limits, facts["alarms"], zone),
        *_old_drill(limits, facts, now, zone),
        *_new_sheet(facts, zone),
        *_sheet(limits, facts, now, zone),
        *_copies(facts.get("copies", {}), now, zone),
    ]
    return tuple(everything)


def _silence(
    limits: Alarms, facts: Mapping[str, Mapping[str, Any]], now: datetime, zone: zoneinfo.ZoneInfo
) -> Iterator[Problem]:
    """Yield a problem if the last good backup is too old, though the desktop was on."""
    confirmed: str | None = facts["last_good"].get("confirmed_at")
    awake_s = float(facts["watch"].get("awake_s", 0))
    limit = timedelta(hours=limits.silence_h)
    # A backup that a wrong clock has dated in the future has no age; then the time counts that the desktop was on.
    old = confirmed is not None and now - instants.from_text(confirmed) > limit
    if awake_s >= limit.total_seconds() or (old and awake_s >= min(AWAKE_GRACE_S, limit.total_seconds())):
        since = confirmed or facts["watch"].get("since") or instants.to_text(now)
        text = f"The last good backup is from {_local(since, zone)}" if confirmed else "There is no good backup yet"
        next_step = "Check that the NAS and the desktop are on, then run ./tars backup run"
        yield Problem("silence", since, f"{text}; the limit is {limits.silence_h} hours.", next_step)


def _failed_run(run: Mapping[str, Any], zone: zoneinfo.ZoneInfo) -> Iterator[Problem]:
    if run.get("ok", True):
        return
    code = run.get("code", 1)
    if code in SECOND_CHANCE and run.get("failures", 1) < 2:
        return
    since = run.get("failed_since") or run["at"]
    reason = f": {_REASONS[code]}" if code in _REASONS else ""
    yield Problem("run", since, f"Backups fail since {_local(since, zone)}{reason}.", _DETAILS)


def _failed_proof(facts: Mapping[str, Mapping[str, Any]], zone: zoneinfo.ZoneInfo) -> Iterator[Problem]:
    for subject in ("verified", "share"):
        if facts[subject].get("problems"):
            at = facts[subject]["at"]
            message = f"A backup could not be read back on {_local(at, zone)}; nothing is pruned since."
            next_step = "On the desktop, run /opt/tars/bin/tars-backup verify --all --data"
            yield Problem("verification", at, message, next_step)
            break
    drill = facts["drill"]
    if drill and not drill.get("ok"):
        yield Problem("drill", drill["at"], f"The drill of {_local(drill['at'], zone)} failed.", _DETAILS)


def _missing(run: Mapping[str, Any], zone: zoneinfo.ZoneInfo) -> Iterator[Problem]:
    kept = run.get("kept", {})
    if kept.get("missing"):
        message = f"{kept['missing']} backups were deleted, and not by T.A.R.S. (noticed {_local(kept['at'], zone)})."
        yield Problem(
            "missing", kept["at"], message, "See docs/disaster-recovery.md, Someone else controlled the desktop"
        )


def _space(configuration: Configuration, run: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem if the share gets full, before backups fail for it."""
    space = run.get("space", {})
    if not space:
        return
    free, total = space["free_mib"], space["total_mib"]
    if free < max(total * configuration.alarms.free_percent / 100, 2 * configuration.free_mib):
        message = f"The share of the backups is nearly full: {_size(free)} of {_size(total)} are free."
        next_step = "Free disk space on the NAS, raise backup.quota_gib, or keep fewer backups (backup.retention)"
        yield Problem("space", space["at"], message, next_step)


def _failed_hooks(
    limits: Alarms, alarms: Mapping[str, Mapping[str, Any]], zone: zoneinfo.ZoneInfo
) -> Iterator[Problem]:
    """Yield a problem for each hook that does not take its messages; the reason is in the journal of the watch."""
    for kind in [hook.kind for hook in limits.hooks]:
        since = alarms.get(kind, {}).get("failed_since")
        if since:
            message = f"Alarms cannot be delivered by {kind} since {_local(since, zone)}."
            yield Problem(
                f"{HOOK_PREFIX}{kind}", since, message, "Run ./tars backup test-alarms, which shows the reason"
            )


def _old_drill(
    limits: Alarms, facts: Mapping[str, Mapping[str, Any]], now: datetime, zone: zoneinfo.ZoneInfo
) -> Iterator[Problem]:
    """Yield a problem if the last drill is too old, or if none was made since the watch began."""
    last: str | None = facts["drill"].get("at")
    since = last or facts["watch"].get("since")
    if since and now - instants.from_text(since) > timedelta(days=limits.drill_days):
        text = "The last drill was on" if last else "There was no drill since"
        message = f"{text} {_local(since, zone)}; the limit is {limits.drill_days} days."
        yield Problem("drill_age", since, message, "Run ./tars drill")


def _new_sheet(facts: Mapping[str, Mapping[str, Any]], zone: zoneinfo.ZoneInfo) -> Iterator[Problem]:
    """Yield reminders if the key was exchanged, or backups began in a new repository, until a new sheet was tried."""
    began: str | None = facts["history"].get("began")
    changed: str | None = facts["key"].get("changed_at")
    checked = facts["sheet"].get("checked_at", "")
    step = "Print a new recovery sheet with ./tars backup sheet, and try it with ./tars backup key verify"
    if changed and checked < changed:
        message = f"The key of the backups was exchanged on {_local(changed, zone)}: older sheets open nothing."
        yield Problem("key", changed, message, step, urgent=False)
    if began and checked < began:
        ended = _local(facts["history"]["ended"], zone)
        message = f"The backups began again on {_local(began, zone)}; those until {ended} are in another repository."
        yield Problem("history", began, message, step, urgent=False)


def _sheet(
    limits: Alarms, facts: Mapping[str, Mapping[str, Any]], now: datetime, zone: zoneinfo.ZoneInfo
) -> Iterator[Problem]:
    """Yield a reminder if the recovery sheet was not tried for long, or never since the oldest backup."""
    checked = facts["sheet"].get("checked_at")
    since = checked or facts["run"].get("kept", {}).get("oldest")
    if since and now - instants.from_text(since) > timedelta(days=limits.sheet_days):
        last = f"was last tried on {_local(since, zone)}" if checked else "was never tried"
        step = "Take it out and run ./tars backup key verify with the key on it"
        yield Problem("sheet", since, f"Try the recovery sheet: it {last}.", step, urgent=False)


def _copies(copies: Mapping[str, Mapping[str, Any]], now: datetime, zone: zoneinfo.ZoneInfo) -> Iterator[Problem]:
    """Yield an alarm for each copy that fails, and a reminder for each old one whose disk is not connected."""
    for name, record in copies.items():
        kind, failed, absent = f"copy_{name}", record.get("failed_since"), record.get("absent_since")
        lasting = failed and now - instants.from_text(failed) > COPY_FAILING
        if failed and (lasting or record.get("code") not in SECOND_CHANCE):
            message = f"Copying the backups to {name} fails since {_local(failed, zone)}."
            yield Problem(kind, failed, message, f"Run ./tars backup copy {name}, which shows the reason")
        elif absent:
            since = record.get("last_ok") or absent
            made = (
                f"The copy {name} is from {_local(since, zone)}" if "last_ok" in record else f"{name} has no copy yet"
            )
            if now - instants.from_text(since) > COPY_AGE:
                yield Problem(kind, since, f"{made}.", "Connect its disk for an hour", urgent=False)
        elif record.get("last_ok") and now - instants.from_text(record["last_ok"]) > COPY_AGE:
            since = record["last_ok"]
            next_step = f"Run ./tars backup copy {name}, and check the timer of the copies"
            yield Problem(kind, since, f"The copy {name} is from {_local(since, zone)}.", next_step)


def _local(text: str, zone: zoneinfo.ZoneInfo) -> str:
    """Return an instant as the household's clocks show it: 3 November 2026, 14:07."""
    return f"{instants.from_text(text).astimezone(zone):%-d %B %Y, %H:%M}"


def _size(mib: int) -> str:
    return f"{mib / 1024:.0f} GiB" if mib >= 10 * 1024 else f"{mib} MiB"
