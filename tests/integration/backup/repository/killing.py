# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a verb at a step or after a time, and check that the next ones converge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from ....waiting import wait_for
from .desktop import Desktop
from .namespace import ENVIRONMENT


def drive(desktop: Desktop, verb: str, step: int = 0) -> dict[str, Any] | None:
    """Call a verb in a process that is killed at a step; return its outcome, None if it was killed."""
    command = [sys.executable, "-m", f"{__package__}.driver", str(desktop.folder), verb, str(step)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.stdout, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def change(desktop: Desktop) -> None:
    """Change a document, so that the next run makes a snapshot."""
    (desktop.documents / "changed").write_text(str(time.monotonic_ns()))


def assert_converges(desktop: Desktop, good: set[str]) -> None:
    """Check that listed backups stay listed, and that a run and a prune succeed and leave nothing over."""
    listing = desktop.listing()
    assert not (listing.missing or listing.problems)
    assert good <= {mark.id for mark in listing.backups}
    assert desktop.verify().backups
    change(desktop)
    desktop.run()
    listing = desktop.listing()
    assert not (listing.missing or listing.problems or listing.unfinished)
    assert good <= {mark.id for mark in listing.backups}
    assert desktop.prune().code == 0
    assert list((desktop.repository / "locks").iterdir()) == []


def kill_after(desktop: Desktop, verb: str, delay_s: float) -> bool:
    """Kill a verb after a time; return whether it still ran."""

    def kill(_desktop: Desktop, process: psutil.Process) -> bool:
        process.kill()
        return True

    return strike_after(desktop, verb, delay_s, kill, lambda _desktop: None)[1] == -signal.SIGKILL


def strike_after(
    desktop: Desktop,
    verb: str,
    delay_s: float,
    strike: Callable[[Desktop, psutil.Process], bool],
    heal: Callable[[Desktop], None],
) -> tuple[bool, int]:
    """Do something to a verb after a time, and undo it when the verb has ended.

    Returns whether it hit the verb, and the verb's exit code or the negative number of the signal that ended it. Waits
    until no restic of the repository runs.
    """
    command = [sys.executable, "-m", f"{__package__}.driver", str(desktop.folder), verb]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(delay_s)
    running = process.poll() is None
    struck = running and strike(desktop, psutil.Process(process.pid))
    output, errors = process.communicate(timeout=120)
    if struck:
        heal(desktop)
    wait_for(lambda: not processes_of(desktop.repository), "the end of restic, which must not outlive the program")
    if process.returncode < 0:
        return struck, process.returncode
    assert output, errors
    return struck, int(json.loads(output)["code"])


def processes_of(repository: Path) -> list[int]:
    """Return the numbers of the running restics that name a repository."""
    numbers = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(repository) in words:
            numbers.append(int(path.parent.name))
    return numbers
