# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person can act on."""

from __future__ import annotations


class ProvisionError(Exception):
    """A failure whose text is the whole message: object, found, expected, next step (see :func:`message`)."""

    exit_code = 1


def message(subject: object, *, found: object, expected: str, next_step: str = "") -> str:
    """Return the text of an error in the form that all of them have: `SUBJECT: found X; expected Y. NEXT STEP.`"""
    text = f"{subject}: found {found}; expected {expected}"
    return f"{text}. {next_step.rstrip('.')}." if next_step else text
