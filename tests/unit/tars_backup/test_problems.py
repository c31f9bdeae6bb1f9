# SPDX-License-Identifier: GPL-3.0-or-later
"""Which recorded facts need attention, and which do not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tars_backup import instants
from tars_backup.configuration import Alarms, Configuration, Mount
from tars_backup.watching import problems
from tars_backup.watching.condition import SUBJECTS

NOW = instants.from_text("2026-11-30T12:00:00Z")
CONFIGURATION = Configuration(
    contract=Path("/contract"),
    restic=Path("/restic"),
    key_file=Path("/key"),
    repository=Path("/nas/repository"),
    repository_id=None,
    mount=Mount(Path("/nas"), ("nfs4",), "nas:/backup"),
    staging=Path("/staging"),
    state=Path("/backup/state"),
    site=Path("/site"),
    work=Path("/work"),
    host="xps8950",
    zone="Europe/Amsterdam",
    retention={"last": 3},
    configuration=(),
    models="digests",
    free_mib=1024,
    alarms=Alarms(),
)
GOOD: dict[str, dict[str, Any]] = {
    "run": {
        "at": "2026-11-30T11:31:00Z",
        "ok": True,
        "code": 0,
        "kept": {"at": "2026-11-30T11:31:00Z", "count": 40, "oldest": "2026-10-20T11:31:00Z", "missing": 0},
        "space": {"at": "2026-11-30T11:31:00Z", "free_mib": 400_000, "total_mib": 1_000_000},
    },
    "last_good": {"confirmed_at": "2026-11-30T11:31:00Z"},
    "history": {},
    "key": {},
    "verified": {"at": "2026-11-03T10:00:00Z", "ok": True, "problems": []},
    "share": {"at": "2026-11-30T02:31:00Z", "problems": []},
    "drill": {"at": "2026-11-03T10:00:00Z", "ok": True, "backup": "x"},
    "sheet": {"checked_at": "2026-08-01T10:00:00Z"},
    "watch": {"awake_s": 600},
    "alarms": {},
    "copies": {},
}


def found(**changes: dict[str, Any]) -> dict[str, problems.Problem]:
    """Return the problems by kind of a good household with other facts."""
    facts = {subject: {**GOOD[subject], **changes.get(subject, {})} for subject in (*SUBJECTS, "copies")}
    return {problem.kind: problem for problem in problems.find(CONFIGURATION, facts, NOW)}


def test_good_household_and_new_one() -> None:
    assert found() == {}
    assert problems.find(CONFIGURATION, {subject: {} for subject in (*SUBJECTS, "copies")}, NOW) == ()


@pytest.mark.parametrize(
    ("confirmed_at", "awake_s", "silent"),
    [
        ("2026-11-30T09:01:00Z", 7200, False),
        ("2026-11-30T08:59:00Z", 7200, True),
        # The desktop was off for the night, and has had no time for a backup yet.
        ("2026-11-29T22:00:00Z", 600, False),
        ("2026-11-29T22:00:00Z", 3600, True),
        # A wrong clock has dated the backup; only the time counts that the desktop was on.
        ("2031-01-01T00:00:00Z", 3600, False),
        ("2031-01-01T00:00:00Z", 10_800, True),
        (None, 3600, False),
        (None, 10_800, True),
    ],
)
def test_silence(confirmed_at: str | None, awake_s: int, silent: bool) -> None:
    problem = found(last_good={"confirmed_at": confirmed_at}, watch={"awake_s": awake_s}).get("silence")
    assert bool(problem) is silent
    if problem and confirmed_at is None:
        assert problem.message == "There is no good backup yet; the limit is 3 hours."
    if problem and confirmed_at == "2026-11-29T22:00:00Z":
        # In the household's zone.
        assert problem.message == "The last good backup is from 29 November 2026, 23:00; the limit is 3 hours."
        assert problem.since == confirmed_at


@pytest.mark.parametrize(
    ("code", "failures", "reported"),
    [(1, 1, True), (12, 1, True), (30, 1, True), (20, 1, False), (20, 2, True), (130, 1, False), (130, 2, True)],
)
def test_failed_runs(code: int, failures: int, reported: bool) -> None:
    """A NAS that starts and a shutdown during a run get a second chance, all others are reported at once."""
    since = "2026-11-30T10:31:00Z"
    secret = "restic: password is hunter2"
    run = {"ok": False, "code": code, "failures": failures, "failed_since": since, "message": secret}
    problem = found(run=run).get("run")
    assert bool(problem) is reported
    if problem:
        assert problem.since == since
        assert problem.message.startswith("Backups fail since 30 November 2026, 11:31")
        assert secret not in str(problem)


def test_failed_proofs() -> None:
    assert found(verified={"ok": False, "problems": ["x"]})["verification"].since == GOOD["verified"]["at"]
    assert found(share={"problems": ["x"]})["verification"].since == GOOD["share"]["at"]
    assert found(drill={"ok": False})["drill"].urgent
    old = instants.to_text(NOW - timedelta(days=46))
    assert found(drill={"at": old})["drill_age"].message.endswith("the limit is 45 days.")
    assert found(drill={"at": None}, watch={"since": old})["drill_age"].message.startswith("There was no drill since")


def test_missing_backups() -> None:
    kept = {**GOOD["run"]["kept"], "missing": 2}
    assert found(run={"kept": kept})["missing"].message.startswith("2 backups were deleted, and not by T.A.R.S.")


@pytest.mark.parametrize(
    ("free_mib", "total_mib", "full"),
    [(100_000, 1_000_000, False), (99_999, 1_000_000, True), (2_048, 10_000, False), (2_047, 10_000, True)],
)
def test_share_that_gets_full(free_mib: int, total_mib: int, full: bool) -> None:
    space = {"at": "2026-11-30T11:31:00Z", "free_mib": free_mib, "total_mib": total_mib}
    assert ("space" in found(run={"space": space})) is full


def test_recovery_sheet_is_a_reminder_and_no_alarm() -> None:
    old = instants.to_text(NOW - timedelta(days=181))
    reminder = found(sheet={"checked_at": old})["sheet"]
    assert (reminder.urgent, reminder.message) == (
        False,
        "Try the recovery sheet: it was last tried on 2 June 2026, 14:00.",
    )
    kept = {**GOOD["run"]["kept"], "oldest": old}
    never = {"checked_at": None}
    assert found(run={"kept": kept}, sheet=never)["sheet"].message == "Try the recovery sheet: it was never tried."
    assert found(sheet=never) == {}


@pytest.mark.parametrize(
    ("record", "urgent"),
    [
        ({}, None),
        ({"last_ok": "2026-11-30T11:31:00Z"}, None),
        # A disk that is not connected.
        ({"last_ok": "2026-11-17T11:31:00Z", "absent_since": "2026-11-17T12:30:00Z"}, None),
        ({"last_ok": "2026-11-16T11:31:00Z", "absent_since": "2026-11-29T12:30:00Z"}, False),
        ({"absent_since": "2026-11-16T11:31:00Z"}, False),
        # Copies that are no longer attempted.
        ({"last_ok": "2026-11-16T11:31:00Z"}, True),
        # A share that cannot be used for some hours, for a day; damage.
        ({"code": 20, "failed_since": "2026-11-30T08:00:00Z"}, None),
        ({"code": 20, "failed_since": "2026-11-29T08:00:00Z"}, True),
        ({"code": 30, "failed_since": "2026-11-30T11:31:00Z", "last_ok": "2026-11-30T10:31:00Z"}, True),
    ],
)
def test_copies(record: dict[str, Any], urgent: bool | None) -> None:
    current = problems.find(CONFIGURATION, {**GOOD, "copies": {"cellar": record}}, NOW)
    assert [problem.urgent for problem in current] == ([] if urgent is None else [urgent])
    assert all(problem.kind == "copy_cellar" and "cellar" in problem.message for problem in current)


@pytest.mark.parametrize(("checked_at", "shown"), [("2026-08-01T10:00:00Z", True), ("2026-11-02T08:00:00Z", False)])
def test_new_history_is_shown_until_a_sheet_of_it_was_tried(checked_at: str, shown: bool) -> None:
    history = {"began": "2026-11-02T07:30:00Z", "ended": "2026-10-30T11:31:00Z"}
    reminders = found(history=history, key={"changed_at": "2026-11-01T08:00:00Z"}, sheet={"checked_at": checked_at})
    problem = reminders.get("history")
    assert (problem is not None) == ("key" in reminders) == shown
    assert not any(reminder.urgent for reminder in reminders.values())
    if problem:
        assert "until 30 October 2026, 12:31 are in another repository" in problem.message
