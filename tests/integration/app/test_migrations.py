# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of every released schema are upgraded with what they hold."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tars_app.adapters.passage_index import PassageIndex
from tars_app.adapters.passage_words import words_of
from tars_app.adapters.postgres import make_pool, migrate
from tars_app.documents import repository
from tars_app.documents.chunks import chunk_page
from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers.model import Section
from tars_app.documents.visible import visible_versions
from tars_app.retrieval.places import load_passages, open_passage
from tars_app.settings import Settings

from .conftest import Server
from .databases import connect, empty_database, public_rows, upgrade
from .helpers import INVARIANTS

pytestmark = pytest.mark.integration

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LONG = "\n\n".join(f"Paragraph {number} is about the {number}th apple tree in the garden." for number in range(200))
SHARED = "The house rules: no shoes on the sofa."
DOCUMENTS = {
    "house/heating.pdf": [
        Section(1, "\n Heating\n\nThe boiler is in the cellar. \n", "page 1"),
        Section(3, "Faults\n\nF28: no flame.", "page 3"),
    ],
    "garden.txt": [Section(NO_PAGE, f"\n\n{LONG}\n")],
    "rules.txt": [Section(NO_PAGE, f"{SHARED}\n")],
    "copy of rules.txt": [Section(NO_PAGE, f"\n{SHARED}")],
    "ümlaut \U0001f333.txt": [Section(NO_PAGE, "Bäume 🌳 im Garten, " + "x" * 3000 + " und\u2028Ende.\u00a0")],
}


def fill(connection: psycopg.Connection, revision: str) -> dict[UUID, list[Section]]:
    """Write what a household had with an old schema; return the pages of each version that had any."""
    connection.execute("INSERT INTO sources VALUES ('LLM_docs', '/documents/LLM_docs', true, NULL, %s)", (NOON,))
    kept: dict[UUID, list[Section]] = {}
    for number, (path, pages) in enumerate(DOCUMENTS.items()):
        document = _document(connection, path)
        # An older version, which has no text any more, and the one that is answered from.
        _version(connection, document, "indexed", NOON - timedelta(days=number + 1), NOON)
        version = _version(connection, document, "indexed", NOON, NOON + timedelta(days=1) if number == 1 else None)
        if number == 1:  # the newest version could not be read
            _version(connection, document, "failed", NOON + timedelta(days=1), None, error="The PDF is damaged.")
        _write_text(connection, version, pages)
        kept[version] = pages
    deleted = _document(connection, "gone.txt", deleted_at=NOON)
    _version(connection, deleted, "indexed", NOON - timedelta(days=3), NOON)
    waiting = _document(connection, "new.txt")
    _version(connection, waiting, "pending", NOON, None, queued_at=NOON)
    connection.execute("INSERT INTO unclaimed_vectors VALUES (%s, %s)", (uuid4(), NOON))
    if revision >= "0002":
        connection.execute("UPDATE versions SET attempts = 2, time_note = 'A note.', index_note = 'Another.'")
        connection.execute("INSERT INTO passes (started_at, progress_at) VALUES (%s, %s)", (NOON, NOON))
    return kept


def _document(connection: psycopg.Connection, path: str, **columns: Any) -> UUID:
    values = {"id": uuid4(), "source": "LLM_docs", "path": path, "size": 9, "mtime_ns": 1_700_000_000_123_456_789}
    return _insert(connection, "documents", values | columns)


def _version(
    connection: psycopg.Connection,
    document: UUID,
    state: str,
    seen_from: datetime,
    seen_to: datetime | None,
    **more: Any,
) -> UUID:
    values = {"id": uuid4(), "document_id": document, "sha256": uuid4().hex, "size": 9, "modified": seen_from}
    return _insert(
        connection, "versions", values | {"state": state, "seen_from": seen_from, "seen_to": seen_to, **more}
    )


def _insert(connection: psycopg.Connection, table: str, values: dict[str, Any]) -> UUID:
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values))
    marks = psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, values))
    insert = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id")
    row = connection.execute(insert.format(psycopg.sql.Identifier(table), names, marks), values).fetchone()
    assert row
    return UUID(str(row[0]))


def _write_text(connection: psycopg.Connection, version: UUID, pages: list[Section]) -> None:
    for page in pages:
        connection.execute("INSERT INTO pages VALUES (%s, %s, %s)", (version, page.number, page.text))
    for ordinal, chunk in enumerate(c for page in pages for c in chunk_page(page, 180, 1000)):
        connection.execute(
            """INSERT INTO chunks (id, version_id, ordinal, page, start_offset, end_offset, text, language)
               VALUES (%s, %s, %s, %s, %s, %s, %s, 'english')""",
            (uuid4(), version, ordinal, chunk.page, chunk.start, chunk.end, chunk.text),
        )


@pytest.fixture(params=["0001", "0002"])
def upgraded(request: pytest.FixtureRequest, postgres: Server) -> Any:
    with empty_database(postgres) as settings:
        upgrade(settings, request.param)
        with connect(settings) as connection:
            kept = fill(connection, request.param)
            before = snapshot(connection, request.param)
        migrate(settings)
        yield settings, kept, before


def snapshot(connection: psycopg.Connection, revision: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the records that every schema has."""
    notes = {"0001": "0, NULL, NULL"}.get(revision, "attempts, time_note, index_note")
    versions = f"""SELECT id, document_id, sha256, size, modified, seen_from, seen_to, state, error, pages, chunks,
                          ingest_s, {notes} FROM versions ORDER BY id"""  # noqa: S608  constants
    return {
        "sources": connection.execute("SELECT name, root, available, detail FROM sources").fetchall(),
        "documents": connection.execute(
            "SELECT id, source, path, size, mtime_ns::text, deleted_at FROM documents ORDER BY id"
        ).fetchall(),
        "versions": connection.execute(versions).fetchall(),
    }


def test_records_and_texts_are_kept(upgraded: tuple[Settings, dict[UUID, list[Section]], Any]) -> None:
    settings, kept, before = upgraded
    with connect(settings) as connection:
        assert snapshot(connection, "0003") == before
        for version, pages in kept.items():
            texts = connection.execute(
                """SELECT e.page, min(e.label), string_agg(e.before || p.text || e.after, '' ORDER BY e.ordinal)
                   FROM version_texts t, unnest(t.hashes, t.pages, t.before, t.after, t.labels) WITH ORDINALITY
                       AS e (hash, page, before, after, label, ordinal) JOIN passages p ON p.hash = e.hash
                   WHERE t.version_id = %s GROUP BY e.page ORDER BY e.page""",
                (version,),
            ).fetchall()
            assert texts == [(page.number, page.label, page.text) for page in pages]
        assert connection.execute("SELECT count(*) FROM version_texts").fetchone() == (len(kept),)
        assert connection.execute("SELECT count(*) FROM passages WHERE text = %s", (SHARED,)).fetchone() == (1,)
        for wrong in INVARIANTS[:-2]:
            if "state = 'indexed'" not in wrong:  # the old schemas kept no text of superseded versions
                assert connection.execute(wrong).fetchall() == [], wrong
        paths = connection.execute("SELECT document_id, path FROM document_paths ORDER BY 1").fetchall()
        assert paths == [(row[0], row[2]) for row in before["documents"]]


def test_the_documents_are_found_by_their_words(upgraded: tuple[Settings, Any, Any]) -> None:
    settings, _, _ = upgraded
    with make_pool(settings) as pool:
        repository.note_scan(pool, "LLM_docs")
        index = PassageIndex(pool, settings.embedding_model)
        with pool.connection() as connection:
            view = index.view(visible_versions(connection, None).ids)
            words, _ = words_of(connection, "the boiler in the cellar", view.languages)
            hits = index.lexical(view, words, 5)
            [passage] = load_passages(connection, index.places(view, [hits[0].hash]), {hits[0].hash: 1.0}).values()
            shared = hashlib.sha256(SHARED.encode()).digest()
            [rules] = load_passages(connection, index.places(view, [shared]), {shared: 1.0}).values()
        assert (passage.path, passage.page) == ("house/heating.pdf", 1)
        assert open_passage(pool, passage.chunk_id) == (passage, "\n ", " \n")
        assert [rules.path, *(place.path for place in rules.also_in)] == ["copy of rules.txt", "rules.txt"]


def test_starting_again_changes_nothing(upgraded: tuple[Settings, Any, Any]) -> None:
    settings, _, _ = upgraded
    with connect(settings) as connection:
        rows = public_rows(connection)
        migrate(settings)
        assert public_rows(connection) == rows


def test_a_restored_database_without_its_heartbeats_gets_new_ones(upgraded: tuple[Settings, Any, Any]) -> None:
    settings, _, _ = upgraded
    volatile = """SELECT relname FROM pg_class WHERE relnamespace = 'volatile'::regnamespace AND relkind = 'r'
                  ORDER BY relname"""
    with connect(settings) as connection:
        tables = connection.execute(volatile).fetchall()
        connection.execute("DROP SCHEMA volatile CASCADE")
        migrate(settings)
        assert connection.execute(volatile).fetchall() == tables
        assert ("passes",) in tables
        connection.execute("ALTER TABLE volatile.passes DROP COLUMN problem; COMMENT ON SCHEMA volatile IS 'older'")
        migrate(settings)
        assert connection.execute("SELECT problem FROM volatile.passes").fetchall() == []


def test_scanned_pages_that_were_only_named_are_recognised(postgres: Server) -> None:
    """So are files that were refused because all of their pages are scans."""
    refused = "The file has no text. Scanned pages have to go through text recognition first."
    with empty_database(postgres) as settings:
        upgrade(settings, "0009")
        with connect(settings) as connection:
            connection.execute("INSERT INTO sources VALUES ('LLM_docs', '/documents/LLM_docs', true, NULL)")
            noted, other, failed = (_document(connection, name) for name in ("a.pdf", "b.pdf", "c.pdf"))
            note = "5 of 9 pages have no text: 2, 4-6, 9. Page 3 is damaged and was not read."
            version = _version(connection, noted, "indexed", NOON, None, index_note=note)
            _version(connection, other, "indexed", NOON, None, index_note="Page 3 is damaged and was not read.")
            _version(connection, failed, "failed", NOON, None, error=refused, attempts=1)
        migrate(settings)
        with connect(settings) as connection:
            rows = connection.execute("SELECT version_id, scanned, remaining, pages FROM recognitions").fetchall()
            assert rows == [(version, [2, 4, 5, 6, 9], [2, 4, 5, 6, 9], 9)]
            again = connection.execute("SELECT document_id, error, attempts FROM versions WHERE state = 'pending'")
            assert again.fetchall() == [(failed, None, 0)]
