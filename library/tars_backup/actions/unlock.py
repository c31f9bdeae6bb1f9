# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove locks from the repository."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .. import destination, program_lock
from ..configuration import Configuration
from ..repository import locks
from ..restic import Restic
from ..state import State


@dataclass(frozen=True)
class Unlocked:
    """The locks that were removed, and those that were left."""

    removed: tuple[str, ...]
    left: tuple[str, ...]
    changed: bool

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        for name in self.removed:
            yield f"removed lock {name}"
        for name in self.left:
            yield f"left lock {name}; --all removes it if no other computer uses the repository"
        if not self.removed and not self.left:
            yield "no locks"


def unlock(configuration: Configuration, *, everything: bool) -> Unlocked:
    """Remove stale locks, or all if `everything`: then no other computer may be using the repository."""
    with program_lock.held(configuration.state, "unlock"):
        destination.check_mount(configuration)
        destination.check_answer(configuration)
        destination.check_repository(configuration)
        present = locks.read(configuration, Restic(configuration), State(configuration.state))
        removed = [lock for lock in present if lock.stale or everything]
        locks.remove(configuration, removed)
        left = [lock for lock in present if lock not in removed]
        return Unlocked(tuple(map(_name, removed)), tuple(map(_name, left)), changed=bool(removed))


def _name(lock: locks.Lock) -> str:
    return f"{lock.name[:12]} ({lock.owner})"
