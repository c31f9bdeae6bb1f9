# SPDX-License-Identifier: GPL-3.0-or-later
"""Read backups back and compare them with what was saved."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from typing import IO, cast

from .. import catalog, manifest
from ..configuration import Configuration
from ..deadline import Deadline
from ..errors import BackupError, DestinationError
from ..manifest import Manifest, Mark
from ..restic import Restic, Snapshot
from . import packs

_BLOCK = 1 << 20


def differences(restic: Restic, snapshot: Snapshot, mark: Mark, *, deadline_s: float) -> list[str]:
    """Read all files of a backup back, and return how they differ from its manifest.

    Raises:
        DestinationError: the destination does not answer, or cannot be read.
    """
    try:
        document = catalog.manifest_of(restic, snapshot, mark)
        sums = _sums(restic, snapshot, deadline_s=deadline_s)
    except DestinationError:
        raise
    except (BackupError, tarfile.TarError) as error:
        return [f"{mark.id}: {error}"]
    return compare(document, sums, mark)


def compare(document: Manifest, sums: Mapping[str, Mapping[str, str]], mark: Mark) -> list[str]:
    """Return how files differ from a manifest; `sums` has the SHA-256 of each file by component and path."""
    problems = []
    if set(sums) - {"", *document.components}:
        problems.append(f"{mark.id}: components {sorted(sums)}; expected {sorted(document.components)}")
    for name, part in document.components.items():
        files = sums.get(name, {})
        if manifest.digest_of(files.items()) != part.digest:
            problems.append(f"{mark.id}: {name}: {len(files)} files whose digest differs from the manifest's")
    if manifest.content_of(document.components) != document.content or document.content != mark.content:
        problems.append(f"{mark.id}: the digest of its content differs from the mark's")
    return problems


def _sums(restic: Restic, snapshot: Snapshot, *, deadline_s: float) -> Mapping[str, dict[str, str]]:
    """Return the SHA-256 of each file of a snapshot, by component and path; the manifest has the component ''."""
    sums: dict[str, dict[str, str]] = {}
    for component, path, _, stream in saved_files(restic, snapshot, deadline_s=deadline_s):
        digest = hashlib.sha256()
        while block := stream.read(_BLOCK):
            digest.update(block)
        sums.setdefault(component, {})[path] = digest.hexdigest()
    return sums


def saved_files(restic: Restic, snapshot: Snapshot, *, deadline_s: float) -> Iterator[tuple[str, str, int, IO[bytes]]]:
    """Yield component, path, size and content of each file of a snapshot; the manifest has the component ''.

    Raises:
        BackupError, tarfile.TarError: a file cannot be read.
    """
    with restic.archive(snapshot.id, deadline_s=deadline_s) as output:
        with tarfile.open(fileobj=cast("IO[bytes]", output), mode="r|", bufsize=_BLOCK) as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isfile() else None
                if stream is not None:
                    component, separator, path = entry.name.strip("/").partition("/")
                    yield component if separator else "", path or component, entry.size, stream
        output.read()
        output.finish()


def read_share(configuration: Configuration, position: int, deadline: Deadline) -> list[str]:
    """Read one of the parts of the repository back, and return what is damaged."""
    sizes = packs.sizes(configuration.repository)
    chosen = packs.share(sizes, position)
    return packs.damaged(configuration.repository, {name: sizes[name] for name in chosen}, deadline)
