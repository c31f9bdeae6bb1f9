# SPDX-License-Identifier: GPL-3.0-or-later
"""Each object of a repository with a flipped byte, cut in half, and deleted: verify fails if reading back does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tars_backup.errors import BackupError

from .desktop import Desktop

pytestmark = pytest.mark.integration


def flip(content: bytes) -> bytes | None:
    """Change one bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def halve(content: bytes) -> bytes | None:
    """Cut the second half off."""
    return content[: len(content) // 2]


def delete(content: bytes) -> bytes | None:
    """Leave no file."""
    return None


def replace(path: Path, content: bytes | None) -> None:
    """Give a file other content, or delete it."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


@pytest.mark.parametrize(
    "mutation", [flip, *(pytest.param(mutation, marks=pytest.mark.steps) for mutation in (halve, delete))]
)
def test_verify_fails_whenever_reading_back_does(desktop: Desktop, mutation: Callable[[bytes], bytes | None]) -> None:
    (desktop.documents / "photo").write_bytes(os.urandom(3000))
    backups = [desktop.run().id]
    (desktop.documents / "photo").write_bytes(os.urandom(3000))
    (desktop.documents / "second.txt").write_text("second")
    backups.append(desktop.run().id)
    snapshots = {snapshot.backup: snapshot.id for snapshot in desktop.restic.snapshots()}
    whole = {name: archive(desktop, snapshots[name]) for name in backups}
    assert desktop.verify(every=True, data=True).backups == tuple(backups)
    objects = [path for path in sorted(desktop.share.rglob("*")) if path.is_file() and path.parent.name != "locks"]
    assert len(objects) >= 12, objects
    for path in objects:
        content = path.read_bytes()
        replace(path, mutation(content))
        readable = all(archive(desktop, snapshots[name]) == whole[name] for name in backups)
        name = path.relative_to(desktop.share)
        try:
            desktop.verify(every=True, data=True)
        except BackupError as error:
            # It may report what does not stop a restore, if it names it.
            words = (path.name, *backups, "config")
            assert not readable or any(word in str(error) for word in words), f"{name}: {error}"
        else:
            assert readable, f"{name}: cannot be read back, and verify has not noticed"
            assert is_covered(path), f"{name}: verify has not noticed"
        replace(path, content)
    assert desktop.verify(every=True, data=True).backups == tuple(backups)


def is_covered(path: Path) -> bool:
    """Return whether a backup is proven without this file: its mark is in the state of the desktop or the manifest.

    The time of the last good backup is there for other computers to watch, and no part of a backup.
    """
    return path.parent.name == "good" or path.name == "last-good.json"


def archive(desktop: Desktop, snapshot: str) -> bytes | None:
    """Return all files of a snapshot, read by restic alone; None if it fails."""
    line = desktop.stock("--no-lock", "--no-cache", "dump", snapshot, "/")
    done = subprocess.run(line, env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}, capture_output=True, timeout=60)
    return done.stdout if done.returncode == 0 else None
