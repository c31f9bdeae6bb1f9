# SPDX-License-Identifier: GPL-3.0-or-later
"""Pruning removes what the rules do not keep, nothing else, and nothing while backups may be damaged."""

from __future__ import annotations

import dataclasses
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tars_backup import instants
from tars_backup.actions.prune import prune
from tars_backup.actions.show import show
from tars_backup.errors import BackupError, VerificationError
from tars_backup.instants import UTC
from tars_backup.repository import marks
from tars_backup.state import State

from .desktop import Desktop

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """The clock that the program reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        monkeypatch.setattr(instants, "now", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that a test can set."""
    return Clock(monkeypatch)


def make(desktop: Desktop, clock: Clock, count: int, step: timedelta = timedelta(days=1)) -> list[str]:
    """Make backups at intervals; return their ids."""
    names = []
    for _ in range(count):
        (desktop.documents / "changed").write_text(f"{clock.now}")
        names.append(desktop.run().id)
        clock.now += step
    return names


def listed(desktop: Desktop) -> list[str]:
    return [mark.id for mark in desktop.listing().backups]


def test_rules_are_carried_out_by_each_run(desktop: Desktop, clock: Clock) -> None:
    desktop.write_settings(retention={"last": 3, "weekly": 2})
    names = make(desktop, clock, 8, timedelta(days=2))
    # 1, 3, 5, 7, 9, 11, 13 and 15 March; weeks end on Sunday, 1, 8 and 15 March.
    assert listed(desktop) == [names[3], *names[5:]]
    (desktop.documents / "changed").write_text("more")
    desktop.run()
    assert listed(desktop)[:2] == [names[6], names[7]]
    assert not desktop.listing().missing
    assert desktop.verify(every=True, data=True).code == 0


def test_dry_run_shows_the_calendar(desktop: Desktop, clock: Clock) -> None:
    names = make(desktop, clock, 5)
    desktop.write_settings(retention={"last": 3})
    planned = desktop.prune(dry_run=True)
    assert (planned.code, planned.changed, list(planned.removed)) == (3, False, names[:2])
    lines = list(planned.lines())
    assert lines == [
        *(f"keep    {name}  last" for name in names[2:]),
        *(f"would remove {name}" for name in names[:2]),
        "3 backups stay",
    ]
    assert listed(desktop) == names
    done = desktop.prune()
    assert (done.code, done.changed, list(done.removed)) == (0, True, names[:2])
    assert listed(desktop) == names[2:]
    assert desktop.prune(dry_run=True).code == 0


def test_foreign_and_forged_snapshots_stay_and_push_none_of_ours_out(desktop: Desktop, clock: Clock) -> None:
    desktop.write_settings(retention={"last": 3, "daily": 3})
    names = make(desktop, clock, 3)
    foreign = ["--host", "other", "--tag", "photos"]
    for year in (1990, 2026, 2099):
        moment = ["--time", f"{year}-03-02 12:00:00", "--quiet"]
        desktop.stock_restic("backup", *foreign, *moment, str(desktop.documents))
        desktop.stock_restic("backup", "--host", "tars", "--tag", "tars", *moment, str(desktop.documents))
        forged = ["--host", "tars", "--tag", "tars", "--tag", f"id={year}0302T120000Z-00000000"]
        desktop.stock_restic("backup", *forged, *moment, str(desktop.documents))
    # Snapshots with the id of a backup, one older and one newer than the real one.
    for name in names[1:]:
        forged = ["--host", "tars", "--tag", "tars", "--tag", f"id={name}"]
        for year in (1990, 2099):
            desktop.stock_restic("backup", *forged, "--time", f"{year}-03-02 12:00:00", str(desktop.documents))
    made = make(desktop, clock, 1)
    listing = desktop.listing()
    assert [mark.id for mark in listing.backups] == [*names[1:], *made]
    assert len(listing.foreign) == 6 + 4
    assert len(listing.unfinished) == 3
    assert desktop.prune().removed == ()
    assert len(desktop.restic.snapshots()) == 3 + 9 + 4
    assert desktop.verify(every=True).code == 0


def test_unfinished_snapshot_of_a_run_is_removed(desktop: Desktop, clock: Clock) -> None:
    names = make(desktop, clock, 2)
    state = State(desktop.configuration.state)
    marks.remove(desktop.configuration.good, [names[1]])
    state.write("last_good", {})
    listing = desktop.listing()
    assert (listing.unfinished, listed(desktop)) == ((names[1],), names[:1])
    # Not known as an attempt of this desktop: it stays.
    assert desktop.prune().unfinished == ()
    state.write("attempts", {"ids": [names[1]]})
    pruned = desktop.prune()
    assert pruned.unfinished == (names[1],)
    assert f"removed {names[1]}, which was never finished" in list(pruned.lines())
    assert [snapshot.backup for snapshot in desktop.restic.snapshots()] == names[:1]


def test_mark_of_a_removed_snapshot_is_removed_by_the_next_prune(desktop: Desktop, clock: Clock) -> None:
    """A prune was killed between the two."""
    names = make(desktop, clock, 4)
    State(desktop.configuration.state).write("pruned", {"ids": names[:1]})
    snapshot = next(snapshot.id for snapshot in desktop.restic.snapshots() if snapshot.backup == names[0])
    desktop.stock_restic("forget", snapshot)
    assert desktop.prune().removed == ()
    assert set(marks.read(desktop.configuration.good)[0]) == set(names[1:])


def test_marks_are_lost_with_the_share_s_folder_and_the_desktop(desktop: Desktop, clock: Clock) -> None:
    """The newest manifest lists the backups before it; they stay good without marks."""
    names = make(desktop, clock, 3)
    marks.remove(desktop.configuration.good, names)
    assert listed(desktop) == names
    State(desktop.configuration.state).write("last_good", {})
    assert listed(desktop) == names[:2]
    made = make(desktop, clock, 1)
    assert listed(desktop) == [*names[:2], *made]


def test_deleted_snapshot_is_missing_and_stops_pruning(desktop: Desktop, clock: Clock) -> None:
    names = make(desktop, clock, 4)
    victim = next(snapshot for snapshot in desktop.restic.snapshots() if snapshot.backup == names[1])
    (desktop.repository / "snapshots" / victim.id).unlink()
    assert [mark.id for mark in desktop.listing().missing] == [names[1]]
    assert f"MISSING: {names[1]}" in "\n".join(desktop.listing().lines())
    # The mark is deleted too: the newest manifest still names the backup.
    marks.remove(desktop.configuration.good, [names[1]])
    assert [mark.id for mark in desktop.listing().missing] == [names[1]]
    with pytest.raises(VerificationError, match=f"{names[1]}: missing"):
        desktop.verify()
    desktop.write_settings(retention={"last": 3})
    for verb in (desktop.prune, desktop.run):
        with pytest.raises(VerificationError, match=f"{names[1]} is missing"):
            verb()
    with pytest.raises(VerificationError, match="missing"):
        desktop.prune(accept_missing=True)  # the failed verification still stops it
    assert desktop.listing().missing == ()
    # One of a part does not prove the rest.
    desktop.verify()
    with pytest.raises(VerificationError, match="missing"):
        desktop.prune()
    desktop.verify(every=True, data=True)
    assert desktop.prune().code == 0
    assert listed(desktop) == [names[0], *names[2:]]


def test_failed_verification_stops_pruning_until_one_succeeds(desktop: Desktop, clock: Clock) -> None:
    names = make(desktop, clock, 5)
    pack = largest_pack(desktop)
    content = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(VerificationError, match=pack.name):
        desktop.verify(data=True)
    desktop.write_settings(retention={"last": 3})
    with pytest.raises(VerificationError, match=pack.name):
        desktop.prune()
    assert listed(desktop) == names
    pack.write_bytes(content)
    desktop.verify(every=True, data=True)
    assert len(desktop.prune().removed) == 2


def test_daily_part_finds_damage_within_30_days(desktop: Desktop, clock: Clock) -> None:
    """Each run of a new day reads the next part; all parts are read in 30 days, and damage stops the run."""
    (desktop.documents / "photo").write_bytes(os.urandom(100_000))
    desktop.run()
    pack = largest_pack(desktop)
    content = pack.read_bytes()
    pack.chmod(0o600)
    middle = len(content) // 2  # of the photo: the order of the contents of a pack is not fixed
    pack.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    day_before = {"at": "2026-02-01T00:00:00Z", "position": (int(pack.name[:8], 16) - 2) % 30, "problems": []}
    State(desktop.configuration.state).write("share", day_before)
    desktop.run()
    clock.now += timedelta(hours=1)
    desktop.run()  # the same day: nothing is read
    for hours in (21, 1):  # the next day, and the run after it
        clock.now += timedelta(hours=hours)
        with pytest.raises(VerificationError, match=pack.name):
            desktop.run()
    pack.write_bytes(content)
    desktop.run()


def largest_pack(desktop: Desktop) -> Path:
    packs = [path for path in (desktop.repository / "data").rglob("*") if path.is_file()]
    return max(packs, key=lambda path: path.stat().st_size)


def test_plan_that_leaves_too_few_is_refused(desktop: Desktop, clock: Clock) -> None:
    names = make(desktop, clock, 4)
    reckless = dataclasses.replace(desktop.configuration, retention={"yearly": 1})
    with pytest.raises(BackupError, match="1 backups would stay; expected at least 3"):
        prune(reckless, dry_run=False, progress=lambda line: None)
    assert listed(desktop) == names


def test_clock_that_was_wrong_for_one_run(desktop: Desktop, clock: Clock) -> None:
    """The backup dated in the future stays; it is neither the latest nor the one that contents are compared with."""
    make(desktop, clock, 2)
    right, clock.now = clock.now, datetime(2099, 1, 1, tzinfo=UTC)
    make(desktop, clock, 1)
    clock.now = right
    names = make(desktop, clock, 1)
    assert desktop.run().changed is False
    assert show(desktop.configuration, "latest").id == names[0]
    assert desktop.verify().backups == (names[0],)
    clock.now = datetime(2020, 1, 1, tzinfo=UTC)
    assert show(desktop.configuration, "latest").id.startswith("2099")


def test_clock_that_went_back(desktop: Desktop, clock: Clock) -> None:
    desktop.write_settings(retention={"last": 3})
    names = make(desktop, clock, 4)
    clock.now = datetime(2020, 1, 1, tzinfo=UTC)
    (desktop.documents / "changed").write_text("in the past")
    made = desktop.run()
    assert any("later than this clock" in line for line in made.warnings)
    assert set(listed(desktop)) == {made.id, *names[1:]}
