# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person can act on."""

from __future__ import annotations

import errno
from typing import Any


class ProvisionError(Exception):
    """A failure whose text is the whole message: object, found, expected, next step (see :func:`message`)."""

    exit_code = 1

    def as_data(self) -> dict[str, Any]:
        """Return the error as plain data, for `--json`."""
        return {"error": str(self)}


def message(subject: object, *, found: object, expected: str, next_step: str = "") -> str:
    """Return the text of an error in the form that all of them have: `SUBJECT: found X; expected Y. NEXT STEP.`"""
    text = f"{subject}: found {found}; expected {expected}"
    return f"{text}. {next_step.rstrip('.')}." if next_step else text


def unusable(
    path: object, error: OSError, *, expected: str = "a file or folder that can be used", next_step: str = ""
) -> str:
    """Return the message for a file or folder that the operating system refuses to read or write."""
    step = next_step or STEPS.get(error.errno or 0, "")
    return message(path, found=error.strerror or error, expected=expected, next_step=step)


STEPS = {
    errno.EACCES: "Give this account access to it, or name another folder",
    errno.EPERM: "Give this account access to it, or name another folder",
    errno.EROFS: "Mount its file system read-write, or name another folder",
    errno.ENOSPC: "Free disk space on its file system",
    errno.EDQUOT: "Free disk space within the quota of this account",
    errno.EEXIST: "Move the file that is in the place of a folder",
    errno.ENOTDIR: "Move the file that is in the place of a folder",
    errno.EISDIR: "Move the folder that is in the place of the file",
}
"""The next step by the operating system's error number."""
