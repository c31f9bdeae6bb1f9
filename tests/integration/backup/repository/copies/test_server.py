# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy on a real rest-server over TLS, which accepts new backups and deletes none."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tars_backup.actions.bring_back import bring_back
from tars_backup.actions.copies import copy
from tars_backup.actions.init import init
from tars_backup.actions.list import list_backups
from tars_backup.actions.prune import prune
from tars_backup.actions.rotate import Passwords, rotate
from tars_backup.actions.verify import verify
from tars_backup.configuration import Configuration
from tars_backup.errors import BackupError, RepositoryAbsentError, UsageError
from tars_backup.restic import Restic
from tars_lab import restic as lab_restic

from ....servers import free_port
from ..desktop import Desktop

pytestmark = [pytest.mark.integration, pytest.mark.disaster]

NAME, ACCOUNT, PASSWORD = "away", "tars", "the password of the account"


def certificate(folder: Path) -> Path:
    """Return the certificate of the server, which has signed itself."""
    return folder / "certificate.pem"


def secret(desktop: Desktop) -> Path:
    """Return the file with the password of the account, beside the key."""
    return desktop.folder / f"backup_copy_{NAME}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a server in append-only mode."""
    folder = tmp_path / "server"
    folder.mkdir()
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()).decode()
    (folder / "htpasswd").write_text(f"{ACCOUNT}:{{SHA}}{digest}\n")
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=copies", "-addext", "subjectAltName=IP:127.0.0.1"]
    files: list[str | Path] = ["-keyout", folder / "key.pem", "-out", certificate(tmp_path)]
    subprocess.run([*make, *names, *files], check=True, capture_output=True)
    port = free_port()
    options: list[str | Path] = [
        "--append-only",
        "--private-repos",
        "--path",
        folder / "data",
        "--htpasswd-file",
        folder / "htpasswd",
    ]
    tls: list[str | Path] = ["--tls", "--tls-cert", certificate(tmp_path), "--tls-key", folder / "key.pem"]
    words: list[str | Path] = [lab_restic.server(), *options, *tls, "--listen", f"127.0.0.1:{port}"]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    while b"start server on" not in (tmp_path / "server.log").read_bytes():
        assert process.poll() is None, (tmp_path / "server.log").read_text()
        time.sleep(0.05)
    yield f"https://127.0.0.1:{port}/{ACCOUNT}/"
    process.kill()
    process.wait()


@pytest.fixture
def away(desktop: Desktop, server: str, tmp_path: Path) -> Desktop:
    """Return a desktop with a copy on the server."""
    secret(desktop).write_text(f"{PASSWORD}\n")
    shutil.copy(certificate(tmp_path), secret(desktop).with_suffix(".pem"))
    settings: dict[str, Any] = {"server": {"url": server, "account": ACCOUNT, "authority": True}}
    desktop.write_settings(copies={NAME: {**settings, "retention": {"last": 9}}})
    desktop.write_settings(copy_ids={NAME: init(copied(desktop), like=desktop.configuration).repository_id})
    return desktop


def copied(desktop: Desktop) -> Configuration:
    """Return the configuration of the copy."""
    return desktop.configuration.of_copy(NAME)


def quiet(line: str) -> None:
    """Print nothing."""


def change(desktop: Desktop, text: str) -> str:
    """Change a document, make a backup, and return its id."""
    (desktop.documents / "letter.txt").write_text(text)
    return desktop.run().id


def test_a_server_keeps_what_the_desktop_can_no_longer_delete(away: Desktop, server: str) -> None:
    assert not init(copied(away), like=away.configuration).changed
    first, second = change(away, "one"), change(away, "two")
    outcome = copy(away.configuration, NAME, dry_run=False, progress=quiet)
    assert outcome.copies[0].copied == (second, first)
    assert not copy(away.configuration, NAME, dry_run=False, progress=quiet).changed
    assert [mark.id for mark in list_backups(copied(away)).backups] == [first, second]
    assert verify(copied(away), "latest", every=True, data=False, progress=quiet).backups == (first, second)
    # The server refuses what the desktop's own program and account try.
    with pytest.raises(UsageError, match="append-only"):
        prune(copied(away), dry_run=False, progress=quiet)
    snapshots = [snapshot.id for snapshot in Restic(copied(away)).snapshots()]
    with contextlib.suppress(BackupError):
        Restic(copied(away)).forget(snapshots)
    assert [snapshot.id for snapshot in Restic(copied(away)).snapshots()] == snapshots
    # Another account, and a server that the CA did not sign.
    secret(away).write_text("another password\n")
    with pytest.raises(BackupError, match="401"):
        copy(away.configuration, NAME, dry_run=False, progress=quiet)
    secret(away).write_text(f"{PASSWORD}\n")
    away.settings["copies"][NAME]["server"]["authority"] = False
    away.write_settings()
    with pytest.raises(BackupError, match="certificate"):
        list_backups(copied(away))
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(server, timeout=60)  # noqa: S310  the server of this test


@pytest.mark.parametrize("survivor", ["desktop", "copy"])
def test_a_share_is_brought_back_from_a_server(away: Desktop, survivor: str) -> None:
    names = [change(away, "one"), change(away, "two")]
    copy(away.configuration, NAME, dry_run=False, progress=quiet)
    identity = away.configuration.repository_id
    shutil.rmtree(away.share)
    away.share.mkdir()
    if survivor == "copy":
        # A new desktop and a new share: the site playbook creates a repository with a new id.
        shutil.rmtree(away.folder / "backup")
        with pytest.raises(RepositoryAbsentError, match="run the site playbook"):
            bring_back(away.configuration, NAME, dry_run=False, progress=quiet)
        away.write_settings(repository_id=None)
        identity = away.init()
    brought = bring_back(away.configuration, NAME, dry_run=False, progress=quiet)
    assert set(brought.copied) == set(names)
    assert [mark.id for mark in away.listing().backups] == names
    assert away.restic.repository_id() == identity
    assert away.verify(every=True, data=True).backups == tuple(names)


def test_a_key_is_exchanged_but_the_server_keeps_the_former_one(away: Desktop) -> None:
    change(away, "one")
    copy(away.configuration, NAME, dry_run=False, progress=quiet)
    rotated = rotate(away.configuration, Passwords("another key of the household", None), alone=True)
    assert (rotated.places, rotated.kept) == (("NAS", NAME), (NAME,))
    assert f"{NAME}: remove the former key on the server, with restic key remove" in list(rotated.lines())
    change(away, "two")
    assert len(copy(away.configuration, NAME, dry_run=False, progress=quiet).copies[0].copied) == 1
