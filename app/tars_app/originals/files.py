# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a file on a share, which is compared with the record before and while it is passed on."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

from tars_app.adapters.deadline import Deadline
from tars_app.adapters.mounts import mount_of_share, open_beneath

_BLOCK = 1024 * 1024


class ChangedError(Exception):
    """The file does not have the content that is on record."""


class OpenFile:
    """An open file of a share. Every call that the NAS has to answer has a deadline."""

    def __init__(self, deadline: Deadline, root: Path, folder: Path, path: str, require_mount: bool) -> None:
        """Open the file `path` of a folder, which is in the share that is mounted at `root`.

        Raises:
            ShareUnavailableError: the share is not mounted or does not answer.
            LateError: it has not answered in time.
            OSError: as `open_beneath`.
        """
        self._deadline = deadline

        def open_file() -> tuple[int, int]:
            mount_of_share(root, require_mount)
            with open_beneath(folder, path) as descriptor:
                return os.dup(descriptor), os.fstat(descriptor).st_size

        descriptor, self.size = deadline.call(open_file, late=lambda opened: os.close(opened[0]))
        # Closed with the last reference to it: a client may leave before the first block.
        weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor

    def blocks(self) -> Iterator[bytes]:
        """Yield the content. Raises LateError and OSError as the constructor."""
        offset = 0
        while block := self._read(offset):
            yield block
            offset += len(block)

    def _read(self, offset: int) -> bytes:
        return self._deadline.call(lambda: os.pread(self._descriptor, _BLOCK, offset))

    def verified_blocks(self, sha256: str) -> Iterator[bytes]:
        """Yield the content, the last block only where all of it has this hash: no other content is ever complete.

        Raises:
            ChangedError: it has another hash.
        """
        digest = hashlib.sha256()
        last = b""
        for block in self.blocks():
            digest.update(block)
            if last:
                yield last
            last = block
        if digest.hexdigest() != sha256:
            raise ChangedError
        if last:
            yield last
