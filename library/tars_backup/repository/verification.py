# SPDX-License-Identifier: GPL-3.0-or-later
"""Read backups back and compare them with what was saved."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import IO, cast

from .. import catalog, instants, manifest
from ..configuration import Configuration
from ..deadline import Deadline
from ..errors import BackupError, DestinationError, VerificationError
from ..manifest import Manifest, Mark
from ..restic import Restic, Snapshot
from ..state import State
from . import packs

_BLOCK = 1 << 20
_DAY = timedelta(days=1)
_EVERY = timedelta(hours=20)
"""Time between two readings of a part of the repository: the daily one may come a little early."""


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
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", output), mode="r|", bufsize=_BLOCK) as archive:
                for entry in archive:
                    stream = archive.extractfile(entry) if entry.isfile() else None
                    if stream is not None:
                        component, separator, path = entry.name.strip("/").partition("/")
                        yield component if separator else "", path or component, entry.size, stream
        except tarfile.TarError:
            output.read()
            output.finish()  # the reason of restic, if it has one
            raise
        output.read()
        output.finish()


def read_daily_share(configuration: Configuration, moment: datetime, deadline: Deadline, *, at_most: int = 1) -> None:
    """Once a day, read one of the SHARES parts of the repository, so that every byte is read within 30 days.

    A repository that was not connected for some days gets `at_most` so many parts at once.

    Raises:
        VerificationError: a file is damaged. The same parts are read again by the next call.
    """
    state = State(configuration.state)
    last = {"at": None, "position": -1, "count": 1, "problems": [], **state.read("share")}
    passed = moment - instants.from_text(last["at"]) if last["at"] else _DAY
    if timedelta(0) <= passed < _EVERY and not last["problems"]:
        return
    position, count = last["position"], last["count"]
    if not last["problems"]:
        count = max(1, min(at_most, round(passed / _DAY)))
        position = (position + count) % packs.SHARES
    sizes = packs.sizes(configuration.repository)
    chosen = [name for number in range(count) for name in packs.share(sizes, position - number)]
    problems = packs.damaged(configuration.repository, {name: sizes[name] for name in chosen}, deadline)
    record = {"at": instants.to_text(moment), "position": position, "count": count, "problems": problems}
    state.write("share", record)
    if problems:
        raise VerificationError(
            configuration.repository,
            found="; ".join(problems),
            expected="files with the bytes that were saved",
            next_step="Run tars-backup verify --all --data to see which backups are affected",
        )
