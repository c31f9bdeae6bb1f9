# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tars_provision.errors import ProvisionError, unusable


def write_atomic(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `content` so that a reader or a crash reads the old content or the new one, never a part.

    The file has `mode` from its first byte on. Folders above it are made when missing. Raises ProvisionError.
    """
    try:
        _write(path, content, mode)
    except OSError as error:
        raise ProvisionError(unusable(path, error)) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too must leave no half-written file
        os.unlink(temporary)
        raise
