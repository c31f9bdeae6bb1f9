# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person can act on."""


class Failure(Exception):
    """A failure whose text is the whole message: the object, what was wanted, what was found, and the next step."""

    exit_code = 1
