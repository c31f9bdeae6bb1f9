# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of an Ollama server: which it holds, and the pulls, deletions and unloads to the desired ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.change import Change
from .api import OllamaError, full_name


@dataclass(frozen=True)
class Goal:
    """The desired models by name, with their recorded digests.

    Attributes:
        record: file with the recorded digests, for messages.
        exclusive: whether other models are deleted.
        unload: whether other models are removed from memory.
    """

    names: Sequence[str]
    recorded: Mapping[str, str] = field(default_factory=dict)
    record: str = ""
    exclusive: bool = False
    unload: bool = False


@dataclass(frozen=True)
class State:
    """Digest of each model that the server holds, by full name, and the models in memory.

    `reachable` is false while the server's container does not run.
    """

    held: Mapping[str, str] = field(default_factory=dict)
    loaded: Sequence[str] = ()
    reachable: bool = True


def plan(state: State, goal: Goal) -> list[Change]:
    """Return the changes in their order: deletions, unloads, pulls.

    A change is `delete`, `unload` or `pull` of a model.

    Raises:
        OllamaError: a model is not the recorded one.
    """
    names = {full_name(name): name for name in goal.names}
    moved = [
        f"{name}: found {state.held[full]}, expected the recorded {goal.recorded[name]}: its tag was moved."
        for full, name in names.items()
        if state.held.get(full) and state.held[full] != goal.recorded.get(name, state.held[full])
    ]
    if moved:
        raise OllamaError(
            "\n".join(moved) + f"\nNext: to accept the new model, delete its line in {goal.record}, then run again"
        )
    changes = [Change("delete", full) for full in sorted(state.held) if goal.exclusive and full not in names]
    changes += [Change("unload", full) for full in state.loaded if goal.unload and full not in names]
    return changes + [Change("pull", name) for full, name in names.items() if full not in state.held]


def predict(state: State, changes: Sequence[Change]) -> State:
    """Return the state after the changes. The digest of a pulled model is unknown until then."""
    held, loaded = dict(state.held), list(state.loaded)
    for change in changes:
        if change.kind == "delete":
            held.pop(change.subject, None)
        elif change.kind == "unload":
            loaded.remove(change.subject)
        else:
            held[full_name(change.subject)] = ""
    return replace(state, held=held, loaded=loaded)


def show(state: State, goal: Goal) -> dict[str, Any]:
    """Return the digest of each desired model that the server holds."""
    digests = {name: state.held.get(full_name(name)) for name in goal.names}
    return {"digests": {name: digest for name, digest in digests.items() if digest}}


def diff(before: State, after: State) -> dict[str, str]:
    """Return the models as diff mode shows them."""
    return {"before": _listing(before), "after": _listing(after)}


def _listing(state: State) -> str:
    return "".join(f"{name} {digest or '(known after the pull)'}\n" for name, digest in sorted(state.held.items()))
