# SPDX-License-Identifier: GPL-3.0-or-later
"""Random sequences of changes, runs, prunes and failures: every listed backup gives back exactly what was there."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile

import pytest

from tars_backup.errors import BackupError

from .desktop import Desktop

pytestmark = pytest.mark.integration


def content(desktop: Desktop) -> dict[str, bytes]:
    """Return the documents by path."""
    return {
        path.relative_to(desktop.documents).as_posix(): path.read_bytes()
        for path in desktop.documents.rglob("*")
        if path.is_file()
    }


def restored(desktop: Desktop, snapshot: str) -> dict[str, bytes]:
    """Return the documents of a snapshot, read by restic alone."""
    line = desktop.stock("--no-lock", "dump", "--archive", "tar", f"{snapshot}:files", "/")
    environment = {"HOME": str(desktop.folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(line, env=environment, check=True, capture_output=True, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        streams = {entry.name.lstrip("/"): archive.extractfile(entry) for entry in archive if entry.isfile()}
        return {name: stream.read() for name, stream in streams.items() if stream}


def change(desktop: Desktop, generator: random.Random) -> None:
    """Add, change, move or delete a document; names and contents repeat, so that states do too."""
    name = f"{generator.choice(['', 'a/', 'a/b/'])}{generator.choice('xyz ü')}"
    path = desktop.documents / name
    action = generator.choice(["write", "write", "append", "delete", "move"])
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if action == "write" or not path.exists():
        path.write_bytes(generator.choice([b"", b"one", b"\0\xff\r\n" * 9, os.urandom(70_000)]))
    elif action == "append":
        path.write_bytes(path.read_bytes() + b"more")
    elif action == "delete":
        path.unlink()
    else:
        path.rename(path.with_name(f"moved {path.name}"))


def test_every_listed_backup_equals_the_model(desktop: Desktop) -> None:
    generator = random.Random(5)
    desktop.write_settings(retention={"last": 6})
    whole = desktop.settings["restic"]
    model: dict[str, dict[str, bytes]] = {}
    order: list[str] = []
    for _ in range(14):
        for _ in range(generator.randint(0, 3)):
            change(desktop, generator)
        if generator.random() < 0.2:
            desktop.write_settings(restic="/bin/false")
            with pytest.raises(BackupError):
                desktop.run()
            desktop.write_settings(restic=whole)
            continue
        made = desktop.run()
        state = content(desktop)
        assert made.changed == (not order or model[order[-1]] != state)
        if made.changed:
            order.append(made.id)
            model[made.id] = state
        assert order[-1] == made.id
    listing = desktop.listing()
    assert {mark.id for mark in listing.backups} == set(order[-6:])
    snapshots = {snapshot.backup: snapshot.id for snapshot in desktop.restic.snapshots()}
    for mark in listing.backups:
        assert restored(desktop, snapshots[mark.id]) == model[mark.id]
    assert len(desktop.verify(every=True, data=True).backups) == 6
