# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a document cannot be added, and what a person can do."""

from __future__ import annotations

import errno

from tars_app.adapters.mounts import reason
from tars_app.kit.errors import RefusedError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class NoUploadsError(RefusedError):
    """The spec names no folder for uploads."""

    code = "no_uploads"


class UnfitNameError(RefusedError):
    """The file would not be read under its name."""

    code = "unfit_name"
    status = 422


class EmptyError(RefusedError):
    """The file has no content."""

    code = "empty_file"
    status = 422


class UnreadFormatError(RefusedError):
    """Files of this format are not read."""

    code = "unread_format"
    status = 415


class WrongTypeError(RefusedError):
    """The request has another media type, as that of a form, which any other page may send."""

    code = "wrong_type"
    status = 415


class BrokenOffError(RefusedError):
    """The client has left before the end."""

    code = "broken_off"
    status = 400


class NoLengthError(RefusedError):
    """The request does not state how long it is."""

    code = "no_length"
    status = 411


class TooLargeError(RefusedError):
    """Files of this size are not read."""

    code = "too_large"
    status = 413


class NameTakenError(RefusedError):
    """The name is taken, also with a number."""

    code = "name_taken"
    status = 409


class BusyError(RefusedError):
    """Too many documents are being added."""

    code = "busy"
    status = 503


class FolderUnavailableError(RefusedError):
    """The folder is not mounted, does not answer, or cannot be written to."""

    code = "folder_unavailable"
    status = 503


class NoSpaceError(RefusedError):
    """The share is full, or the folder has too many files."""

    code = "no_space"
    status = 507


def explain(place: str, error: OSError) -> RefusedError:
    """Return the refusal for an error of the operating system in the folder that the library has at `place`."""
    if error.errno in _FULL:
        message = f"{place} is full: {reason(error)}."
        return NoSpaceError(message, "Delete files that are not needed, or raise the quota of the share.")
    if error.errno in _NOT_WRITABLE:
        message = f"{place} cannot be written to: {reason(error)}."
        step = "Let the desktop write to the share (access: rw in the spec), and check the permissions on the NAS."
        return FolderUnavailableError(message, step)
    if error.errno == errno.ENAMETOOLONG:
        return UnfitNameError("The name of the file is too long for the NAS.", "Give it a shorter name.")
    message = f"{place} does not answer: {reason(error)}."
    return FolderUnavailableError(message, "Check that the NAS is on and that the folder exists, then try again.")
