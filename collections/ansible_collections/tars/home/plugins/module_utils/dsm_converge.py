# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply, read back: the same course for everything on the NAS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar

from .dsm_errors import ConnectionLost, DsmError

State = TypeVar("State")
Change = TypeVar("Change")
# Seconds until a change whose answer was lost is looked for; DSM may still be at it.
SETTLE_S = 2.0


@dataclass(frozen=True)
class Outcome(Generic[State, Change]):
    """The state before and after (in check mode: as it would be), and the changes between them."""

    before: State
    after: State
    changes: Sequence[Change]

    def result(self, show: Callable[[State], dict[str, Any]], name: str = "") -> dict[str, Any]:
        """What a module returns: the changes in words, and the state after as `show` puts it, under `name` if given."""
        before, after = show(self.before), show(self.after)
        return {
            **({name: after} if name else after),
            "changed": bool(self.changes),
            "changes": [str(change) for change in self.changes],
            "diff": {"before": before, "after": after},
        }


class Incomplete(DsmError):
    """Some changes were made before one failed; `done` names them."""

    def __init__(self, message: str, done: Sequence[str]) -> None:
        self.done = list(done)
        super().__init__(message)


def converge(
    read: Callable[[], State],
    plan: Callable[[State], list[Change]],
    model: Callable[[State, Sequence[Change]], State],
    write: Callable[[Change], None],
    sleep: Callable[[float], None],
    check_mode: bool,
) -> Outcome[State, Change]:
    """Carry out what `plan` finds and prove by reading back that nothing is left to do.

    A change whose answer was lost is read back, and made again only if it is not there. Raises the error of the change
    that failed as Incomplete, or DsmError where DSM said yes and did nothing.
    """
    before = read()
    changes = plan(before)
    if check_mode or not changes:
        return Outcome(before, model(before, changes), changes)
    done: list[str] = []
    try:
        remaining = changes
        # Each change may lose its answer once: DSM restarts its web server at will.
        for _attempt in range(1 + len(changes)):
            lost = _write_all(remaining, write, done)
            if lost is not None:
                sleep(SETTLE_S)
            after = read()
            remaining = plan(after)
            if lost is None or not remaining:
                break
    except DsmError as error:
        raise Incomplete(str(error), done) from error
    if remaining:
        found = "; ".join(str(change) for change in remaining)
        if lost is not None:
            raise Incomplete(f"{lost} Still to do: {found}.", done) from lost
        raise Incomplete(
            f"DSM answered that everything is done, but reading back shows otherwise. Still to do: {found}. Look in "
            "DSM's Log Center, or make the change once in Control Panel to see what it objects to.",
            done,
        )
    return Outcome(before, after, changes)


def _write_all(changes: Sequence[Change], write: Callable[[Change], None], done: list[str]) -> Optional[ConnectionLost]:
    for change in changes:
        try:
            write(change)
        except ConnectionLost as error:
            return error
        done.append(str(change))
    return None
