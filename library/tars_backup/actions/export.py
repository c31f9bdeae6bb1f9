# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a backup to an archive that can be restored by hand, without this program and without restic.

The archive is a tar.gz: both programs are on every system, and Python's standard library writes them. Files for the
hand are added: RECOVERY.md, SHA256SUMS, and scripts that bring back the database and the owners of files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from .. import catalog, destination, files
from ..configuration import Configuration
from ..context import Progress
from ..errors import BackupError, UsageError, VerificationError
from ..repository import verification
from ..restic import Restic
from . import recovery_guide

_DEADLINE_S = 6 * 3600.0
_COMPRESSION = 6
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Exported:
    """The archive: its path, size in bytes, number of files and SHA-256."""

    id: str
    path: Path
    files: int
    bytes: int
    sha256: str

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        yield f"{self.path}: {self.files} files of {self.id}, {self.bytes} bytes, SHA-256 {self.sha256}"
        yield "It contains all passwords and keys without encryption. RECOVERY.md in it has the steps to restore it."


class _Archive:
    """A tar file that is being written, and the SHA-256 of each file in it."""

    def __init__(self, tar: tarfile.TarFile, folder: str, made_at: datetime) -> None:
        self._tar = tar
        self._folder = folder
        self._time = int(made_at.timestamp())
        self.sums: dict[str, str] = {}

    def add(self, name: str, size: int, stream: IO[bytes]) -> None:
        entry = tarfile.TarInfo(f"{self._folder}/{name}")
        entry.size, entry.mode, entry.mtime = size, 0o600, self._time
        reader = _Hashing(stream)
        self._tar.addfile(entry, reader)
        self.sums[name] = reader.digest.hexdigest()

    def add_bytes(self, name: str, content: bytes) -> None:
        self.add(name, len(content), io.BytesIO(content))


class _Hashing:
    """A stream that computes the SHA-256 of what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        return block


def export(configuration: Configuration, name: str, output: Path, *, progress: Progress) -> Exported:
    """Write a backup to a new file with mode 0600; `output` is its path or its folder.

    Every file is compared with the manifest while it is written.

    Raises:
        BackupNotFoundError: there is no such backup.
        UsageError: the name of the file is that of another format.
        VerificationError: the backup cannot be read back whole; no archive is left.
    """
    if not output.is_dir() and output.suffixes[-2:] != [".tar", ".gz"]:
        # tar and people take the format from the name.
        raise UsageError(output, found="another name", expected="a folder, or a name that ends in .tar.gz")
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    backups = catalog.read(configuration, restic)
    mark = backups.resolve(name)
    snapshot = backups.snapshots[mark.id]
    document = catalog.manifest_of(restic, snapshot, mark)
    folder = f"tars-backup-{mark.id}"
    path = output / f"{folder}.tar.gz" if output.is_dir() else output
    if path.exists():
        raise BackupError(
            path, found="a file of this name", expected="a new name", next_step="Remove it, or use --output"
        )
    progress(f"writing {path}")
    with (
        _new_file(path) as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=cast("IO[bytes]", packed), mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        archive = _Archive(tar, folder, document.made_at)
        try:
            sums, lists = _copy(archive, verification.saved_files(restic, snapshot, deadline_s=_DEADLINE_S))
            problems = verification.compare(document, sums, mark)
        except tarfile.TarError as error:
            problems = [f"{mark.id}: {error}"]
        if problems:
            raise VerificationError(
                path,
                found="; ".join(problems),
                expected="the files that were saved",
                next_step=f"Run tars-backup verify {mark.id} --data, or export another backup",
            )
        for added, content in recovery_guide.additions(document, folder, lists, list(archive.sums)).items():
            archive.add_bytes(added, content.encode())
        listing = "".join(f"{digest}  {file}\n" for file, digest in sorted(archive.sums.items()))
        archive.add_bytes("SHA256SUMS", listing.encode())
    with path.open("rb") as stream:
        reader = _Hashing(stream)
        while reader.read(_BLOCK):
            pass
    return Exported(mark.id, path, len(archive.sums), path.stat().st_size, reader.digest.hexdigest())


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that gets its name when the block ends, and is removed if the block fails."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        files.sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _copy(
    archive: _Archive, saved: Iterator[tuple[str, str, int, IO[bytes]]]
) -> tuple[dict[str, dict[str, str]], dict[str, bytes]]:
    """Write all files; return their SHA-256 by component and path, and the content of the lists among them."""
    sums: dict[str, dict[str, str]] = {}
    lists: dict[str, bytes] = {}
    for component, file, size, stream in saved:
        name = f"{component}/{file}" if component else file
        if name in (recovery_guide.TABLES, *recovery_guide.LISTS):
            lists[name] = stream.read()
            archive.add_bytes(name, lists[name])
        else:
            archive.add(name, size, stream)
        sums.setdefault(component, {})[file] = archive.sums[name]
    return sums, lists
