# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks that killed runs left in the repository: remove those that no process can hold any more, name the others."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .. import processes
from ..configuration import Configuration
from ..errors import LockedError
from ..restic import Restic
from ..state import State

UNCHANGED_S = 1800.0
"""A running restic replaces its lock by a new file every 5 minutes; one that stays longer belongs to none."""


@dataclass(frozen=True)
class Lock:
    """A lock of the repository, and why it does or does not block."""

    name: str
    owner: str
    exclusive: bool
    stale: bool


def read(configuration: Configuration, restic: Restic, state: State) -> list[Lock]:
    """Return the locks of the repository. The caller holds the program's lock, so this program runs no restic."""
    folder = configuration.repository / "locks"
    sizes = processes.isolated(
        lambda: {entry.name: entry.stat().st_size for entry in os.scandir(folder)} if folder.is_dir() else {},
        subject=folder,
    )
    # restic ignores an empty lock, which a full disk leaves.
    names = sorted(name for name, size in sizes.items() if size)
    unchanged = _unchanged(names, state)
    return [_lock(restic, name, unchanged[name] >= UNCHANGED_S) for name in names]


def _unchanged(names: list[str], state: State) -> dict[str, float]:
    """Return for how many seconds each lock has been seen; by a clock that no one sets."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    record = state.read("locks")
    known = record.get("first_seen", {}) if record.get("boot") == boot else {}
    first_seen = {name: known.get(name, now) for name in names}
    if names or known:
        state.write("locks", {"boot": boot, "first_seen": first_seen})
    return {name: now - first_seen[name] for name in names}


def _lock(restic: Restic, name: str, unchanged: bool) -> Lock:
    document = restic.lock(name)
    if document is None:
        return Lock(name, "unreadable", True, unchanged)
    pid, host = document.get("pid"), document.get("hostname")
    ended = host == os.uname().nodename and not _is_restic(pid)
    owner = f"process {pid} of {host}, {document.get('time')}"
    return Lock(name, owner, bool(document.get("exclusive")), ended or unchanged)


def _is_restic(pid: object) -> bool:
    """Return whether a process is a restic that runs; one that has ended can wait for its parent to read its status."""
    try:
        name, _, fields = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return False
    return name == "restic" and fields.split()[0] not in ("Z", "X")


def remove(configuration: Configuration, locks: list[Lock]) -> None:
    """Delete locks of the repository."""
    folder = configuration.repository / "locks"

    def delete() -> None:
        for lock in locks:
            (folder / lock.name).unlink(missing_ok=True)

    if locks:
        processes.isolated(delete, subject=folder)


def heal(configuration: Configuration, restic: Restic, state: State, *, exclusive: bool) -> list[str]:
    """Remove stale locks, and return a note about each lock.

    Raises:
        LockedError: a lock of a program that may run elsewhere remains, and it or this command is `exclusive`.
    """
    found_locks = read(configuration, restic, state)
    remove(configuration, [lock for lock in found_locks if lock.stale])
    for lock in found_locks:
        if not lock.stale and (exclusive or lock.exclusive):
            raise LockedError(
                configuration.repository / "locks" / lock.name,
                found=f"a lock ({lock.owner})",
                expected="no lock of another program",
                next_step="Wait: it is removed when it has not changed for 30 minutes. If no other computer uses the "
                "repository, run tars-backup unlock --all",
            )
    return [f"{'removed stale' if lock.stale else 'left'} lock {lock.name[:12]} ({lock.owner})" for lock in found_locks]
