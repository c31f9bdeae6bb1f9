# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that releases with other database schemas made are restored, and migrated by the application.

`releases/REVISION.tar.gz` is the share of a desktop with one backup, made by the release whose newest migration is
REVISION; its key is that of the tests' desktops.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tars_app.adapters import postgres as application
from tars_app.settings import Settings

from ..test_application import ROWS
from .household import Household

pytestmark = pytest.mark.integration

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.tar.gz"))


def settings(home: Household) -> Settings:
    return Settings(
        postgres_host="127.0.0.1",
        postgres_port=home.ports.postgres,
        postgres_db="tars",
        postgres_user="tars",
        chat_model="chat",
        embedding_model="all-minilm",
    )


@pytest.fixture
def empty(home: Household) -> Iterator[Household]:
    """A desktop without a backup, and with an empty database."""
    shutil.rmtree(home.share)
    home.share.mkdir()
    shutil.rmtree(home.configuration.state)
    home.execute("DROP TABLE documents; DROP SCHEMA volatile CASCADE")
    yield home


def test_the_present_schema_is_among_the_releases(empty: Household, template: Path, tmp_path: Path) -> None:
    """If not, make its backup; the message names the folder for it."""
    name = f"{application.required_schema()}.tar.gz"
    if name not in {path.name for path in RELEASES}:
        empty.use(template)
        application.migrate(settings(empty))
        empty.execute(ROWS)
        empty.run()
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(empty.share, ".")
        pytest.fail(f"{name} is not among the releases; copy {tmp_path / name} to {Path(__file__).parent / 'releases'}")


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name.split(".")[0])
def test_a_backup_of_a_release_is_restored_and_migrated(empty: Household, release: Path) -> None:
    with tarfile.open(release) as archive:
        archive.extractall(empty.share, filter="data")
    empty.write_settings(repository_id=empty.restic.repository_id())
    (backup,) = empty.listing().backups
    assert empty.verify().backups == (backup.id,)
    assert empty.restore().id == backup.id
    empty.wait()
    application.migrate(settings(empty))
    assert empty.execute("SELECT version_num FROM alembic_version") == [(application.required_schema(),)]
    assert empty.execute(
        "SELECT path, text, terms::text, embedding FROM document_passages"
        " JOIN documents ON id = document_id JOIN passages USING (hash) JOIN vectors USING (hash)"
    ) == [("bill.txt", "the bill\r\n", "'bill':2", b"\x00\xff\x3c\x00")]
    with pytest.raises(psycopg.errors.UniqueViolation):
        empty.execute("INSERT INTO sources (name, root, available) VALUES ('docs', '/elsewhere', true)")
