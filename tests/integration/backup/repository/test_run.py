# SPDX-License-Identifier: GPL-3.0-or-later
"""A run makes one proven snapshot of what changed, heals what an earlier one left, and is refused at a wrong place."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tars_backup import instants, manifest, program_lock
from tars_backup.actions.key import read_key, try_sheet
from tars_backup.actions.run import run
from tars_backup.actions.show import show
from tars_backup.actions.status import status
from tars_backup.components import Component
from tars_backup.components.staging import Staging
from tars_backup.context import Context
from tars_backup.errors import (
    BackupError,
    BackupNotFoundError,
    DestinationError,
    LockedError,
    RepositoryAbsentError,
    VerificationError,
    WrongKeyError,
)
from tars_backup.repository import marks
from tars_backup.repository.sheet import parse
from tars_backup.state import State

from .desktop import PASSWORD, Copied, Desktop
from .namespace import ENVIRONMENT
from .quick_key import replace_key

pytestmark = pytest.mark.integration


def test_backup_list_show_verify(desktop: Desktop) -> None:
    made = desktop.run()
    assert (made.changed, made.files, made.code) == (True, 2, 0)
    listing = desktop.listing()
    assert [mark.id for mark in listing.backups] == [made.id]
    assert not (listing.unfinished or listing.foreign or listing.missing or listing.problems)
    assert desktop.verify(data=True).backups == (made.id,)
    # The same bytes, read with restic alone: the digest of its manifest is the one of the mark.
    dumped = subprocess.run(
        [
            desktop.settings["restic"],
            "-r",
            desktop.repository,
            "-p",
            desktop.folder / "key",
            "dump",
            "latest",
            "/manifest.json",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    assert hashlib.sha256(dumped).hexdigest() == listing.backups[0].manifest
    assert json.loads(dumped)["components"]["files"]["counts"] == {"files": 1}


def test_unchanged_run_makes_no_snapshot_and_refreshes_last_good(desktop: Desktop) -> None:
    first = desktop.run()
    State(desktop.configuration.state).write(
        "last_good", {**State(desktop.configuration.state).read("last_good"), "confirmed_at": "2020-01-01T00:00:00Z"}
    )
    second = desktop.run()
    assert (second.changed, second.id, second.added) == (False, first.id, 0)
    assert len(desktop.restic.snapshots()) == 1
    assert (desktop.listing().last_good or "") > "2020-01-01T00:00:00Z"
    (desktop.documents / "bill.txt").write_text("The bill of March is 43 euros.\n")
    assert desktop.run(dry_run=True).code == 3
    assert len(desktop.restic.snapshots()) == 1
    third = desktop.run()
    assert third.changed
    assert [mark.id for mark in desktop.listing().backups] == [first.id, third.id]
    living = json.loads(desktop.restic.dump(desktop.restic.snapshots()[-1].id, manifest.NAME))["living"]
    assert [entry["id"] for entry in living] == [first.id]


def test_backups_in_quick_succession_have_an_order(desktop: Desktop) -> None:
    names = []
    for number in range(3):
        (desktop.documents / "new").write_text(str(number))
        names.append(desktop.run().id)
    assert [mark.id for mark in desktop.listing().backups] == names
    assert len({mark.made_at for mark in desktop.listing().backups}) == 3


def test_backup_in_the_second_of_another_one_waits_for_the_next(
    desktop: Desktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desktop.run()
    now = first.made_at

    def sleep(seconds: float) -> None:
        nonlocal now
        now += timedelta(seconds=1)

    monkeypatch.setattr(instants, "now", lambda: now)
    monkeypatch.setattr("tars_backup.actions.run.time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    assert not desktop.run().changed and now == first.made_at, "one that makes no backup waits for nothing"
    (desktop.documents / "new").write_text("new")
    assert desktop.run().made_at == first.made_at + timedelta(seconds=1)


def test_derived_component_alone_makes_no_backup(desktop: Desktop) -> None:
    queue = desktop.folder / "queue"
    queue.mkdir()
    (queue / "dump").write_text("1")
    components = [*desktop.components, Copied(queue, "queue", derived=True)]
    first = run(desktop.configuration, components, desktop.context, dry_run=False)
    (queue / "dump").write_text("2")
    assert run(desktop.configuration, components, desktop.context, dry_run=False).id == first.id
    (desktop.documents / "new").write_text("3")
    assert run(desktop.configuration, components, desktop.context, dry_run=False).changed


@dataclasses.dataclass(frozen=True)
class Meddling:
    """A component that changes staged files: its `own`, or those of the one before it after their check."""

    script: str
    own: bool = False
    name: str = "meddling"
    derived: bool = False

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Run the script in the staging folder, if it is about own files."""
        if self.own:
            subprocess.run(["sh", "-ec", self.script], cwd=staging.folder.parent, check=True)
        return {}

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Run the script in the staging folder, if it is about files of another one; report nothing."""
        if not self.own:
            subprocess.run(["sh", "-ec", self.script], cwd=folder.parent, check=True)
        return []


def assert_nothing_listed(desktop: Desktop) -> None:
    assert desktop.listing().backups == ()


@pytest.mark.parametrize(
    "script",
    [
        "rm files/bill.txt",
        "rm -r files",
        "echo more >files/other",
        "echo x >>files/bill.txt",
    ],
)
def test_staged_files_that_change_before_restic_reads_them(desktop: Desktop, script: str) -> None:
    components = [*desktop.components, Meddling(script)]
    with pytest.raises(BackupError, match="in the snapshot; expected 2 files"):
        run(desktop.configuration, components, desktop.context, dry_run=False)
    assert_nothing_listed(desktop)
    listing = desktop.listing()
    assert len(listing.unfinished) == 1
    assert listing.last_run["ok"] is False
    # The next run is good, and prune removes what the failed one left.
    made = desktop.run()
    assert [mark.id for mark in desktop.listing().backups] == [made.id]
    assert desktop.listing().unfinished == ()


@pytest.mark.parametrize(
    "script",
    [
        "printf X | dd of=files/bill.txt conv=notrunc status=none",
        "cp -p files/bill.txt copy; printf X | dd of=copy conv=notrunc status=none;"
        " touch -r files/bill.txt copy; mv copy files/bill.txt",
        "printf X | dd of=files/bill.txt conv=notrunc status=none; touch -d @1 files/bill.txt",
        "ln -s /etc/passwd files/link",
    ],
    ids=["written", "replaced", "dated back", "link added"],
)
def test_staged_files_that_change_without_a_change_of_their_number_and_size(desktop: Desktop, script: str) -> None:
    """restic saves something else than what the manifest has the digest of."""
    with pytest.raises(BackupError, match=r"files that changed during the run: .*/files/(bill\.txt|link);"):
        run(desktop.configuration, [*desktop.components, Meddling(script)], desktop.context, dry_run=False)
    assert_nothing_listed(desktop)
    made = desktop.run()
    assert desktop.verify().backups == (made.id,)


def test_unreadable_staged_file(desktop: Desktop, tmp_path: Path) -> None:
    """restic makes a snapshot all the same and ends with 3; the run fails, and the snapshot is not listed."""
    restic = tmp_path / "unprivileged" / "restic"
    restic.parent.mkdir()
    drop = "--bounding-set -dac_override,-dac_read_search --inh-caps -dac_override,-dac_read_search"
    restic.write_text(f'#!/bin/sh\nexec setpriv {drop} {desktop.settings["restic"]} "$@"\n')
    restic.chmod(0o755)
    whole = desktop.settings["restic"]
    desktop.write_settings(restic=str(restic))
    components = [*desktop.components, Meddling("chmod 000 files/bill.txt")]
    with pytest.raises(BackupError, match=r"exit status 3: .*bill.txt.*permission denied"):
        run(desktop.configuration, components, desktop.context, dry_run=False)
    assert_nothing_listed(desktop)
    assert len(desktop.listing().unfinished) == 1
    desktop.write_settings(restic=whole)
    made = desktop.run()
    assert [mark.id for mark in desktop.listing().backups] == [made.id]
    assert desktop.listing().unfinished == ()


def test_every_failing_component_is_named(desktop: Desktop) -> None:
    @dataclasses.dataclass(frozen=True)
    class Failing(Copied):
        def stage(self, context: Context, staging: Staging) -> dict[str, int]:
            raise BackupError(self.name, found="no answer", expected="a dump")

        def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
            raise AssertionError("not reached")

    components: list[Component] = [
        Failing(desktop.documents, "one"),
        Copied(desktop.documents, "two"),
        Failing(desktop.documents, "three"),
    ]
    with pytest.raises(BackupError, match=r"one: found no answer.*three: found no answer"):
        run(desktop.configuration, components, desktop.context, dry_run=False)
    assert desktop.restic.snapshots() == []

    @dataclasses.dataclass(frozen=True)
    class Wrong(Copied):
        def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
            return ["half of it"]

    with pytest.raises(BackupError, match="found half of it"):
        run(desktop.configuration, [Wrong(desktop.documents)], desktop.context, dry_run=False)

    @dataclasses.dataclass(frozen=True)
    class Full(Copied):
        def stage(self, context: Context, staging: Staging) -> dict[str, int]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(staging.folder))

    with pytest.raises(BackupError, match="staging/files: found No space left on device; expected a staged file"):
        run(desktop.configuration, [Full(desktop.documents)], desktop.context, dry_run=False)
    assert desktop.restic.snapshots() == []


def test_litter_in_the_staging_folder(desktop: Desktop) -> None:
    """What a killed run can leave: temporary files, pipes, links, folders of components that are no more."""
    staging = desktop.configuration.staging
    (staging / "removed-component/deep").mkdir(parents=True)
    (staging / "removed-component/deep/file").write_text("x")
    os.mkfifo(staging / "pipe")
    (staging / "link").symlink_to("/etc")
    (staging / ".manifest.json.new").write_text("half")
    (staging / manifest.NAME).write_text("old")
    state = desktop.configuration.state
    state.mkdir(parents=True)
    (state / "lock").write_bytes(b"\xff not an owner")
    for name in ("last_good", "share", "attempts", "verified", "pruned", "run", "locks", "repository"):
        (state / f"{name}.json").write_text('{"half')
        (state / f".{name}.json.new").write_text("x")
    made = desktop.run()
    assert (made.files, desktop.verify().backups) == (2, (made.id,))


def test_what_a_component_did_not_stage_is_removed(desktop: Desktop) -> None:
    script = "ln -s /etc/passwd meddling/link; mkfifo meddling/pipe; echo x >meddling/file"
    run(desktop.configuration, [*desktop.components, Meddling(script, own=True)], desktop.context, dry_run=False)
    assert list((desktop.configuration.staging / "meddling").iterdir()) == []
    assert desktop.verify().backups


def test_unchanged_component_is_not_checked_again(desktop: Desktop) -> None:
    """The check of the newest backup holds for equal files with equal counts."""
    passed: list[str] = []

    @dataclasses.dataclass(frozen=True)
    class Counted(Copied):
        def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
            passed.append(self.name)
            return super().check(folder, counts)

    other = desktop.folder / "other"
    other.mkdir()
    components = [Counted(desktop.documents), Counted(other, "other")]

    def make() -> list[str]:
        passed.clear()
        run(desktop.configuration, components, desktop.context, dry_run=False)
        return passed

    assert make() == ["files", "other"]
    assert make() == []
    (other / "new").write_text("new")
    assert make() == ["other"]


def test_desktop_with_another_name_has_one_history(desktop: Desktop) -> None:
    """Backups of a renamed or replaced desktop follow those before; unchanged files are recognized."""
    first = desktop.run()
    desktop.write_settings(host="replacement")
    shutil.rmtree(desktop.configuration.state)
    (desktop.documents / "new.txt").write_text("new")
    command = [sys.executable, "-m", f"{__package__}.driver", str(desktop.folder), "run"]
    renamed = ["unshare", "--uts", "sh", "-c", 'hostname replacement; exec "$@"', "sh", *command]
    subprocess.run(renamed, env=ENVIRONMENT, check=True, capture_output=True, timeout=60)
    listing = desktop.listing()
    assert (len(listing.backups), listing.backups[0].id, listing.foreign) == (2, first.id, ())
    snapshots = json.loads(desktop.stock_restic("snapshots", "--json").stdout)
    assert [snapshot["hostname"] for snapshot in snapshots] == ["tars", "tars"]
    assert snapshots[1]["summary"]["files_unmodified"] == 1


def test_run_from_a_timer_equals_one_from_a_shell(desktop: Desktop) -> None:
    """No variable changes what is saved or where, and the cache is used in both."""
    command = [sys.executable, "-m", f"{__package__}.driver", str(desktop.folder), "run"]
    misleading = {
        "RESTIC_REPOSITORY": "/nonexistent",
        "RESTIC_PASSWORD": "wrong",
        "RESTIC_CACHE_DIR": str(desktop.folder / "misled"),
        "RESTIC_COMPRESSION": "off",
        "TZ": "Pacific/Auckland",
        "LC_ALL": "tr_TR.UTF-8",
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    }
    for extra in ({}, misleading):
        (desktop.documents / "new.txt").write_text(str(extra))
        done = subprocess.run(command, env={**ENVIRONMENT, **extra}, check=True, capture_output=True, timeout=60)
        outcome = json.loads(done.stdout)
        assert outcome["code"] == 0, outcome
        assert outcome["result"]["changed"]
    times = [snapshot.time for snapshot in desktop.restic.snapshots()]
    dates = [instants.to_text(mark.made_at) for mark in desktop.listing().backups]
    assert times == dates
    cache = desktop.configuration.cache / str(desktop.settings["repository_id"])
    assert len(list((cache / "snapshots").rglob("*"))) >= 2
    assert not (desktop.folder / "misled").exists()


def test_second_run_at_the_same_time(desktop: Desktop) -> None:
    with program_lock.held(desktop.configuration.state, "restore"):
        with pytest.raises(LockedError, match=rf"running: restore, process {os.getpid()}, since 20"):
            desktop.run()
        # Reading needs no lock.
        assert desktop.listing().backups == ()
    assert desktop.run().changed


@pytest.mark.parametrize("runs", [0, 1])
def test_wrong_key(desktop: Desktop, runs: int) -> None:
    for _ in range(runs):
        desktop.run()
    (desktop.folder / "key").write_text("another key\n")
    with pytest.raises(WrongKeyError):
        desktop.run()
    with pytest.raises(WrongKeyError):
        desktop.listing()


def test_emptied_share_is_never_made_into_a_new_repository(desktop: Desktop) -> None:
    desktop.run()
    shutil.rmtree(desktop.repository)
    for verb in (desktop.run, desktop.listing, desktop.verify, desktop.prune):
        with pytest.raises(RepositoryAbsentError, match="no repository; expected the repository"):
            verb()
    with pytest.raises(RepositoryAbsentError):
        desktop.init()
    assert not desktop.repository.exists()


def test_new_history_is_begun_by_an_explicit_command_and_shown(desktop: Desktop) -> None:
    """A person removes the recorded id: the next backups are good at once, and the page shows that others ended."""
    first = desktop.run()
    State(desktop.configuration.state).write("verified", {"at": "2026-01-01T00:00:00Z", "problems": ["a lost pack"]})
    shutil.rmtree(desktop.share)
    desktop.share.mkdir()
    desktop.write_settings(repository_id=None)
    desktop.init()
    replace_key(desktop.repository, PASSWORD, desktop.stock_restic("cat", "masterkey").stdout.encode())
    made = desktop.run()
    listing = desktop.listing()
    assert [mark.id for mark in listing.backups] == [made.id] != [first.id]
    assert not (listing.missing or made.warnings)
    shown = status(desktop.configuration)
    (problem,) = shown.status["problems"]
    assert (problem["kind"], problem["urgent"], shown.attention) == ("history", False, False)
    assert not desktop.run().changed
    assert len(status(desktop.configuration).status["problems"]) == 1
    key = read_key(desktop.configuration)
    sheet = parse(json.dumps({"password": PASSWORD, "config": key.config, "key": key.key}))
    try_sheet(desktop.configuration, sheet, repair=False)
    assert status(desktop.configuration).status["problems"] == []


def test_another_repository_at_the_place(desktop: Desktop) -> None:
    desktop.write_settings(repository_id="0" * 64)
    with pytest.raises(RepositoryAbsentError, match="expected the recorded repository 000"):
        desktop.run()
    with pytest.raises(RepositoryAbsentError, match="expected the recorded repository 000"):
        desktop.init()


def test_repository_without_a_recorded_id(desktop: Desktop) -> None:
    desktop.write_settings(repository_id=None)
    with pytest.raises(RepositoryAbsentError, match="no recorded repository id"):
        desktop.run()
    assert desktop.listing().backups == ()


def test_absent_program_and_contract(desktop: Desktop) -> None:
    desktop.write_settings(restic="/nonexistent/restic")
    with pytest.raises(BackupError, match="/nonexistent/restic"):
        desktop.run()
    (desktop.folder / "contract.json").unlink()
    with pytest.raises(BackupError, match=r"contract\.json"):
        desktop.run()
    assert "contract.json" in State(desktop.configuration.state).read("run")["message"]


def test_resolution_by_id_and_time(desktop: Desktop) -> None:
    made = desktop.run()
    configuration = desktop.configuration
    for name in ("latest", made.id, made.id[:15], instants.to_text(made.made_at), "2099-01-01"):
        assert show(configuration, name).id == made.id
    for name in ("1999-01-01T00:00:00Z", "nonsense"):
        with pytest.raises(BackupNotFoundError, match="no good backup"):
            show(configuration, name)
    shown = show(configuration, "latest")
    assert shown.components["files"].counts == {"files": 1}
    assert shown.versions["restic"].startswith("0.")
    assert any("files: 1 files, 31 bytes, 1 files" in line for line in shown.lines())


def test_mark_that_differs_from_the_manifest(desktop: Desktop) -> None:
    made = desktop.run()
    known, _ = marks.read(desktop.configuration.good)
    marks.write(desktop.configuration.good, dataclasses.replace(known[made.id], manifest="0" * 64))
    with pytest.raises(VerificationError, match=r"a manifest with SHA-256"):
        desktop.verify()


def test_share_that_is_too_full(desktop: Desktop) -> None:
    desktop.write_settings(free_mib=1 << 30)
    with pytest.raises(DestinationError, match=r"MiB free; expected at least 1073741824 MiB"):
        desktop.run()
    assert desktop.listing().backups == ()
