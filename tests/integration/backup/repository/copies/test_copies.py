# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the repository: what they take over, what they keep, and a lost share that is brought back from one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tars_backup import instants, program_lock
from tars_backup.actions.copies import copy
from tars_backup.actions.init import init
from tars_backup.actions.prune import prune
from tars_backup.actions.verify import verify
from tars_backup.errors import (
    BackupError,
    DestinationError,
    InterruptionError,
    LockedError,
    RepositoryAbsentError,
    UsageError,
    VerificationError,
)
from tars_backup.repository import marks
from tars_backup.restic import Restic
from tars_backup.state import State

from ..desktop import Desktop, mount_of
from ..test_proof import LARGEST, OVERWRITE, wrap
from .pair import NAME, Pair, quiet

pytestmark = pytest.mark.integration


def test_a_copy_takes_over_what_it_lacks(pair: Pair) -> None:
    first, second = pair.change("one"), pair.change("two")
    assert pair.copy(dry_run=True).code == 3
    assert pair.names() == []
    outcome = pair.copy()
    assert (outcome.changed, outcome.copies[0].copied, outcome.copies[0].backups) == (True, (second, first), 2)
    assert pair.names() == [first, second]
    again = pair.copy()
    assert (again.changed, again.code, pair.copy(dry_run=True).code) == (False, 0, 0)
    third = pair.change("three")
    assert pair.copy().copies[0].copied == (third,)
    listing = pair.listing()
    assert [mark.id for mark in listing.backups] == [first, second, third]
    assert not (listing.missing or listing.unfinished or listing.foreign or listing.problems)
    verified = verify(pair.copied, "latest", every=True, data=True, progress=quiet)
    assert verified.backups == (first, second, third)
    record = pair.desktop.listing().copies[NAME]
    assert (record["ok"], record["backups"], record["absent_since"]) == (True, 3, None)


@pytest.mark.disaster
def test_data_is_cut_at_the_same_places(pair: Pair) -> None:
    first, second = pair.desktop.repository, pair.copied.repository
    printed = pair.desktop.stock_restic("cat", "config").stdout, pair.restic("cat", "config")
    assert len({json.loads(text)["chunker_polynomial"] for text in printed}) == 1
    (pair.desktop.documents / "photo").write_bytes(os.urandom(3 << 20))
    pair.desktop.run()
    pair.copy()
    sizes = [sum(path.stat().st_size for path in (place / "data").rglob("*")) for place in (first, second)]
    assert abs(sizes[0] - sizes[1]) < 0.1 * sizes[0]


def test_a_copy_keeps_by_its_own_rules(pair: Pair) -> None:
    pair.configure(retention={"last": 3})
    names = [pair.change(str(number)) for number in range(4)]
    assert pair.copy().copies[0].copied == tuple(reversed(names[1:]))
    names.append(pair.change("more"))
    outcome = pair.copy().copies[0]
    assert (outcome.copied, outcome.removed, outcome.backups) == ((names[4],), (names[1],), 3)
    assert pair.names() == names[2:]
    assert pair.listing().missing == ()
    assert not pair.copy().changed


def test_a_repository_is_created_by_init_alone(desktop: Desktop, tmp_path: Path) -> None:
    pair = Pair(desktop, tmp_path / "attic")
    pair.change("one")
    with pytest.raises(RepositoryAbsentError, match="run the site playbook"):
        pair.copy()
    name = pair.init()
    pair.copy()
    assert init(pair.copied, like=desktop.configuration).repository_id == name
    shutil.rmtree(pair.folder / "repository")
    for attempt in (pair.copy, lambda: init(pair.copied, like=desktop.configuration)):
        with pytest.raises(RepositoryAbsentError, match="remove the id of attic from"):
            attempt()
    assert os.listdir(pair.folder) != [] and not (pair.folder / "repository").exists()
    assert not desktop.listing().copies[NAME]["ok"]


def test_another_repository_and_another_mount_are_refused(pair: Pair) -> None:
    pair.change("one")
    pair.record("0" * 64)
    with pytest.raises(RepositoryAbsentError, match="the recorded repository 0000"):
        pair.copy()
    pair.configure(mount={**mount_of(pair.folder), "source": "10.0.0.9:/volume1/other"})
    with pytest.raises(DestinationError, match="/volume1/other"):
        pair.copy()
    with pytest.raises(UsageError, match="a copy of this desktop: attic"):
        copy(pair.desktop.configuration, "cellar", dry_run=False, progress=quiet)


def test_a_command_waits_for_none(pair: Pair) -> None:
    pair.change("one")
    with program_lock.held(pair.desktop.configuration.state, "run"), pytest.raises(LockedError, match="running: run"):
        pair.copy()


@pytest.mark.parametrize(
    "damage",
    [OVERWRITE, f'rm -f "$({LARGEST})"'],
    ids=["other bytes", "lost pack"],
)
def test_damage_is_not_copied_and_sound_backups_are(pair: Pair, damage: str) -> None:
    sound = pair.change("one")
    (pair.desktop.documents / "photo").write_bytes(os.urandom(300_000))
    damaged = pair.desktop.run().id
    real = wrap(
        pair.desktop, "snapshots", before=f'[ -e "{pair.folder}/done" ] || {{ {damage}; touch "{pair.folder}/done"; }}'
    )
    with pytest.raises(VerificationError, match=damaged):
        pair.copy()
    pair.desktop.write_settings(restic=real)
    assert pair.names() == [sound]
    assert verify(pair.copied, "latest", every=True, data=True, progress=quiet).backups == (sound,)
    assert len(Restic(pair.copied).snapshots()) == 1
    assert not pair.desktop.listing().copies[NAME]["ok"]


def test_a_forged_snapshot_is_not_copied(pair: Pair) -> None:
    """Someone with the key replaced the snapshot of a backup by one with the same tags and the same manifest."""
    name = pair.change("one")
    staging = pair.desktop.configuration.staging
    (staging / "files/letter.txt").write_text("forged")
    pair.desktop.stock_restic("forget", "--tag", f"id={name}", "--keep-last", "0", "--unsafe-allow-remove-all")
    words = ["backup", "--host", "tars", "--tag", "tars", "--tag", f"id={name}", "."]
    environment = {"HOME": str(staging), "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    subprocess.run(pair.desktop.stock(*words), cwd=staging, env=environment, check=True, capture_output=True)
    with pytest.raises(VerificationError, match="differs from the manifest"):
        pair.copy()
    assert Restic(pair.copied).snapshots() == []


def test_what_the_copy_lost_is_read_back_before_it_counts(pair: Pair) -> None:
    (pair.desktop.documents / "photo").write_bytes(os.urandom(300_000))
    name = pair.change("one")
    real = wrap(pair.desktop, "copy", after=f"repository={pair.copied.repository}; {OVERWRITE}")
    with pytest.raises(VerificationError, match="SHA-256 of its name"):
        pair.copy()
    pair.desktop.write_settings(restic=real)
    assert pair.names() == []
    pair.copy()
    assert pair.names() == [name]
    assert verify(pair.copied, "latest", every=True, data=True, progress=quiet).backups == (name,)


@pytest.mark.parametrize(
    ("command", "script", "error", "message"),
    [
        ("copy", 'rm -f "{copy}"/snapshots/*', VerificationError, "{name}: not in the repository"),
        ('"*" dump', "echo no >&2; exit 1", VerificationError, "{name}: restic dump: found exit status 1: no"),
        # The first one is for the list of what was copied.
        (
            '"*" dump',
            'if [ -e "{copy}/listed" ]; then echo stale file handle >&2; exit 1; fi; touch "{copy}/listed"',
            DestinationError,
            "restic dump: found stale file handle",
        ),
    ],
    ids=["lost snapshot", "unreadable manifest", "share that fails"],
)
def test_what_was_copied_is_compared_with_the_mark(
    pair: Pair, command: str, script: str, error: type[BackupError], message: str
) -> None:
    name, place = pair.change("one"), pair.copied.repository
    command = f"{place} {command}" if "dump" in command else command
    real = wrap(pair.desktop, command, after=script.format(copy=place))
    with pytest.raises(error, match=message.format(name=name)):
        pair.copy()
    pair.desktop.write_settings(restic=real)
    assert pair.names() == []
    pair.copy()
    assert pair.names() == [name]


def test_every_copy_is_tried_and_each_that_fails_is_named(pair: Pair) -> None:
    name = pair.change("one")
    sound = pair.desktop.settings["copies"][NAME]
    gone = {**sound, "mount": {**mount_of(pair.folder), "source": "other:/share"}}
    pair.desktop.write_settings(copies={"cellar": gone, NAME: sound, "office": gone})
    with pytest.raises(BackupError, match=r"copies: found .*other:/share.*other:/share.*that are up to date"):
        copy(pair.desktop.configuration, None, dry_run=False, progress=quiet)
    assert pair.names() == [name]
    records = pair.desktop.listing().copies
    assert {name: record["ok"] for name, record in records.items()} == {"cellar": False, NAME: True, "office": False}


def test_an_interruption_ends_all_copies_and_is_no_failure_of_one(pair: Pair) -> None:
    pair.change("one")

    def interrupt(line: str) -> None:
        raise InterruptionError("copy", found="signal SIGTERM", expected="no interruption")

    with pytest.raises(InterruptionError):
        copy(pair.desktop.configuration, None, dry_run=False, progress=interrupt)
    assert not pair.desktop.listing().copies[NAME]
    assert pair.copy().changed


def test_a_copy_that_was_interrupted_is_finished(pair: Pair) -> None:
    name = pair.change("one")
    real = wrap(pair.desktop, "copy", after="kill -9 $$")
    with pytest.raises(BackupError, match="exit status -9"):
        pair.copy()
    pair.desktop.write_settings(restic=real)
    assert (pair.names(), pair.listing().unfinished) == ([], (name,))
    pair.copy()
    assert (pair.names(), pair.listing().unfinished) == ([name], ())
    assert len(Restic(pair.copied).snapshots()) == 1


@pytest.mark.disaster
def test_a_backup_that_the_copy_lost_is_copied_again(pair: Pair) -> None:
    first, second = pair.change("one"), pair.change("two")
    pair.copy()
    snapshot = next(entry.id for entry in Restic(pair.copied).snapshots() if entry.backup == first)
    pair.restic("forget", snapshot)
    assert [mark.id for mark in pair.listing().missing] == [first]
    assert pair.copy().copies[0].copied == (first,)
    assert pair.names() == [first, second]


@pytest.mark.disaster
def test_marks_that_the_copy_lost(pair: Pair) -> None:
    first, second = pair.change("one"), pair.change("two")
    pair.copy()
    shutil.rmtree(pair.copied.good)
    shutil.rmtree(pair.desktop.configuration.state)
    assert (pair.names(), pair.listing().unfinished) == ([], (first, second))
    pair.copy()
    assert pair.names() == [first, second]
    assert set(marks.read(pair.copied.good)[0]) == {first, second}


@pytest.mark.disaster
def test_retention_of_a_copy_with_missing_backups(pair: Pair) -> None:
    pair.configure(retention={"last": 3})
    names = [pair.change(str(number)) for number in range(4)]
    pair.copy()
    Restic(pair.copied).forget([entry.id for entry in Restic(pair.copied).snapshots() if entry.backup == names[1]])
    pair.desktop.write_settings(retention={"last": 3})
    pair.desktop.prune()
    names.append(pair.change("more"))
    pair.desktop.prune()
    with pytest.raises(VerificationError, match=f"{names[1]} is missing"):
        pair.copy()
    prune(pair.copied, dry_run=False, accept_missing=True, progress=quiet)
    assert not pair.copy().changed
    assert pair.names() == names[2:]


def test_a_lost_share_is_brought_back(pair: Pair) -> None:
    first, second = pair.change("one"), pair.change("two")
    pair.copy()
    lost = pair.change("three")
    identity = pair.desktop.restic.repository_id()
    pair.lose_share()
    with pytest.raises(RepositoryAbsentError, match="copy --from NAME"):
        pair.desktop.run()
    assert pair.bring_back(dry_run=True).code == 3
    assert os.listdir(pair.desktop.share) == []

    outcome = pair.bring_back()

    assert (outcome.copied, outcome.lost, outcome.changed) == ((second, first), (lost,), True)
    assert pair.desktop.restic.repository_id() == identity == pair.desktop.configuration.repository_id
    listing = pair.desktop.listing()
    assert [mark.id for mark in listing.backups] == [first, second]
    assert not (listing.missing or listing.unfinished or listing.foreign or listing.problems)
    assert pair.desktop.verify(every=True, data=True).backups == (first, second)
    made = pair.desktop.run()
    assert made.changed and not made.warnings
    assert pair.copy().copies[0].copied == (made.id,)
    again = pair.bring_back()
    assert (again.changed, again.copied, again.lost) == (False, (), ())


@pytest.mark.disaster
def test_a_lost_share_is_brought_back_for_a_new_desktop(pair: Pair) -> None:
    names = [pair.change("one"), pair.change("two")]
    pair.copy()
    pair.lose_share()
    shutil.rmtree(pair.desktop.folder / "backup")
    pair.bring_back()
    assert [mark.id for mark in pair.desktop.listing().backups] == names
    assert not pair.desktop.run().changed


@pytest.mark.disaster
def test_a_copy_without_marks_brings_a_share_back(pair: Pair) -> None:
    names = [pair.change("one"), pair.change("two")]
    pair.copy()
    pair.lose_share()
    shutil.rmtree(pair.desktop.folder / "backup")
    shutil.rmtree(pair.copied.good)
    assert pair.bring_back().copied == tuple(reversed(names))
    assert [mark.id for mark in pair.desktop.listing().backups] == names


@pytest.mark.disaster
def test_bringing_back_that_was_interrupted_is_finished(pair: Pair) -> None:
    name = pair.change("one")
    pair.copy()
    lost = pair.change("two")
    pair.lose_share()
    real = wrap(pair.desktop, "copy", after="kill -9 $$")
    with pytest.raises(BackupError, match="exit status -9"):
        pair.bring_back()
    pair.desktop.write_settings(restic=real)
    outcome = pair.bring_back()
    assert (outcome.copied, outcome.lost) == ((name,), (lost,))
    assert pair.desktop.listing().missing == ()


@pytest.mark.disaster
def test_a_share_with_other_content_is_left_alone(pair: Pair) -> None:
    pair.change("one")
    pair.copy()
    (pair.desktop.repository / "config").unlink()
    with pytest.raises(BackupError, match="files of a repository without its file config"):
        pair.bring_back()
    shutil.rmtree(pair.desktop.repository)
    shutil.rmtree(pair.copied.origin)
    with pytest.raises(RepositoryAbsentError, match="no files of the lost repository"):
        pair.bring_back()
    assert not pair.desktop.repository.exists()


@pytest.mark.disaster
def test_a_damaged_repository_gets_what_the_copy_has(pair: Pair) -> None:
    """A share that was not lost keeps what it has; a backup that was deleted there still counts as missing."""
    first, second = pair.change("one"), pair.change("two")
    pair.copy()
    third = pair.change("three")
    for name in (first, third):
        pair.desktop.stock_restic(
            "forget", next(entry.id for entry in pair.desktop.restic.snapshots() if entry.backup == name)
        )
    outcome = pair.bring_back()
    assert (outcome.copied, outcome.lost) == ((first,), ())
    listing = pair.desktop.listing()
    assert [mark.id for mark in listing.backups] == [first, second]
    assert [mark.id for mark in listing.missing] == [third]


@pytest.mark.disaster
def test_the_programs_of_the_share_are_beside_the_copy(pair: Pair) -> None:
    pair.change("one")
    (pair.desktop.share / "RECOVERY.md").write_text("steps")
    pair.copy()
    assert (pair.folder / "RECOVERY.md").read_text() == "steps"
    (pair.desktop.share / "RECOVERY.md").write_text("other steps")
    pair.copy()
    assert (pair.folder / "RECOVERY.md").read_text() == "other steps"


def test_parts_of_a_copy_are_read_back_each_day(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage that happens on the disk later is found within 30 days, and nothing is removed from the copy then."""
    pair.change("one")
    (pair.desktop.documents / "photo").write_bytes(os.urandom(100_000))
    pair.change("two")
    pair.copy()
    state = State(pair.copied.state)
    first = state.read("share")
    assert (first["position"], first["count"], first["problems"]) == (0, 1, [])
    pack = max((pair.copied.repository / "data").rglob("*"), key=lambda path: path.stat().st_size)
    content = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    pair.copy()  # the same day: nothing is read
    now = instants.now()
    # A disk that was not connected for a week gets the parts of seven days.
    position = (int(pack.name[:8], 16) + 23) % 30
    state.write("share", {**first, "position": position})
    monkeypatch.setattr(instants, "now", lambda: now + timedelta(days=7))
    for _ in range(2):
        with pytest.raises(VerificationError, match=f"{pack.name}: its bytes do not have"):
            pair.copy()
    assert state.read("share")["count"] == 7 and state.read("copy")["code"] == 30
    pack.write_bytes(content)
    pair.copy()
    assert (state.read("share")["problems"], state.read("copy")["ok"]) == ([], True)
