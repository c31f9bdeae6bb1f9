# SPDX-License-Identifier: GPL-3.0-or-later
"""A restic or a NAS that loses or changes what it was given: the run fails, and lists nothing."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

import tars_backup.restic
from tars_backup import instants
from tars_backup.errors import BackupError, DestinationError, VerificationError
from tars_backup.repository import marks
from tars_backup.state import State

from .desktop import Desktop

pytestmark = pytest.mark.integration

LARGEST = 'find "$repository/data" -type f -printf "%s %p\\n" | sort -n | tail -1 | cut -d" " -f2'
OVERWRITE = f'printf "other bytes here" | dd of="$({LARGEST})" bs=1 seek=20 conv=notrunc status=none'
"""Overwrite bytes of the largest pack: several, since a single one is the same by chance in one of 256 runs."""


def wrap(desktop: Desktop, command: str, *, before: str = "", after: str = "", run: bool = True) -> str:
    """Put a restic before the real one that runs a script before or after one command; return the real one."""
    real = str(desktop.settings["restic"])
    folder = desktop.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "restic"
    program.write_text(
        f"""#!/bin/sh
repository={desktop.repository}
case " $* " in
*" {command} "*)
    {before or ":"}
    {f'{real} "$@"' if run else ":"}
    status=$?
    {after or ":"}
    exit $status
    ;;
esac
exec {real} "$@"
"""
    )
    program.chmod(0o755)
    desktop.write_settings(restic=str(program))
    return real


def assert_next_run_is_good(desktop: Desktop, real: str) -> None:
    """Check that a run with the real restic makes a backup that can be read, and that nothing is left over."""
    desktop.write_settings(restic=real)
    made = desktop.run()
    listing = desktop.listing()
    assert [mark.id for mark in listing.backups] == [made.id]
    assert not (listing.unfinished or listing.missing)
    assert desktop.verify(data=True).backups == (made.id,)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (OVERWRITE, "SHA-256 of its name"),
        (f'chmod u+w "$({LARGEST})"; printf x >>"$({LARGEST})"', "contains damaged pack files"),
        (f'rm -f "$({LARGEST})"', "contains errors"),
        ('rm -f "$repository"/snapshots/*', r"snapshots/[0-9a-f]{64}: not in the repository"),
    ],
    ids=["other bytes", "longer pack", "lost pack", "lost snapshot"],
)
def test_lost_or_changed_at_once(desktop: Desktop, damage: str, message: str) -> None:
    (desktop.documents / "photo").write_bytes(os.urandom(100_000))
    real = wrap(desktop, "backup", after=damage)
    with pytest.raises(VerificationError, match=message):
        desktop.run()
    listing = desktop.listing()
    assert listing.backups == ()
    assert listing.last_run["code"] == 30
    assert marks.read(desktop.configuration.good) == ({}, [])
    # restic would use the damaged data for the next backup.
    assert_next_run_is_good(desktop, real)


def test_data_of_a_killed_run_is_read_back(desktop: Desktop) -> None:
    """A run was killed after restic had stored the data and before its snapshot; the data is damaged since."""
    (desktop.documents / "photo").write_bytes(os.urandom(100_000))
    real = wrap(desktop, "backup", after=f'rm -f "$repository"/snapshots/*; {OVERWRITE}; kill -9 $$')
    with pytest.raises(BackupError, match="exit status -9"):
        desktop.run()
    desktop.write_settings(restic=real)
    with pytest.raises(VerificationError, match="SHA-256 of its name"):
        desktop.run()
    assert desktop.listing().backups == ()
    assert_next_run_is_good(desktop, real)


def test_other_manifest(desktop: Desktop) -> None:
    real = wrap(desktop, "dump", run=False, after="echo other")
    with pytest.raises(VerificationError, match="its manifest differs from the one that was saved"):
        desktop.run()
    assert_next_run_is_good(desktop, real)


def test_share_that_fails_while_the_manifest_is_read_back(desktop: Desktop) -> None:
    real = wrap(desktop, "dump", run=False, after="echo stale file handle >&2; exit 1")
    with pytest.raises(DestinationError, match="stale file handle"):
        desktop.run()
    assert_next_run_is_good(desktop, real)


def test_restic_without_a_snapshot(desktop: Desktop) -> None:
    real = wrap(desktop, "backup", run=False)
    with pytest.raises(BackupError, match="no snapshot in its output"):
        desktop.run()
    assert_next_run_is_good(desktop, real)


def test_restic_that_is_killed(desktop: Desktop) -> None:
    real = wrap(desktop, "backup", run=False, after="kill -9 $$")
    with pytest.raises(BackupError, match="exit status -9"):
        desktop.run()
    assert_next_run_is_good(desktop, real)


def test_removal_that_did_not_happen(desktop: Desktop) -> None:
    """restic 0.18 ends with 0 if it could not delete a snapshot."""
    desktop.write_settings(retention={"last": 9})
    names = []
    for number in range(4):
        (desktop.documents / "changed").write_text(str(number))
        names.append(desktop.run().id)
    desktop.write_settings(retention={"last": 3})
    real = wrap(desktop, "forget", run=False)
    with pytest.raises(BackupError, match="snapshots that restic could not delete"):
        desktop.prune()
    assert [mark.id for mark in desktop.listing().backups] == names
    desktop.write_settings(restic=real)
    assert desktop.prune().removed == (names[0],)
    assert not desktop.listing().missing


@pytest.mark.parametrize("command", ["prune", pytest.param("forget", marks=pytest.mark.steps)])
def test_failure_while_pruning_is_a_failed_run(desktop: Desktop, command: str) -> None:
    """The backup of the run is good and listed; the alarm is its exit code and the record of the last run."""
    desktop.write_settings(retention={"last": 9})
    for number in range(4):
        (desktop.documents / "changed").write_text(str(number))
        desktop.run()
    State(desktop.configuration.state).write("freed", {"at": "2026-01-01T00:00:00Z"})
    desktop.write_settings(retention={"last": 3})
    real = wrap(desktop, command, run=False, after="echo 'no space left on device' >&2; exit 1")
    (desktop.documents / "changed").write_text("more")
    with pytest.raises(DestinationError, match="no space left on device"):
        desktop.run()
    listing = desktop.listing()
    assert (listing.last_run["ok"], listing.last_run["code"]) == (False, 20)
    assert "last run failed" in "\n".join(listing.lines())
    newest = listing.backups[-1].id
    desktop.write_settings(restic=real)
    made = desktop.run()
    assert (made.id, made.changed) == (newest, False)
    listing = desktop.listing()
    assert len(listing.backups) == 3
    assert listing.last_run["ok"] is True


def test_disk_space_is_freed_a_week_after_the_first_run(desktop: Desktop) -> None:
    """A new repository has nothing to free; a date that this clock has not reached does not put it off."""
    wrap(desktop, "prune", run=False, after="echo called >&2; exit 1")
    desktop.run()
    desktop.run()
    for moment in ("2026-01-01T00:00:00Z", "2199-01-01T00:00:00Z"):
        State(desktop.configuration.state).write("freed", {"at": moment})
        with pytest.raises(BackupError, match="called"):
            desktop.run()


def test_restic_is_asked_for_the_id_of_a_repository_once(desktop: Desktop) -> None:
    """The file config contains it, so only another file needs another answer."""
    desktop.run()
    wrap(desktop, "cat config", run=False, after="echo called >&2; exit 1")
    desktop.run()
    (desktop.repository / "config").chmod(0o600)
    with (desktop.repository / "config").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BackupError, match="called"):
        desktop.run()


def test_lines_for_a_person(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = list(desktop.listing().lines())
    assert empty == ["0 good backups", "last confirmed: never", "last verified: never", "last drill: never"]
    made = desktop.run()
    assert next(iter(made.lines())).startswith(f"made {made.id}: 2 files, ")
    assert list(desktop.run().lines()) == [f"nothing has changed since {made.id}, which is confirmed"]
    assert list(desktop.run(dry_run=True).lines()) == [f"nothing has changed since {made.id}"]
    assert desktop.run(dry_run=True).code == 0
    verified = list(desktop.verify(data=True).lines())
    assert verified[0] == f"{made.id}: every file read back and equal to its manifest"
    assert verified[1].endswith("files of the repository read back and equal to their names")
    monkeypatch.setattr(instants, "now", lambda: made.made_at + timedelta(minutes=5))
    lines = list(desktop.listing().lines())
    assert lines[0].startswith(f"{made.id}  5 min ago")
    assert lines[1:2] == ["1 good backups"]
    (desktop.configuration.good / "notes.json").write_text("{}")
    desktop.stock_restic("backup", "--tag", "photos", str(desktop.documents))
    lines = list(desktop.listing().lines())
    assert "good/notes.json: not a valid mark" in lines
    assert any(line.startswith("foreign snapshot, left alone: ") for line in lines)


def test_file_on_a_bad_sector(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that answers, and one file of which cannot be read: a failed verification, which stops pruning."""
    monkeypatch.setattr(tars_backup.restic, "RETRY_S", 2.0)
    desktop.run()
    index = next((desktop.repository / "index").iterdir())
    content = index.read_bytes()
    index.unlink()
    index.symlink_to("/proc/self/mem")  # reading it returns EIO
    with pytest.raises(VerificationError, match=f"{index.name}: Input/output error"):
        desktop.verify(data=True)
    index.unlink()
    index.write_bytes(content)
    with pytest.raises(VerificationError, match=index.name):
        desktop.prune()
    assert desktop.verify(every=True, data=True).files >= 4
    assert desktop.prune().code == 0
