# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are shown to people."""

from __future__ import annotations

from tars_app.kit.text import storable

MAX_SUMMARY_CHARACTERS = 300


class UnavailableError(Exception):
    """A dependency cannot be used right now. `str(error)` states which, `next_step` what a person can do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


class RefusedError(Exception):
    """A request that cannot be answered as it stands: `status` of HTTP, a `code` for programs, and further details."""

    status = 404
    code = "refused"

    def __init__(self, message: str, next_step: str, **details: object) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.details = details


def summarize(error: BaseException) -> str:
    """Return an unexpected exception as one line: its type and its message."""
    message = " ".join(storable(str(error)).split())
    return f"{type(error).__name__}: {message}"[:MAX_SUMMARY_CHARACTERS] if message else type(error).__name__
