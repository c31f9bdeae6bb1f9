# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's own lock: one command at a time changes backups on this desktop."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from . import instants
from .errors import LockedError

_PAUSE_S = 0.2


@contextlib.contextmanager
def held(folder: Path, command: str, name: str = "lock", wait_s: float = 0) -> Iterator[None]:
    """Hold the lock `name` in the folder of the state while the block runs; the kernel releases it if the process dies.

    Raises:
        LockedError: another process holds it, also after `wait_s` seconds; the message has its command, process
            number and start.
    """
    end = time.monotonic() + wait_s
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _locked(descriptor):
            if time.monotonic() >= end:
                owner = os.pread(descriptor, 200, 0).decode(errors="replace") or "an unnamed process"
                raise LockedError(
                    "tars-backup",
                    found=f"running: {owner}",
                    expected="no other run",
                    next_step="Wait until it has ended",
                )
            time.sleep(_PAUSE_S)
        os.ftruncate(descriptor, 0)
        owner = f"{command}, process {os.getpid()}, since {instants.to_text(instants.now())}"
        os.pwrite(descriptor, owner.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
