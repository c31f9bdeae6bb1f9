# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups in `status` and `doctor`; one that is missing or old never counts as good."""

from __future__ import annotations

import io
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tars_backup.watching import condition
from tars_provision.commands import doctor
from tars_provision.commands.status import Place, Status
from tars_provision.controller.readiness import CheckResult
from tars_provision.desktop import connection, remote
from tars_provision.desktop.backups import backup_state

from ...tars_backup.test_problems import CONFIGURATION

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
URGENT = {"kind": "run", "since": "x", "message": "Backups fail.", "next_step": "Try again", "urgent": True}
REMINDER = {"kind": "sheet", "since": "x", "message": "Try the sheet.", "next_step": "Take it out", "urgent": False}


def document(**changes: Any) -> dict[str, Any]:
    """Return the document of a program that has recorded nothing, with other values."""
    return {**condition.document(CONFIGURATION, NOW), **changes}


def answer(**changes: Any) -> dict[str, Any]:
    """Return what the program on the desktop prints about a current file."""
    return {"document": document(**changes), "age_s": 60.0, "problem": ""}


GOOD: dict[str, Any] = {
    "last_good": {"confirmed_at": "2026-11-30T11:31:00Z"},
    "verified": {"at": "2026-11-01T12:00:00Z", "ok": True},
    "drill": {"at": "2026-11-03T12:00:00Z", "ok": True},
    "kept": {"count": 87},
}


def test_summaries() -> None:
    assert backup_state(answer(), NOW).summary == "nothing saved yet"
    state = backup_state(answer(**GOOD), NOW)
    assert (state.ok, state.summary) == (True, "saved 29 min ago, proven 27 d 0 h ago, 87 backups kept")
    failed = {**GOOD["drill"], "ok": False}
    assert "proven 29 d 0 h ago" in backup_state(answer(**{**GOOD, "drill": failed}), NOW).summary


def test_attention_and_reminder() -> None:
    state = backup_state(answer(**GOOD, problems=[REMINDER, URGENT]), NOW)
    assert (state.ok, state.steps) == (False, ("Try again",))
    assert state.summary.endswith("\nBackups fail.\nTry the sheet.")
    assert backup_state(answer(**GOOD, problems=[REMINDER]), NOW).ok


@pytest.mark.parametrize("age_s", [1801, -1801])
def test_old_state(age_s: int) -> None:
    state = backup_state({**answer(**GOOD), "age_s": age_s}, NOW)
    assert not state.ok and state.summary.startswith("not known since 2026-11-30T12:00:00Z; then: saved 29 min ago")
    assert "tars-backup-watch.timer" in state.steps[0]


def test_file_on_the_desktop(tmp_path: Path) -> None:
    assert remote.read_backups(None) is None
    path = tmp_path / "status.json"
    assert remote.read_backups(str(path)) == {
        "document": None,
        "age_s": 0,
        "problem": "the desktop has written no state",
    }
    for text, problem in (
        ('{"half', "Unterminated"),
        ('{"schema": 2}', "a state of another version"),
        ("[]", "a state of"),
    ):
        path.write_text(text)
        read = remote.read_backups(str(path))
        assert read and read["document"] is None and problem in read["problem"]
        assert not backup_state(read).ok
    path.write_text(json.dumps(document()))
    written = time.time() - 100
    os.utime(path, (written, written))
    read = remote.read_backups(str(path))
    assert read and read["document"]["schema"] == 1 and 99 < read["age_s"] < time.time() - written + 1


def test_status_shows_the_backups(tmp_path: Path) -> None:
    state = backup_state(answer(**GOOD, problems=[URGENT]), NOW)
    shown = Status(tmp_path, "xps8950", "1", [], [], Place("nas", True), backups=state)
    assert (shown.exit_code, shown.as_data()["backups"]["ok"]) == (1, False)
    console = Console(width=200, record=True, file=io.StringIO())
    shown.show(console)
    text = console.export_text()
    assert "fail backups: saved" in text and "Backups fail." in text and "backups: Try again" in text
    assert Status(tmp_path, "xps8950", "1", [], [], Place("nas", True)).exit_code == 0


@pytest.mark.parametrize(
    ("printed", "ok", "text"),
    [
        ({"contract": None}, True, "not set up yet"),
        ({"contract": {}, "backups": None}, False, "without backups"),
        ({"contract": {}, "backups": answer()}, True, "nothing saved yet"),
        ({"contract": {}, "backups": answer(problems=[URGENT])}, False, "Backups fail."),
    ],
)
def test_doctor(monkeypatch: pytest.MonkeyPatch, printed: dict[str, Any], ok: bool, text: str) -> None:
    lab = Path(__file__).parents[4] / "inventories/lab"
    results = [CheckResult("spec", True, ""), CheckResult("desktop", True, "answers")]
    monkeypatch.setattr(doctor, "site_checks", lambda folder: iter(results))
    monkeypatch.setattr(connection, "call", lambda site, verb: printed)
    checked = doctor.doctor(lab, Console(file=io.StringIO())).checks[-1]
    assert (checked.name, checked.ok) == ("backups", ok) and text in checked.found
    results[-1] = CheckResult("desktop", False, "no answer")
    assert [check.name for check in doctor.doctor(lab, Console(file=io.StringIO())).checks] == [
        "spec",
        "desktop",
    ]
