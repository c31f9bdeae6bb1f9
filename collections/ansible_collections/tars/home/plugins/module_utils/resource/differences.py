# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between a current and a desired state, found in the results of tasks that ran in check mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

# The keys that distinguish the entries of a list, in this order.
_KEYS = ("name", "client", "description", "share")


class Difference(NamedTuple):
    """One value that is not as desired; `found` and `expected` are in words."""

    object: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.object}: expected {self.expected}, found {self.found}"


def differences(subject: str, result: Mapping[str, Any]) -> list[Difference]:
    """Return what the result of a task in check mode shows about its subject, nothing where all is as desired.

    A module that returns `changes` is compared by its diff where that is two states as plain data, else by the
    sentences of `changes`. One that does not return `changes` differs if it is changed. A task that failed, even if
    `failed_when` denies it, is a difference with its message.
    """
    # A task whose `failed_when` is false keeps the message of the module.
    if result.get("failed") or (result.get("failed_when_result") is False and "msg" in result):
        return [Difference(subject, f"an error: {result.get('msg') or 'it failed without a message'}", "a comparison")]
    changes = [str(change) for change in result.get("changes") or ()]
    if not changes:
        changed = result.get("changed") and "changes" not in result
        return [Difference(subject, "another state", "the desired state")] if changed else []
    diff = result.get("diff")
    if isinstance(diff, Mapping) and isinstance(diff.get("before"), Mapping) and isinstance(diff.get("after"), Mapping):
        compared = [
            Difference(f"{subject}: {'.'.join(path)}", words(before), words(after))
            for path, before, after in _compare((), diff["before"], diff["after"])
        ]
        if compared:
            return compared
    return [Difference(subject, f"pending: {change}", "no pending change") for change in changes]


def words(value: Any) -> str:
    """Return a value as a part of a sentence."""
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(words(item) for item in value)
    return repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _compare(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Yield the innermost values that differ, each with the keys that lead to it."""
    left, right = _keyed(before), _keyed(after)
    left, right = (right and {} if before == [] else left), (left and {} if after == [] else right)
    if left is None or right is None:
        if before != after:
            yield path, before, after
        return
    for key in dict.fromkeys([*left, *right]):
        yield from _compare((*path, key), left.get(key), right.get(key))


def _keyed(value: Any) -> dict[str, Any] | None:
    """Return a mapping, or a list of mappings with a name each, as a dictionary; None for anything else."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    for key in _KEYS:
        if all(isinstance(item, Mapping) and key in item for item in value):
            return {str(item[key]): item for item in value}
    return None
