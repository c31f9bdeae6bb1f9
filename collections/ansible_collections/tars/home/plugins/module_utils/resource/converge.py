# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, write, read back: the one procedure by which every module changes something.

A module describes what it manages as a :class:`Resource`. Check mode, diff and `changed` come from :func:`converge`
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .errors import Incomplete, OutcomeUnknown, ResourceError, explain, unknown

State = TypeVar("State")
Change = TypeVar("Change")


@dataclass(frozen=True)
class Pending:
    """What a write leaves to a later call of the module: a job that still runs, or a change that must be confirmed.

    `result` is what the action plugin needs for that call, such as `pending` and `units`, or `armed` and `deadline_s`.
    """

    result: Mapping[str, Any]


@dataclass(frozen=True)
class Probe(Generic[State]):
    """One command that reads the state, for a module and, over the open connection, for its action plugin.

    `parse` takes the exit status and what the command printed to standard output. It returns None where only the
    module can read the state, for instance because a program is missing. `stdin` is what the command reads; what no log
    may show goes there.
    """

    command: Sequence[str]
    parse: Callable[[int, str], State | None]
    stdin: str = ""


@dataclass(frozen=True)
class Resource(Generic[State, Change]):
    """Something that a module manages.

    Attributes:
        read: returns the current state.
        plan: the changes from a state to the desired one; pure, and empty for the state after these changes.
        predict: the state after changes, without making them.
        write: makes changes, in their order. Returns Pending where the module has to be called again.
        show: a state as return values and for the diff.
        warnings: what a person should know of a state although it is the desired one.
        undo: takes back, after a failure, what must not stay half done.
        settle: waits before a change whose answer was lost is read back.
        refused, advice: the failure where changes are still to do although every write succeeded, and its next step.
        probe: how an action plugin reads the state without the module.
        diff: before and after for diff mode, where that is not what `show` returns.
    """

    read: Callable[[], State]
    plan: Callable[[State], Sequence[Change]]
    predict: Callable[[State, Sequence[Change]], State]
    write: Callable[[Sequence[Change]], Pending | None]
    show: Callable[[State], Mapping[str, Any]]
    undo: Callable[[], None] = lambda: None
    settle: Callable[[], None] = lambda: None
    refused: str = "Every change was reported as done, but reading back shows otherwise."
    advice: str = ""
    probe: Probe[State] | None = None
    diff: Callable[[State, State], Any] | None = None
    warnings: Callable[[State], Sequence[str]] = lambda state: ()


@dataclass(frozen=True)
class Outcome(Generic[State, Change]):
    """The state before and after (in check mode: as it would be), and the changes between them."""

    resource: Resource[State, Change]
    before: State
    after: State
    changes: Sequence[Change]
    pending: Mapping[str, Any] = field(default_factory=dict)

    def result(self, name: str = "") -> dict[str, Any]:
        """Return what a module returns: the changes in words, and the state after, under `name` if given."""
        show, diff = self.resource.show, self.resource.diff
        after = dict(show(self.after))
        warnings = list(self.resource.warnings(self.after))
        return {
            **({name: after} if name else after),
            "changed": bool(self.changes),
            "changes": [str(change) for change in self.changes],
            "diff": diff(self.before, self.after) if diff else {"before": show(self.before), "after": after},
            **({"warnings": warnings} if warnings else {}),
            **self.pending,
        }


def converge(resource: Resource[State, Change], check_mode: bool) -> Outcome[State, Change]:
    """Make the changes that `plan` finds, and prove by reading back that nothing is left to do.

    A change whose answer was lost is read back, and made again only if it is missing.

    Raises:
        ResourceError: the state cannot be read or planned; nothing was changed.
        Incomplete: a change failed, or had no effect although it was reported as done. `undo` has run.
    """
    before = resource.read()
    changes = resource.plan(before)
    if check_mode or not changes:
        return Outcome(resource, before, resource.predict(before, changes), changes)
    try:
        after, pending = _carry_out(resource, before, changes)
    except (ResourceError, OSError) as error:
        resource.undo()
        raise _incomplete(explain(error), resource, before, changes) from error
    return Outcome(resource, before, after, changes, pending.result if pending else {})


def _carry_out(
    resource: Resource[State, Change], before: State, changes: Sequence[Change]
) -> tuple[State, Pending | None]:
    remaining = changes
    # Each change may lose its answer once: DSM restarts its web server at will.
    for _attempt in range(1 + len(changes)):
        lost, pending = None, None
        try:
            pending = resource.write(remaining)
        except OutcomeUnknown as error:
            lost = error
            resource.settle()
        if pending is not None:
            return resource.predict(before, changes), pending
        after = resource.read()
        remaining = resource.plan(after)
        if not remaining:
            return after, None
        if lost is None:
            break
    left = f"Still to do: {'; '.join(str(change) for change in remaining)}."
    if lost is not None:
        raise ResourceError(f"{lost} {left}") from lost
    raise ResourceError(f"{resource.refused} {left} {resource.advice}".rstrip())


def _incomplete(
    message: str, resource: Resource[State, Change], before: State, changes: Sequence[Change]
) -> Incomplete:
    """Return what became of the changes, as far as the resource can still be read."""
    wanted = [str(change) for change in changes]
    try:
        after = resource.read()
        left = {str(change) for change in resource.plan(after)}
    except (ResourceError, OSError):
        return unknown(message, wanted)
    done = [change for change in wanted if change not in left]
    return Incomplete(message, done, after != before or bool(done))
