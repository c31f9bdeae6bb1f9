# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups on the page and in the metrics; a missing or old file never counts as good."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tars_app.backups.metrics import BackupCollector
from tars_app.backups.routes import make_router
from tars_app.backups.service import MAX_AGE, backups
from tars_app.kit.metrics import Metrics
from tars_app.settings import Settings

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
SAVED = datetime(2026, 11, 30, 11, 31, tzinfo=UTC)
PROBLEM = {
    "kind": "run",
    "since": "2026-11-30T10:31:00Z",
    "message": "Backups fail.",
    "next_step": "Try again",
    "urgent": True,
}


def content(**changes: Any) -> dict[str, Any]:
    """Return the content of a file of tars-backup."""
    return {
        "schema": 1,
        "written_at": "2026-11-30T11:55:00Z",
        "host": "xps8950",
        "zone": "Europe/Amsterdam",
        "last_run": {"at": "2026-11-30T11:31:00Z", "ok": True, "code": 0, "last_ok": "2026-11-30T11:31:00Z"},
        "last_good": {"id": "x", "made_at": "2026-11-29T11:31:00Z", "confirmed_at": "2026-11-30T11:31:00Z"},
        "verified": {"at": "2026-11-01T10:00:00Z", "ok": True},
        "read_back": {"at": "2026-11-30T02:31:00Z", "ok": True},
        "drill": {"at": "2026-11-03T10:00:00Z", "ok": True, "backup": "x"},
        "sheet": None,
        "copies": {"attic": {"at": None, "ok": True, "last_ok": "2026-11-03T10:00:00Z"}, "away": None},
        "kept": {"at": "2026-11-30T11:31:00Z", "count": 87, "oldest": "2026-10-20T11:31:00Z", "missing": 0},
        "space": {"at": "2026-11-30T11:31:00Z", "free_mib": 1000, "total_mib": 4000},
        "problems": [],
        **changes,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file of a good household."""
    path = tmp_path / "status.json"
    path.write_text(json.dumps(content()))
    return path


def samples(path: Path | None) -> dict[str, float]:
    """Return the values as Prometheus' own parser reads them."""
    registry = CollectorRegistry()
    registry.register(BackupCollector(path))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        sample.name + "".join(sample.labels.values()): sample.value for family in families for sample in family.samples
    }


def test_good_household(file: Path) -> None:
    shown = backups(file, NOW)
    assert (shown.state, shown.zone, shown.saved, shown.kept) == ("known", "Europe/Amsterdam", SAVED, 87)
    assert shown.proven == datetime(2026, 11, 3, 10, tzinfo=UTC)
    assert shown.problems == []


def test_a_failed_proof_proves_nothing(file: Path) -> None:
    file.write_text(json.dumps(content(drill={"at": "2026-11-20T10:00:00Z", "ok": False, "backup": "x"})))
    assert backups(file, NOW).proven == datetime(2026, 11, 1, 10, tzinfo=UTC)
    file.write_text(json.dumps(content(drill=None, verified=None)))
    assert backups(file, NOW).proven is None


def test_no_backups_are_set_up() -> None:
    assert backups(None, NOW).state == "none"
    assert samples(None) == {}


@pytest.mark.parametrize("text", [None, "", '{"half', "[]", json.dumps(content(schema=2)), json.dumps({"schema": 1})])
def test_missing_or_damaged_file(file: Path, text: str | None) -> None:
    file.unlink() if text is None else file.write_text(text)
    shown = backups(file, NOW)
    assert (shown.state, shown.saved) == ("unknown", None)
    assert [problem.urgent for problem in shown.problems] == [True]
    assert samples(file) == {"tars_backup_status_known": 0}


@pytest.mark.parametrize("age", [MAX_AGE + timedelta(seconds=1), -MAX_AGE - timedelta(seconds=1)])
def test_old_file(file: Path, age: timedelta) -> None:
    file.write_text(json.dumps(content(written_at=(NOW - age).isoformat(), problems=[PROBLEM])))
    shown = backups(file, NOW)
    assert (shown.state, shown.saved) == ("unknown", SAVED)
    assert [problem.kind for problem in shown.problems] == ["unknown", "run"]
    file.write_text(json.dumps(content(written_at=(NOW - MAX_AGE).isoformat())))
    assert backups(file, NOW).state == "known"


def test_metrics(file: Path) -> None:
    values = samples(file)
    assert values["tars_backup_last_good_timestamp_seconds"] == SAVED.timestamp()
    assert values["tars_backup_last_drill_timestamp_seconds"] == datetime(2026, 11, 3, 10, tzinfo=UTC).timestamp()
    assert values["tars_backup_last_verified_timestamp_seconds"] == datetime(2026, 11, 1, 10, tzinfo=UTC).timestamp()
    assert values["tars_backup_last_run_success"] == values["tars_backup_last_drill_success"] == 1
    assert (values["tars_backup_kept"], values["tars_backup_missing"]) == (87, 0)
    assert (
        values["tars_backup_copy_last_good_timestamp_secondsattic"]
        == values["tars_backup_last_drill_timestamp_seconds"]
    )
    assert values["tars_backup_share_free_bytes"] == 1000 * 2**20
    assert "tars_backup_last_sheet_check_timestamp_seconds" not in values
    failed = {"at": "2026-11-30T11:31:00Z", "ok": False, "code": 20, "last_ok": None}
    checked = {"checked_at": "2026-11-02T10:00:00Z"}
    file.write_text(json.dumps(content(last_run=failed, last_good=None, sheet=checked, problems=[PROBLEM])))
    values = samples(file)
    assert (values["tars_backup_last_run_success"], values["tars_backup_problemruntrue"]) == (0, 1)
    assert values["tars_backup_last_sheet_check_timestamp_seconds"] == datetime(2026, 11, 2, 10, tzinfo=UTC).timestamp()
    assert "tars_backup_last_good_timestamp_seconds" not in values


def test_route(file: Path) -> None:
    file.write_text(json.dumps(content(written_at="2020-01-01T00:00:00Z")))
    metrics, app = Metrics(), FastAPI()
    app.include_router(make_router(Settings(chat_model="a", embedding_model="b", backup_status=file), metrics))
    shown = TestClient(app).get("/api/backups").json()
    assert (shown["state"], shown["saved"]) == ("unknown", "2026-11-30T11:31:00Z")
    assert "host" not in shown and "tars_backup_kept 87.0" in generate_latest(metrics.registry).decode()
