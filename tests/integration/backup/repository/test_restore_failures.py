# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures and kills during a restore: at any step, data and services are as before, or as after it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tars_backup import instants
from tars_backup.components import Component
from tars_backup.components.postgres import Postgres
from tars_backup.components.redis import Redis
from tars_backup.components.staging import Staging
from tars_backup.context import Context
from tars_backup.deadline import Deadline
from tars_backup.errors import BackupError, InterruptionError, VerificationError
from tars_backup.restic import Restic
from tars_backup.restoring import checks, database, folders, journal, switch
from tars_backup.services import Scratch, Stack

from .household import Household
from .stack import SERVICES, ProcessServices


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[str], None]) -> Callable[[], int]:
    """Call `action` before the step of this number, from 1, of those that change something; return their counter."""
    steps = 0

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == number:
                action(name)
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, step)

    for name in ("stop", "start", "start_scratch", "stop_scratch"):
        wrap(ProcessServices, name)
    for owner, name in (
        (Path, "rename"),
        (journal, "write"),
        (journal, "clean"),
        (folders, "make"),
        (folders, "flush"),
    ):
        wrap(owner, name)
    return lambda: steps


@pytest.mark.steps
def test_a_failure_at_any_step_leaves_every_byte_in_place(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    home.services.stop(SERVICES, deadline_s=60)
    before = home.contents()

    def fail(name: str) -> None:
        raise OSError(28, f"No space left on device in {name}")

    failures = 0
    while True:
        with monkeypatch.context() as patch:
            at_step(patch, failures + 1, fail)
            try:
                home.restore(parts=("postgres", "redis"))
                break
            except OSError:
                failures += 1
        assert home.contents() == before and home.running() == [] and home.extra() == [], failures
        assert journal.read(home.context()) is None
    assert failures > 15
    assert home.contents() != before


@pytest.mark.steps
def test_a_kill_at_any_step_is_put_right_by_the_next_command(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    home.services.stop(["worker"], deadline_s=60)
    running = home.running()
    kills = 0
    phases = set()
    while killed_at_step(home, monkeypatch, kills + 1):
        kills += 1
        record = journal.read(home.context())
        phases.add(record.phase if record else "")
        if record is None or record.phase == journal.PREPARING:
            assert home.running() == running and home.documents_now == {"boiler", "roof"}, kills
        done = home.run().warnings[0] if record and kills % 4 == 0 else journal.recover(home.context())
        home.wait()
        assert home.running() == running and journal.read(home.context()) is None, kills
        assert not [name for name in home.extra() if ".before-" not in name], kills
        if home.documents_now == {"boiler"}:  # finished: the killed restore had begun to check the new data
            assert record and record.phase == journal.CHECKING and "is complete" in done
            time.sleep(1.1)
            home.roll_back()
            home.wait()
        assert home.documents_now == {"boiler", "roof"} and home.queue.get("task") == b"read the roof", kills
        for path in home.data.glob("*.before-*"):
            shutil.rmtree(path)
    assert phases >= {journal.PREPARING, journal.SWITCHING, journal.CHECKING} and kills > 15
    assert home.documents_now == {"boiler"}


def killed_at_step(home: Household, monkeypatch: pytest.MonkeyPatch, number: int) -> bool:
    """Restore the first backup in a process that is killed at a step; return whether it came to that."""
    first = home.listing().backups[0].id
    child = os.fork()
    if child == 0:
        status = 1
        try:
            at_step(monkeypatch, number, lambda _name: os.kill(os.getpid(), signal.SIGKILL))
            home.restore(first)
            status = 0
        finally:
            os._exit(status)
    _, result = os.waitpid(child, 0)
    assert result in (0, signal.SIGKILL), result
    return result == signal.SIGKILL


def assert_untouched(home: Household) -> None:
    """Check that the living data and services are those before the restore, and that nothing is left of it."""
    home.wait()
    assert home.documents_now == {"boiler", "roof"} and home.queue.get("task") == b"read the roof"
    assert (home.data / "chroma/vectors").exists()
    assert sorted(home.running()) == sorted(SERVICES) and home.extra() == []
    assert journal.read(home.context()) is None


def test_a_service_that_ends_again_and_again_does_not_run_on_the_restored_data(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_PAUSE_S", 0.01)
    (home.folder / "run/worker.broken").write_text("0")
    with pytest.raises(BackupError, match="worker: found 5 ends in succession"):
        home.restore()
    (home.folder / "run/worker.broken").unlink()
    assert_untouched(home)


def test_a_service_that_is_never_healthy_is_a_failure_at_the_time_limit(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = checks._wait

    def wait_briefly(context: Context, service: str, deadline: Deadline) -> None:
        wait(context, service, Deadline(0.5) if service == "chroma" else deadline)

    monkeypatch.setattr(checks, "_wait", wait_briefly)
    (home.folder / "run/chroma.slow").write_text(str(time.time() + 1000))
    with pytest.raises(BackupError, match="start of chroma: found no time left"):
        home.restore()
    (home.folder / "run/chroma.slow").unlink()
    assert_untouched(home)


def test_rows_that_got_lost_on_the_way_are_noticed(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    original = database.rows
    monkeypatch.setattr(database, "rows", lambda *words: {**original(*words), "documents": 7})
    with pytest.raises(VerificationError, match="restored database: found documents with 7 rows; expected 1"):
        home.restore()
    assert_untouched(home)


def test_a_damaged_repository_is_noticed_before_anything_is_touched(home: Household) -> None:
    packs = sorted((home.repository / "data").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    content = bytearray(packs[-1].read_bytes())
    content[len(content) // 3] ^= 1
    packs[-1].chmod(0o600)
    packs[-1].write_bytes(content)
    with pytest.raises(BackupError):
        home.restore()
    assert_untouched(home)


def test_restored_files_that_differ_from_the_manifest_are_noticed(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Restic.restore

    def restore(self: Restic, snapshot: str, target: Path, *, deadline_s: float) -> None:
        original(self, snapshot, target, deadline_s=deadline_s)
        with (target / "postgres/tables/documents.copy").open("ab") as file:
            file.write(b"x")

    monkeypatch.setattr(Restic, "restore", restore)
    with pytest.raises(VerificationError, match="postgres: files that differ from the manifest"):
        home.restore()
    assert_untouched(home)


class CutRedis(Redis):
    """Saves a dump that is cut short, and does not notice it."""

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        whole = Staging(staging.folder)
        super().stage(context, whole)
        staging.write("dump.rdb", (staging.folder / "dump.rdb").read_bytes()[:-12])
        return {"bytes": staging.size}

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        return []


def test_a_truncated_queue_is_refused_before_anything_is_touched(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    components: Sequence[Component] = (Postgres(), CutRedis())
    monkeypatch.setattr(Household, "components", components)
    home.execute("INSERT INTO documents (name) VALUES ('cellar'); DELETE FROM documents WHERE name = 'boiler'")
    home.run()
    home.execute("DELETE FROM documents WHERE name = 'cellar'; INSERT INTO documents (name) VALUES ('boiler')")
    with pytest.raises(BackupError, match=r"redis/dump\.rdb"):
        home.restore(parts=("postgres", "redis"))
    assert_untouched(home)


def test_an_interrupted_check_that_fails_is_undone(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_PAUSE_S", 0.01)

    class Gone(BaseException):
        """Stands for the end of the process."""

    def vanish(context: Context, record: journal.Journal) -> None:
        raise Gone

    def interrupt() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(journal, "finish", vanish)
            patch.setattr(journal, "undo", vanish)
            with pytest.raises(Gone):
                home.restore()

    interrupt()
    (home.folder / "run/app.broken").write_text("0")
    assert "was undone" in journal.recover(home.context())
    (home.folder / "run/app.broken").unlink()
    assert_untouched(home)
    assert killed_at_step(home, monkeypatch, 6)
    assert "was undone" in journal.recover(home.context())
    assert_untouched(home)
    interrupt()
    assert "is complete" in journal.recover(home.context())
    home.wait()
    assert home.documents_now == {"boiler"}


def test_kept_folders_are_removed_by_a_backup_after_their_time(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.restore()
    home.run()
    assert len(home.extra()) == 3
    (home.data / "postgres.before-2026").mkdir()
    later = instants.now() + switch.KEPT + timedelta(seconds=1)
    assert len(switch.remove_expired(folders.replaceable(home.context().contract), later)) == 3
    assert home.extra() == ["postgres.before-2026"], "a folder of another kind of name stays"


def test_a_way_back_that_fails_is_tried_again_by_the_next_command(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: ProcessServices, services: Sequence[str], *, deadline_s: float) -> None:
        raise BackupError("docker", found="no answer", expected="an answer")

    with monkeypatch.context() as patch:
        patch.setattr(ProcessServices, "start", refuse)
        with pytest.raises(BackupError, match=r"docker: found no answer.*then, on the way back: docker: found no"):
            home.restore()
    assert home.running() == []
    assert "was undone" in home.run().warnings[0]
    assert_untouched(home)


def test_an_interruption_ends_what_waits_for_a_database(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second database has not started, or the living one is compared, when the signal comes."""

    def interrupted(*_: object, **__: object) -> None:
        raise InterruptionError("run", found="signal SIGTERM", expected="no interruption")

    for name, preview in (("rows", True), ("identity", False)):
        with monkeypatch.context() as patch:
            patch.setattr(database, name, interrupted)
            with pytest.raises(InterruptionError):
                home.restore(preview=preview)
    assert_untouched(home)
    original = ProcessServices.start_scratch

    def start(self: ProcessServices, service: str, scratch: Scratch) -> Stack:
        started = original(self, service, scratch)
        self.stop_scratch(service, deadline_s=60)
        return started

    monkeypatch.setattr(ProcessServices, "start_scratch", start)
    with pytest.raises(BackupError, match=r"(?s)empty database: found .*expected a server that starts"):
        home.restore()
    assert_untouched(home)


def test_a_component_of_a_backup_that_this_program_does_not_know(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer program made the backup: its files are compared with the manifest."""
    monkeypatch.setattr(Household, "components", (Postgres(),))
    assert home.restore().changed and home.documents_now == {"boiler"}
