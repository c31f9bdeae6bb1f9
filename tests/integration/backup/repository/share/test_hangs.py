# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS is switched off at each step of a command: it ends within its limits, and leaves everything in order."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tars_backup import processes, restic
from tars_backup.errors import DestinationError
from tars_backup.restoring import journal

from .. import faulty_share
from ..desktop import Desktop
from ..household import Household
from ..killing import change
from ..namespace import ENVIRONMENT
from ..stack import SERVICES

pytestmark = pytest.mark.integration

SOURCE = "nas:/backup"


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set shorter limits than the program's, which test_time_limits states."""
    monkeypatch.setattr(processes, "ANSWER_S", 1.5)
    monkeypatch.setattr(processes, "KILL_S", 0.5)
    monkeypatch.setattr(restic, "RETRY_S", 3.0)
    monkeypatch.setattr(restic, "PROBE_S", 1.0)


@contextmanager
def switched(desktop: Desktop) -> Iterator[Callable[[bool], None]]:
    """Put the share on a file system of its own; yield what switches its NAS on and off."""
    exported, control = desktop.folder / "exported", desktop.folder / "control"
    desktop.share.rename(exported)
    desktop.share.mkdir()
    control.write_text("ok ok")
    words: list[str | Path] = [sys.executable, "-m", faulty_share.__name__, exported, desktop.share, control, SOURCE]
    server = subprocess.Popen(words, env=ENVIRONMENT)
    while not os.path.ismount(desktop.share):
        assert server.poll() is None
        time.sleep(0.02)
    desktop.write_settings(mount={"path": str(desktop.share), "types": ["fuse.nfs4"], "source": SOURCE})

    def switch(on: bool) -> None:
        control.write_text("ok ok" if on else "hang hang")

    try:
        yield switch
    finally:
        switch(True)
        subprocess.run(["umount", "--lazy", desktop.share], check=True)
        server.wait(180)


def at_call(patch: pytest.MonkeyPatch, number: int, action: Callable[[], None]) -> Callable[[], int]:
    """Do something before the call of this number, from 1, that uses the share; return what counts the calls."""
    calls = 0

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                action()
            return original(*arguments, **options)

        patch.setattr(owner, name, call)

    wrap(processes, "isolated")
    wrap(restic.Restic, "_started")
    return lambda: calls


def assert_ends(
    monkeypatch: pytest.MonkeyPatch, switch: Callable[[bool], None], call: Callable[[], object], number: int
) -> bool:
    """Call a command whose NAS is switched off at a call; return whether it came to that."""
    with monkeypatch.context() as patch:
        calls = at_call(patch, number, lambda: switch(False))
        ended = False  # also by a call of a child process, which this one does not count
        start = time.monotonic()
        try:
            call()
        except DestinationError as error:
            assert "no answer within" in str(error), error
            ended = True
        finally:
            seconds = time.monotonic() - start
            switch(True)
        assert seconds < 120, f"call {number} of {calls()}: {seconds} s"  # restic alone repeats for 15 minutes
        return ended or calls() >= number


@pytest.mark.steps
@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("verb", ["run", "verify", "prune", "listing"])
def test_nas_that_is_switched_off_at_any_step(desktop: Desktop, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    desktop.write_settings(retention={"last": 9})
    with switched(desktop) as switch:
        number = 1
        while True:
            change(desktop)
            if verb != "run":
                desktop.run()
            listed = {mark.id for mark in desktop.listing().backups[-4:]}
            desktop.write_settings(retention={"last": 5})
            call = partial(desktop.verify, data=True) if verb == "verify" else getattr(desktop, verb)
            if not assert_ends(monkeypatch, switch, call, number):
                break
            number += 2
            listing = desktop.listing()
            assert listed <= {mark.id for mark in listing.backups} and not listing.missing, number
            change(desktop)
            assert desktop.run().changed
            assert not desktop.listing().unfinished
        assert number > (5 if verb == "listing" else 10)
        assert desktop.verify(every=True, data=True).backups


@pytest.mark.steps
@pytest.mark.usefixtures("limits")
def test_nas_that_is_switched_off_at_any_step_of_a_restore(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    with switched(home) as switch:
        number = 1
        while assert_ends(monkeypatch, switch, home.restore, number):
            number += 1
            assert journal.read(home.context()) is None and sorted(home.running()) == sorted(SERVICES)
            assert home.documents_now == {"boiler", "roof"} and home.extra() == []
        assert number > 8 and home.documents_now == {"boiler"}


def test_restore_from_a_share_that_takes_nothing(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read-only and full, and has a lock that no program can read: backups return all the same."""
    monkeypatch.setattr(restic, "RETRY_S", 3.0)
    (home.repository / "locks" / hashlib.sha256(b"garbage").hexdigest()).write_bytes(b"garbage")
    with switched(home) as switch:
        switch(True)
        (home.folder / "control").write_text("ok EROFS")
        assert home.verify(data=True).backups
        (home.folder / "control").write_text("ok ENOSPC")
        assert home.restore(preview=True).code == 3
        assert home.restore().changed and home.documents_now == {"boiler"}
        with pytest.raises(DestinationError, match="No space left on device"):
            home.run()
