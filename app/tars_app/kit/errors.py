# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that is shown to people: something the service needs cannot be had right now."""

from __future__ import annotations


class Unavailable(Exception):
    """A dependency failed. `str(error)` says what, `next_step` what a person can do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step
