# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that every command leaves for the page and the metrics, also a command that fails."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tars_app.backups.metrics import BackupCollector
from tars_app.backups.service import backups
from tars_backup import cli, instants
from tars_backup.actions.run import run
from tars_backup.actions.status import status
from tars_backup.errors import BackupError
from tars_backup.state import State
from tars_backup.watching import condition

from ..desktop import PASSWORD, Desktop

pytestmark = pytest.mark.integration


def published(desktop: Desktop) -> dict[str, Any]:
    """Return the state that the application reads."""
    document: dict[str, Any] = json.loads((desktop.configuration.status / condition.NAME).read_text())
    return document


def call(desktop: Desktop, *words: str) -> int:
    """Run the command line."""
    return cli.main([*words, "--configuration", str(desktop.file)])


def test_state_after_a_run(desktop: Desktop, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(desktop, "status") == 0
    assert "last good backup: never" in capsys.readouterr().out
    made = desktop.run()
    assert call(desktop, "list") == 0
    state = published(desktop)
    assert state["last_good"] == {
        "id": made.id,
        "made_at": instants.to_text(made.made_at),
        "confirmed_at": instants.to_text(made.made_at),
    }
    assert (state["last_run"]["ok"], state["kept"]["count"], state["kept"]["missing"]) == (True, 1, 0)
    assert (state["drill"], state["sheet"], state["verified"], state["problems"]) == (None, None, None, [])
    assert state["read_back"]["ok"] and 0 < state["space"]["free_mib"] <= state["space"]["total_mib"]
    # On the share, for other computers.
    beside = json.loads((desktop.share / condition.LAST_GOOD).read_text())
    assert (beside["backup"], beside["last_good"]) == (made.id, state["last_good"]["confirmed_at"])
    desktop.verify()
    State(desktop.configuration.state).write("drill", {"at": "2026-11-03T10:00:00Z", "ok": True, "backup": made.id})
    capsys.readouterr()
    assert call(desktop, "show") == 0
    state = published(desktop)
    assert state["verified"]["ok"] and state["drill"]["backup"] == made.id
    assert PASSWORD not in json.dumps(state)


def test_readers_need_no_rights(desktop: Desktop) -> None:
    """The unit of the timer has umask 077; the application runs under an account of its own."""
    mask = os.umask(0o077)
    try:
        assert call(desktop, "status") == 0
    finally:
        os.umask(mask)
    folder = desktop.configuration.status
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / condition.NAME).stat().st_mode) == 0o644
    assert [path.name for path in folder.iterdir()] == [condition.NAME]


def _wrong_key(desktop: Desktop) -> None:
    (desktop.folder / "key").write_text("another key\n")


def _no_repository(desktop: Desktop) -> None:
    shutil.rmtree(desktop.repository)


def _full_share(desktop: Desktop) -> None:
    desktop.write_settings(free_mib=1 << 30)


def _damaged_pack(desktop: Desktop) -> None:
    for pack in (desktop.repository / "data").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            content = pack.read_bytes()
            pack.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    State(desktop.configuration.state).write("share", {})
    (desktop.documents / "more").write_text("something new")


def _no_contract(desktop: Desktop) -> None:
    (desktop.folder / "contract.json").unlink()


def _foreign_lock(desktop: Desktop) -> None:
    (desktop.repository / "locks" / hashlib.sha256(b"garbage").hexdigest()).write_bytes(b"garbage")


@pytest.mark.parametrize(
    ("spoil", "code", "sentence"),
    [
        (_foreign_lock, 11, "a lock blocks the repository"),
        (_wrong_key, 12, "the key does not open the repository"),
        (_no_repository, 10, "the share holds no repository, or another one"),
        (_full_share, 20, "the share of the NAS cannot be used, or is full"),
        (_damaged_pack, None, ""),
        (_no_contract, 1, ""),
    ],
)
def test_every_failure_is_shown_until_a_run_succeeds(
    desktop: Desktop,
    spoil: Callable[[Desktop], None],
    code: int | None,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code, JSON and state agree; what was known stays known; no text of a program reaches the page."""
    good = desktop.run()
    spoil(desktop)
    for _ in range(2):
        with pytest.raises(BackupError) as failure:
            desktop.run()
    if code is not None:
        assert failure.value.code == code
    assert call(desktop, "status", "--json") == 4
    shown = json.loads(capsys.readouterr().out)
    state = published(desktop)
    assert shown["attention"] and shown["last_error"] == str(failure.value)
    assert shown["status"]["problems"] == state["problems"]
    assert state["last_run"]["code"] == failure.value.code and not state["last_run"]["ok"]
    assert state["last_good"]["id"] == good.id and state["kept"]["count"] == 1
    problem = next(problem for problem in state["problems"] if problem["kind"] == "run")
    assert sentence in problem["message"] and problem["urgent"]
    # The application reads the same.
    kinds = [entry["kind"] for entry in state["problems"]]
    file = desktop.configuration.status / condition.NAME
    assert [shown.kind for shown in backups(file, instants.now()).problems if shown.urgent] == kinds
    registry = CollectorRegistry()
    registry.register(BackupCollector(file))
    assert registry.get_sample_value("tars_backup_last_run_success") == 0
    assert str(failure.value) not in json.dumps(state) and str(desktop.folder) not in json.dumps(state)


def test_good_run_ends_the_problem(desktop: Desktop) -> None:
    _wrong_key(desktop)
    with pytest.raises(BackupError):
        desktop.run()
    assert status(desktop.configuration).attention
    (desktop.folder / "key").write_text(f"{PASSWORD}\n")
    desktop.run()
    assert not status(desktop.configuration).attention
    assert State(desktop.configuration.state).read("run")["failures"] == 0


def test_deleted_snapshot_is_reported_though_pruning_is_refused(desktop: Desktop) -> None:
    desktop.run()
    (desktop.documents / "more").write_text("more")
    desktop.run()
    snapshot = desktop.restic.snapshots()[0].id
    (desktop.repository / "snapshots" / snapshot).unlink()
    with pytest.raises(BackupError):
        desktop.run()
    kinds = {problem["kind"] for problem in status(desktop.configuration).status["problems"]}
    assert kinds == {"run", "missing"}


def test_share_that_cannot_take_the_time_of_the_last_backup(desktop: Desktop) -> None:
    (desktop.share / condition.LAST_GOOD).mkdir()
    made = desktop.run()
    assert made.changed and any(condition.LAST_GOOD in line for line in made.warnings)


def test_damaged_record_does_not_break_a_command(desktop: Desktop, capsys: pytest.CaptureFixture[str]) -> None:
    desktop.run()
    State(desktop.configuration.state).write("drill", {"ok": False})
    assert call(desktop, "list") == 0
    assert "the state of the backups was not written: KeyError" in capsys.readouterr().err
    assert not (desktop.configuration.status / condition.NAME).exists()


def test_commands_that_end_at_the_same_time(desktop: Desktop) -> None:
    configuration = desktop.configuration
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: condition.publish(configuration), range(80)))
    assert published(desktop) in written


def test_dry_run_records_nothing(desktop: Desktop) -> None:
    run(desktop.configuration, desktop.components, desktop.context, dry_run=True)
    assert State(desktop.configuration.state).read("run") == {}
    assert not (desktop.share / condition.LAST_GOOD).exists()
