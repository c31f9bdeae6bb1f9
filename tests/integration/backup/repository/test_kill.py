# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL at the boundaries of steps: listed backups are good, and the next run converges without hands.

Few steps by default, many with the marker `steps`, all of them in tests.bench.kill.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tars_backup.actions.init import init
from tars_backup.errors import BackupError

from .desktop import Desktop
from .killing import assert_converges, change, drive, kill_after

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("stride", [25, pytest.param(2, marks=pytest.mark.steps)])
def test_run_killed_between_steps(desktop: Desktop, stride: int) -> None:
    desktop.write_settings(retention={"last": 99})
    desktop.run()
    change(desktop)
    outcome = drive(desktop, "run")
    assert outcome
    assert outcome["code"] == 0
    assert outcome["steps"] > 30
    for step in range(1, outcome["steps"] + 1, stride):
        good = {mark.id for mark in desktop.listing().backups}
        change(desktop)
        assert drive(desktop, "run", step) is None
        assert_converges(desktop, good)
    assert desktop.verify(every=True, data=True).backups


@pytest.mark.parametrize("stride", [40, pytest.param(3, marks=pytest.mark.steps)])
def test_prune_killed_between_steps(desktop: Desktop, stride: int) -> None:
    """Backups that the rules keep stay, and none that was removed half is listed or missing."""
    desktop.write_settings(retention={"last": 3})

    def fill() -> None:
        desktop.write_settings(retention={"last": 9})
        while len(desktop.listing().backups) < 5:
            change(desktop)
            desktop.run()
        desktop.write_settings(retention={"last": 3})

    fill()
    outcome = drive(desktop, "prune")
    assert outcome
    assert len(outcome["result"]["removed"]) == 2
    for step in range(2, outcome["steps"] + 1, stride):
        fill()
        newest = {mark.id for mark in desktop.listing().backups[-2:]}
        assert drive(desktop, "prune", step) is None
        assert_converges(desktop, newest)
        assert len(desktop.listing().backups) == 3


@pytest.mark.parametrize(
    "delay_s", [0.6, *(pytest.param(delay_s, marks=pytest.mark.steps) for delay_s in (0.3, 0.9, 1.3))]
)
def test_run_and_its_restic_killed_at_any_time(desktop: Desktop, delay_s: float) -> None:
    """restic dies with the program: nothing of a killed run writes to the repository any more."""
    first = desktop.run()
    (desktop.documents / "big").write_bytes(os.urandom(48 << 20))
    kill_after(desktop, "run", delay_s)
    assert_converges(desktop, {first.id})


def test_init_killed_at_every_file(bare: Desktop) -> None:
    """Whatever part of a new repository exists, the next init gets through, and makes one that works."""
    bare.init()
    names = [path.relative_to(bare.repository) for path in sorted(bare.repository.rglob("*"))]
    stages: list[list[Path]] = [
        [],
        [name for name in names if (bare.repository / name).is_dir()],
        [name for name in names if name.name != "config"],
        [name for name in names if name.name != "config" and name.parts[0] != "data"],
    ]
    whole = bare.share / "whole"
    bare.repository.rename(whole)
    bare.write_settings(repository_id=None)
    for stage in stages:
        if bare.repository.exists():
            shutil.rmtree(bare.repository)
        bare.repository.mkdir()
        for name in stage:
            target = bare.repository / name
            if (whole / name).is_dir():
                target.mkdir(parents=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(whole / name, target)
        (bare.repository / "config-tmp-1234").write_text("half")
        assert init(bare.configuration).changed
    bare.write_settings(repository_id=bare.restic.repository_id())
    (bare.documents / "a").write_text("a")
    assert bare.run().changed
    assert not init(bare.configuration).changed


def test_init_keeps_data_whose_config_is_lost(desktop: Desktop) -> None:
    desktop.run()
    desktop.write_settings(repository_id=None)
    (desktop.repository / "config").unlink()
    before = sorted(desktop.repository.rglob("*"))
    with pytest.raises(BackupError, match=r"files of a repository without its file config.*recovery sheet"):
        init(desktop.configuration)
    assert sorted(desktop.repository.rglob("*")) == before


def test_init_refuses_a_folder_of_something_else(bare: Desktop) -> None:
    bare.repository.mkdir()
    (bare.repository / "photos").mkdir()
    with pytest.raises(BackupError, match=r"others: \['photos'\]"):
        init(bare.configuration)
    assert [path.name for path in bare.repository.iterdir()] == ["photos"]
