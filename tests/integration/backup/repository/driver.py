# SPDX-License-Identifier: GPL-3.0-or-later
"""Call one verb of a desktop in a process of its own, and print its outcome as JSON.

python -m tests.integration.backup.repository.driver FOLDER VERB [STEP]

With STEP, the process kills itself with SIGKILL at this boundary of a step. Boundaries are before and after each
restic, each write of state or marks, and each reading back.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tars_backup import files, output, processes, restic
from tars_backup.errors import BackupError
from tars_backup.repository import locks, marks, packs
from tars_backup.state import State

from .desktop import Desktop


def kill_at(step: int) -> Callable[[], int]:
    """Let this process kill itself at a boundary; return the function that counts those that were passed."""
    process = os.getpid()
    # Memory shared with the child that works for this process: one number each, so that no boundary is lost.
    numbers = memoryview(mmap.mmap(-1, 16)).cast("Q")

    def passed() -> int:
        return sum(numbers)

    def boundary() -> None:
        numbers[os.getpid() != process] += 1
        if 0 < step <= passed():
            os.kill(process, signal.SIGKILL)

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            boundary()
            result = function(*arguments, **options)
            boundary()
            return result

        return call

    places: dict[Any, tuple[str, ...]] = {
        restic.Restic: ("_run",),
        State: ("write",),
        marks: ("write", "record_removed", "remove"),
        packs: ("sizes", "damaged"),
        locks: ("remove",),
        files: ("write",),
    }
    for owner, names in places.items():
        for name in names:
            setattr(owner, name, wrapped(getattr(owner, name)))
    return passed


def main() -> None:
    """Print {seconds, steps, code, result or message}."""
    steps = kill_at(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    # Shorter limits than those of the program, which test_time_limits states.
    processes.ANSWER_S, processes.KILL_S, restic.RETRY_S, restic.PROBE_S = 4.0, 1.0, 3.0, 2.0
    desktop = Desktop(Path(sys.argv[1]), Path())
    start = time.monotonic()
    try:
        result = getattr(desktop, sys.argv[2])()
    except (BackupError, OSError) as error:  # of the desktop's own disk: the command line reports it as status 1
        outcome = {"code": getattr(error, "code", 1), "message": str(error), "result": None}
    else:
        outcome = {
            "code": 0,
            "message": "",
            "result": result if isinstance(result, str) else dataclasses.asdict(result),
        }
    print(output.to_json({**outcome, "seconds": time.monotonic() - start, "steps": steps()}))


if __name__ == "__main__":
    main()
