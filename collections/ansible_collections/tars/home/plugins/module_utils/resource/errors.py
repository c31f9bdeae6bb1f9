# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures of a resource. Each message names the object, what was found, what was expected, and the next step."""

from __future__ import annotations

from collections.abc import Sequence


class ResourceError(Exception):
    """The resource cannot be read, planned or written. Every area of the collection derives its errors from this."""


class OutcomeUnknown(ResourceError):  # noqa: N818  # the outcome of a change; whether it is an error is not known
    """The answer to a change was lost: only reading back shows whether it was made."""


class Incomplete(ResourceError):  # noqa: N818  # the state of a run, with what it has changed
    """A run failed between its first and its last change.

    `done` names the changes that were made. `changed` is whether the resource differs from before, also by half a
    change; it is true if that is not known, and then the message states that.
    """

    def __init__(self, message: str, done: Sequence[str], changed: bool | None = None) -> None:
        self.done = list(done)
        self.changed = bool(done) if changed is None else changed
        super().__init__(message)


def unknown(message: str, wanted: Sequence[str]) -> Incomplete:
    """Return the failure after which the resource cannot be read any more."""
    return Incomplete(f"{message} Whether this was done is not known: {'; '.join(wanted)}.", [], True)


def explain(error: Exception) -> str:
    """Return an error in words; one of the operating system with the file it concerns and a next step."""
    if not isinstance(error, OSError):
        return str(error)
    subject = f"{error.filename}: " if error.filename else ""
    return f"{subject}{error.strerror or error}. Next: correct this on the machine, then run again."
