# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic prints and returns beside the usual: lines to skip, results that are absent, errors that pass through."""

from __future__ import annotations

import os
import subprocess

import pytest

from tars_backup import priority, processes, restic
from tars_backup.errors import BackupError, DestinationError, LockedError, VerificationError, WrongKeyError
from tars_backup.state import State

from .desktop import Desktop
from .test_proof import wrap

pytestmark = pytest.mark.integration

STATUS = """echo '{"message_type":"status"}'"""


def test_lines_about_the_progress_are_skipped(bare: Desktop) -> None:
    real = wrap(bare, "init", before=STATUS)
    assert bare.init()
    bare.write_settings(restic=real)
    (bare.documents / "bill.txt").write_text("The bill of March is 42 euros.\n")
    wrap(bare, "backup", before=STATUS)
    assert bare.run().changed


def test_a_result_that_restic_does_not_print_is_an_error(bare: Desktop) -> None:
    real = wrap(bare, "init", before=STATUS, run=False)
    with pytest.raises(BackupError, match="restic init: found no id in its output"):
        bare.init()
    bare.write_settings(restic=real)
    bare.init()
    real = wrap(bare, "backup", before=STATUS, run=False)
    with pytest.raises(BackupError, match="restic backup: found no snapshot in its output"):
        bare.run()
    bare.write_settings(restic=real)
    for answer in ("[]", '[{"id": "beef"}]', '[{"id": "beef", "current": true}]'):
        wrap(bare, "key list", before=f"echo '{answer}'", run=False)
        with pytest.raises(BackupError, match="restic key list: found no current key"):
            bare.restic.key_name()
        bare.write_settings(restic=real)


@pytest.mark.parametrize(
    ("status", "kind"), [(11, LockedError), (12, WrongKeyError), (1, DestinationError)], ids=["locked", "key", "share"]
)
def test_a_check_that_cannot_be_made_is_not_a_damaged_repository(
    desktop: Desktop, status: int, kind: type[BackupError]
) -> None:
    real = wrap(desktop, "check", before=f"echo stale file handle >&2; exit {status}", run=False)
    with pytest.raises(kind) as caught:
        desktop.restic.check(deadline_s=60)
    assert type(caught.value) is kind
    desktop.write_settings(restic=real)
    wrap(desktop, "cat lock", before=f"echo stale file handle >&2; exit {status}", run=False)
    if kind is not LockedError:
        with pytest.raises(kind):
            desktop.restic.lock("abc")


@pytest.mark.parametrize("command", ["/manifest.json", "--archive"])
def test_a_share_that_fails_for_one_file_is_a_failed_verification(desktop: Desktop, command: str) -> None:
    made = desktop.run()
    real = wrap(desktop, command, before="echo stale file handle >&2; exit 1", run=False)
    with pytest.raises(VerificationError, match="stale file handle"):
        desktop.verify()
    desktop.write_settings(restic=real)
    wrap(desktop, "--archive", before="head -c 600 /dev/zero | tr '\\0' x", run=False)
    with pytest.raises(VerificationError, match=f"{made.id}: "):
        desktop.verify()
    desktop.write_settings(restic=real)
    wrap(desktop, "check", before="echo tree is damaged >&2; exit 1", run=False)
    with pytest.raises(VerificationError, match="tree is damaged"):
        desktop.verify()
    desktop.write_settings(restic=real)
    wrap(desktop, "check", before="echo locked >&2; exit 11", run=False)
    with pytest.raises(LockedError):
        desktop.verify()
    desktop.write_settings(restic=real)
    assert desktop.verify().backups == (made.id,)


def test_a_slow_restic_whose_share_answers_goes_on(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restic, "PROBE_S", 0.3)
    wrap(desktop, "snapshots", before="sleep 2")
    assert desktop.restic.snapshots() == []


def test_a_run_asks_restic_for_the_snapshots_only_if_there_are_others(desktop: Desktop) -> None:
    """restic derives the key, which takes half a second, for each of its answers."""
    calls = desktop.folder / "calls"
    real = wrap(desktop, "snapshots", before=f"echo >>{calls}")
    first = desktop.run()
    assert not calls.exists(), "there are none"
    for _ in range(3):
        assert not desktop.run().changed
    assert calls.read_text() == "\n"
    assert desktop.listing().backups[0].id == first.id and calls.read_text() == "\n" * 2, "other commands ask"
    state = State(desktop.configuration.state)
    for entry in ({"from": "another version"}, {"tags": [], "from": "another version"}):
        state.write("snapshots", {**state.read("snapshots"), "snapshots": [entry]})
        assert not desktop.run().changed
    assert calls.read_text() == "\n" * 4
    words = [real, "-r", desktop.repository, "-p", desktop.folder / "key", "backup", desktop.documents]
    subprocess.run(list(map(str, words)), check=True, capture_output=True, timeout=60)
    assert any("foreign snapshot" in warning for warning in desktop.run().warnings)
    (desktop.documents / "new.txt").write_text("The bill of April is 43 euros.\n")
    second = desktop.run()
    [snapshot] = [snapshot.id for snapshot in desktop.restic.snapshots() if snapshot.backup == first.id]
    (desktop.repository / "snapshots" / snapshot).chmod(0o600)
    (desktop.repository / "snapshots" / snapshot).unlink()
    with pytest.raises(VerificationError, match=f"{first.id} is missing"):
        desktop.run()
    assert [mark.id for mark in desktop.listing().backups] == [second.id]


def test_a_snapshot_that_is_added_while_restic_answers_is_not_remembered_with_those_before(desktop: Desktop) -> None:
    desktop.run()
    added = desktop.folder / "added"
    words = f"{desktop.settings['restic']} -r $repository -p {desktop.folder}/key backup {desktop.documents}"
    wrap(desktop, "snapshots", before=f"test -e {added} || {{ touch {added}; {words} >/dev/null; }}")
    state = State(desktop.configuration.state)
    assert not desktop.run().changed and added.exists() and state.read("snapshots") == {}
    assert not desktop.run().changed and len(state.read("snapshots")["names"]) == 2


def test_restic_leaves_processors_to_others_in_a_run_of_the_timer(desktop: Desktop) -> None:
    number = desktop.folder / "number"
    wrap(desktop, "snapshots", before=f'echo "$GOMAXPROCS" >{number}')

    def ask_with_low_priority() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        desktop.restic.snapshots()

    # With the lowest priority it waits for every other program, also for other tests.
    processes.isolated(ask_with_low_priority, subject="a run of the timer", deadline_s=900)
    assert number.read_text() == f"{priority.processors()}\n"
    desktop.restic.snapshots()
    assert number.read_text() == "\n"


def test_marks_alone_are_a_failed_verification(desktop: Desktop) -> None:
    desktop.configuration.good.mkdir()
    (desktop.configuration.good / "damaged.json").write_text("{")
    with pytest.raises(VerificationError, match=r"good/damaged\.json: not a valid mark"):
        desktop.verify()
