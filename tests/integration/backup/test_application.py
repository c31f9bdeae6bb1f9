# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of the application: save and load its schema with a document, and start the application on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tars_app.adapters import postgres as application
from tars_app.settings import Settings
from tars_backup.components.postgres import Postgres, identity, load

from .conftest import Database, Databases, Household
from .staged import stage_component

pytestmark = pytest.mark.integration

ROWS = """
INSERT INTO sources (name, root, available) VALUES ('docs', '/documents/docs', true);
INSERT INTO documents (source, path, size, mtime_ns) VALUES ('docs', 'bill.txt', 3, 1);
INSERT INTO versions (document_id, sha256, size, modified, state)
    SELECT id, 'ab', 3, 'infinity', 'indexed' FROM documents;
UPDATE documents SET answered_from = versions.id FROM versions;
INSERT INTO passages (hash, text, language, searchable) VALUES (sha256('a'), E'the bill\\r\\n', 'english', true);
INSERT INTO version_texts SELECT id, ARRAY[sha256('a')], ARRAY[0], ARRAY[''], ARRAY[''], ARRAY[''] FROM versions;
INSERT INTO vectors VALUES (sha256('a'), 'all-minilm', '\\x00ff3c00');
INSERT INTO document_passages SELECT id, sha256('a') FROM documents;
INSERT INTO document_paths SELECT id, now(), path FROM documents;
"""


def settings(database: Database) -> Settings:
    return Settings(
        postgres_host="127.0.0.1",
        postgres_port=database.contract["port"],
        postgres_db=database.contract["name"],
        postgres_user="tars",
        chat_model="chat",
        embedding_model="all-minilm",
    )


def test_application_starts_on_the_loaded_database(household: Household, databases: Databases) -> None:
    source, target = databases.create(), databases.create()
    application.migrate(settings(source))
    source.execute(ROWS)
    used = household.with_contract(database=source.contract)
    folder = household.folder / "postgres"
    counts = stage_component(Postgres(), used.context, folder)
    assert Postgres().check(folder, counts) == []
    load(household.services, target.contract, folder, deadline_s=60)
    assert identity(household.services, target.contract, deadline_s=60).revision == application.required_schema()
    application.migrate(settings(target))
    assert target.execute(
        "SELECT path, text, terms::text, embedding FROM document_passages"
        " JOIN documents ON id = document_id JOIN passages USING (hash) JOIN vectors USING (hash)"
    ) == [("bill.txt", "the bill\r\n", "'bill':2", b"\x00\xff\x3c\x00")]
    # What the application knows of the time before the backup's moment is older than this schema.
    assert target.execute("SELECT count(*) FROM volatile.origin, versions WHERE created_at > seen_from") == [(1,)]


def test_scans_do_not_change_the_backup(household: Household, databases: Databases) -> None:
    source = databases.create()
    application.migrate(settings(source))
    source.execute(ROWS)
    used = household.with_contract(database=source.contract)
    folder: Path = household.folder / "postgres"
    stage_component(Postgres(), used.context, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    source.execute("INSERT INTO volatile.scans (source) VALUES ('docs')")
    source.execute("UPDATE volatile.origin SET created_at = now()")
    stage_component(Postgres(), used.context, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
