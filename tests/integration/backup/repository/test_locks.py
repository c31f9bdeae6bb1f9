# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks in the repository: left ones are removed without hands, others are named, and none stops reading."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tars_backup.actions.unlock import Unlocked, unlock
from tars_backup.errors import LockedError
from tars_backup.repository import locks, marks
from tars_backup.state import State

from ....waiting import wait_for
from .desktop import Desktop

pytestmark = pytest.mark.integration


def leave_lock(desktop: Desktop, *words: str, host: str = "") -> Path:
    """Kill a restic when it has made its lock; return the file of the lock."""
    lock, process = killed(desktop, *words, host=host)
    process.wait()
    return lock


def killed(desktop: Desktop, *words: str, host: str = "") -> tuple[Path, subprocess.Popen[bytes]]:
    """Kill a restic when it has made its lock; return the file of the lock, and the process without its status read."""
    folder = desktop.repository / "locks"
    before = set(folder.iterdir())
    line = [str(word) for word in desktop.stock(*words)]
    if host:
        line = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh", *line]
    for _ in range(50):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=desktop.documents)
        while process.poll() is None:
            left = {path for path in folder.iterdir() if "tmp" not in path.name} - before
            if left:
                process.send_signal(signal.SIGKILL)
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                if left <= set(folder.iterdir()):
                    return left.pop(), process
                break
        process.wait()
    raise AssertionError("restic left no lock")


def change(desktop: Desktop) -> None:
    """Change a document, so that the next run makes a snapshot."""
    (desktop.documents / "changed").write_text(str(time.monotonic_ns()))


@pytest.mark.parametrize("words", [("backup", "."), ("check", "--read-data"), ("prune",)])
def test_lock_of_a_killed_restic_is_removed(desktop: Desktop, words: tuple[str, ...]) -> None:
    desktop.run()
    lock = leave_lock(desktop, *words)
    change(desktop)
    made = desktop.run()
    assert not lock.exists()
    assert any(f"removed stale lock {lock.name[:12]}" in line for line in made.warnings)
    assert desktop.prune().code == 0


def test_lock_of_a_restic_whose_status_no_one_has_read(desktop: Desktop) -> None:
    """A killed run leaves its restic to a process that may read its status late: it is a zombie until then."""
    desktop.run()
    lock, process = killed(desktop, "check", "--read-data")
    assert Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "Z"
    desktop.run()
    assert not lock.exists()
    process.wait()


def test_shared_lock_of_another_computer_does_not_stop_a_run(desktop: Desktop) -> None:
    desktop.run()
    lock = leave_lock(desktop, "backup", ".", host="elsewhere")
    change(desktop)
    made = desktop.run()
    assert lock.exists()
    assert any("of elsewhere" in line for line in made.warnings)
    with pytest.raises(LockedError, match=r"process \d+ of elsewhere"):
        desktop.prune()


@pytest.mark.parametrize("kind", ["unreadable", pytest.param("exclusive", marks=pytest.mark.steps)])
def test_blocking_lock_is_named_and_removed_when_it_stays_unchanged(
    desktop: Desktop, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    made = desktop.run()
    if kind == "exclusive":
        lock = leave_lock(desktop, "prune", host="elsewhere")
    else:
        lock = desktop.repository / "locks" / hashlib.sha256(b"garbage").hexdigest()
        lock.write_bytes(b"garbage")
    change(desktop)
    for _ in range(2):
        with pytest.raises(LockedError, match=rf"{lock.name}: found a lock \(({kind}|process)"):
            desktop.run()
    assert desktop.listing().backups[0].id == made.id
    assert desktop.verify(data=True).backups == (made.id,)
    # Half an hour later.
    monkeypatch.setattr(locks, "UNCHANGED_S", 0.0)
    assert desktop.run().changed
    assert not lock.exists()


def test_empty_lock_is_ignored(desktop: Desktop) -> None:
    (desktop.repository / "locks" / ("0" * 64)).touch()
    assert desktop.run().changed
    assert desktop.prune().code == 0


def test_unlock(desktop: Desktop) -> None:
    configuration = desktop.configuration
    assert unlock(configuration, everything=False) == Unlocked((), (), changed=False)
    own, other = leave_lock(desktop, "backup", "."), leave_lock(desktop, "backup", ".", host="elsewhere")
    outcome = unlock(configuration, everything=False)
    assert [name[:12] for name in outcome.removed] == [own.name[:12]]
    assert [name[:12] for name in outcome.left] == [other.name[:12]]
    assert outcome.changed
    assert any("--all removes it" in line for line in outcome.lines())
    forced = unlock(configuration, everything=True)
    assert forced.left == () and list(forced.lines()) == [f"removed lock {name}" for name in outcome.left]
    assert list((desktop.repository / "locks").iterdir()) == []
    assert list(unlock(configuration, everything=True).lines()) == ["no locks"]


def test_lock_of_a_restic_that_runs_stays(desktop: Desktop) -> None:
    """A person reads the repository on this desktop while the timer starts a run."""
    desktop.run()
    reader = subprocess.Popen(
        desktop.stock("backup", "--stdin", "--stdin-filename", "x"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: list((desktop.repository / "locks").iterdir()), "its lock")
        change(desktop)
        assert desktop.run().changed
        assert len(list((desktop.repository / "locks").iterdir())) == 1
        with pytest.raises(LockedError, match=rf"process {reader.pid} of"):
            desktop.prune()
    finally:
        reader.kill()
        reader.wait()
    assert desktop.prune().code == 0


def test_unfinished_snapshot_stays_while_another_computer_uses_the_repository(desktop: Desktop) -> None:
    """The new backup is made all the same; that nothing can be removed is an error."""
    first = desktop.run()
    change(desktop)
    unfinished = desktop.run()
    marks.remove(desktop.configuration.good, [unfinished.id])
    state = State(desktop.configuration.state)
    state.write("last_good", {})
    state.write("attempts", {"ids": [unfinished.id]})
    leave_lock(desktop, "backup", ".", host="elsewhere")
    change(desktop)
    with pytest.raises(LockedError, match="of elsewhere"):
        desktop.run()
    listing = desktop.listing()
    assert [mark.id for mark in listing.backups][:1] == [first.id] and len(listing.backups) == 2
    assert listing.unfinished == (unfinished.id,)
    unlock(desktop.configuration, everything=True)
    change(desktop)
    desktop.run()
    assert desktop.listing().unfinished == ()
