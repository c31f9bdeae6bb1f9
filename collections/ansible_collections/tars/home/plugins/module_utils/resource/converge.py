# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply, read back: the same course for everything on the NAS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar

from ..dsm.errors import ConnectionLost, DsmError

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
    """Something failed on the way.

    `done` names the changes that are made. `changed` tells whether the NAS is another than before, by half a change as
    well; it is true where that is not known, and the message says so.
    """

    def __init__(self, message: str, done: Sequence[str], changed: Optional[bool] = None) -> None:
        self.done = list(done)
        self.changed = bool(done) if changed is None else changed
        super().__init__(message)


def converge(
    read: Callable[[], State],
    plan: Callable[[State], list[Change]],
    model: Callable[[State, Sequence[Change]], State],
    write: Callable[[Change], None],
    sleep: Callable[[float], None],
    check_mode: bool,
    take_back: Callable[[], None] = lambda: None,
) -> Outcome[State, Change]:
    """Carry out what `plan` finds and prove by reading back that nothing is left to do.

    A change whose answer was lost is read back, and made again only if it is not there. Raises Incomplete where a
    change failed, or DSM said yes and did nothing; before that, `take_back` may undo what must not stay half done.
    """
    before = read()
    changes = plan(before)
    if check_mode or not changes:
        return Outcome(before, model(before, changes), changes)
    try:
        after = _carry_out(changes, read, plan, write, sleep)
    except DsmError as error:
        take_back()
        raise _incomplete(str(error), before, changes, read, plan) from error
    return Outcome(before, after, changes)


def _carry_out(
    changes: Sequence[Change],
    read: Callable[[], State],
    plan: Callable[[State], list[Change]],
    write: Callable[[Change], None],
    sleep: Callable[[float], None],
) -> State:
    remaining = changes
    # Each change may lose its answer once: DSM restarts its web server at will.
    for _attempt in range(1 + len(changes)):
        lost = _write_all(remaining, write)
        if lost is not None:
            sleep(SETTLE_S)
        after = read()
        remaining = plan(after)
        if not remaining:
            return after
        if lost is None:
            break
    found = "; ".join(str(change) for change in remaining)
    if lost is not None:
        raise DsmError(f"{lost} Still to do: {found}.") from lost
    raise DsmError(
        f"DSM answered that everything is done, but reading back shows otherwise. Still to do: {found}. Look in DSM's "
        "Log Center, or make the change once in Control Panel to see what it objects to."
    )


def _write_all(changes: Sequence[Change], write: Callable[[Change], None]) -> Optional[ConnectionLost]:
    for change in changes:
        try:
            write(change)
        except ConnectionLost as error:
            return error
    return None


def _incomplete(
    message: str,
    before: State,
    changes: Sequence[Change],
    read: Callable[[], State],
    plan: Callable[[State], list[Change]],
) -> Incomplete:
    """What became of the changes, as far as the NAS still tells."""
    wanted = [str(change) for change in changes]
    try:
        after = read()
        left = {str(change) for change in plan(after)}
    except DsmError:
        return unknown(message, wanted)
    done = [change for change in wanted if change not in left]
    return Incomplete(message, done, after != before or bool(done))


def unknown(message: str, wanted: Sequence[str]) -> Incomplete:
    """The failure after which the NAS does not tell any more what became of the changes."""
    return Incomplete(f"{message} Whether this was done is not known: {'; '.join(wanted)}.", [], True)
