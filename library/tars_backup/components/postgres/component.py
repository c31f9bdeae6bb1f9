# SPDX-License-Identifier: GPL-3.0-or-later
"""The component `postgres`: definitions, rows and sequences of the database, all as of one moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ... import priority
from ...context import Context
from ...errors import BackupError
from ...services import Services
from ..staging import Staging
from . import catalog, rows
from .catalog import Table
from .dump import SECTIONS, definitions, is_complete
from .load import records
from .rows import Digest, TableFiles
from .session import Session, connect

MIGRATION_LOCK = 0x7A525301
"""Key of the advisory lock that the application holds while it changes the schema."""

_LOCK_S = 30
_IDLE_S = 60
_DUMP_S = 300


@dataclass(frozen=True)
class Identity:
    """What a backup's manifest states about the database.

    Attributes:
        version: PostgreSQL's version, as the server shows it.
        number: the same as a number: 170012 for 17.12.
        identifier: of the cluster, which a new data folder does not share.
        revision: of the application's schema (alembic); None for an empty database.
    """

    version: str
    number: int
    identifier: str
    revision: str | None


def identity(services: Services, database: Mapping[str, Any], *, deadline_s: float) -> Identity:
    """Return version and identity of a database of the contract. Raises BackupError if it does not answer."""
    with connect(services, database, deadline_s=deadline_s) as session:
        return _identity(session)


def _identity(session: Session) -> Identity:
    server = session.query(
        "SELECT pg_catalog.current_setting('server_version') AS version,"
        " pg_catalog.current_setting('server_version_num')::int AS number,"
        " (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS identifier,"
        " pg_catalog.to_regclass('public.alembic_version') IS NOT NULL AS migrated"
    )[0]
    revisions = session.query("SELECT version_num FROM public.alembic_version") if server["migrated"] else []
    revision = ", ".join(sorted(row["version_num"] for row in revisions)) or None
    return Identity(server["version"], server["number"], server["identifier"], revision)


class Postgres:
    """The database. Everything else can be rebuilt from it."""

    name = "postgres"
    derived = False

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write definitions and rows of one moment; return the numbers of tables and rows.

        Raises:
            BackupError: the database does not answer, a migration is in progress, or the rows are not complete.
        """
        database, limit_s = context.contract.database, context.deadline.remaining_s("backup of the database")
        with connect(context.services, database, deadline_s=limit_s) as session:
            _begin(session, limit_s)
            _lower_priority(context, session)
            snapshot = session.query("SELECT pg_catalog.pg_export_snapshot() AS id")[0]["id"]
            limit_s = context.deadline.remaining_s("pg_dump", at_most=_DUMP_S)
            dump = partial(definitions, context.services, database, snapshot=snapshot, deadline_s=limit_s)
            with ThreadPoolExecutor() as pool:
                dumps = [pool.submit(dump, section) for section in SECTIONS]
                tables = _Rows(context, session, staging, snapshot).stage()
                for section, dumped in zip(SECTIONS, dumps):
                    staging.write(f"{section}.sql", dumped.result())
            sequences = catalog.sequences(session)
            known = _identity(session)
        staging.write_json("tables.json", {"tables": [asdict(table) for table in tables], "sequences": sequences})
        # Without the identifier: a database that was restored is equal to the one that was saved.
        staging.write_json("facts.json", {"postgres": known.version, "revision": known.revision or ""})
        return {"tables": len(tables), "rows": sum(table.rows for table in tables)}

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what is incomplete: definitions that end early, tables whose files have other rows than listed."""
        try:
            tables, _ = records(folder)
            cut = [name for name in SECTIONS if not is_complete((folder / f"{name}.sql").read_bytes())]
            with ThreadPoolExecutor() as pool:
                whole = list(pool.map(partial(_is_whole, folder=folder), tables))
            differing = [table.name for table, equal in zip(tables, whole) if not equal]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return [f"{folder}: {error!r}"]
        problems = [f"{name}.sql ends early" for name in cut]
        problems += [f"table {name}: the rows differ from those that tables.json lists" for name in differing]
        listed = {"tables": len(tables), "rows": sum(table.rows for table in tables)}
        if listed != dict(counts):
            problems.append(f"tables.json lists {listed}, the manifest {dict(counts)}")
        return problems


def _begin(session: Session, limit_s: float) -> None:
    """End the sessions of killed runs, keep migrations waiting, and begin the transaction in which all is read.

    The lock comes before the transaction: its snapshot would be older than a migration that was waited for. A session
    whose client was killed ends by itself: psql reads the end of its input, and the server limits idle transactions.
    """
    _limit(session, limit_s)
    session.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
        " WHERE application_name = pg_catalog.current_setting('application_name')"
        " AND pid <> pg_catalog.pg_backend_pid()"
    )
    try:
        session.execute(f"SELECT pg_catalog.pg_advisory_lock_shared({MIGRATION_LOCK})")
    except BackupError as error:
        raise BackupError(
            "migration of the database",
            found=error.found,
            expected=f"no migration in progress for {_LOCK_S} s",
            next_step="Wait for the application's services to be healthy, then run the backup again",
        ) from error
    _begin_transaction(session, limit_s)


def _limit(session: Session, limit_s: float) -> None:
    session.execute(
        f"SET statement_timeout = {int(limit_s * 1000)}; SET lock_timeout = '{_LOCK_S}s';"
        f" SET idle_in_transaction_session_timeout = '{_IDLE_S}s'"
    )


def _begin_transaction(session: Session, limit_s: float, snapshot: str | None = None) -> None:
    """Begin the transaction in which all is read: as of now, or of an exported snapshot."""
    same = f"; SET TRANSACTION SNAPSHOT '{snapshot}'" if snapshot else ""
    session.execute(
        f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{same};"
        f" SELECT pg_catalog.set_config('transaction_timeout', '{int(limit_s * 1000)}', true)"
        " WHERE pg_catalog.current_setting('server_version_num')::int >= 170000"
    )


def _lower_priority(context: Context, session: Session) -> None:
    """Let the server process of a session run with the priority of this program, if that is low and it may be set."""
    if priority.is_low():
        server = session.query("SELECT pg_catalog.pg_backend_pid() AS pid")[0]["pid"]
        command = ["chrt", "-i", "-p", "0", str(server)]
        done = context.services.exec(context.contract.database["service"], command, deadline_s=_LOCK_S)
        if done.status:
            context.progress(f"the database works with its usual priority: {done.errors.strip()}")


class _Rows:
    """The rows of all tables, read by one session or, unless this is to leave the processor to others, by two.

    The server, psql and this program wait for each other: one stream uses about one processor.
    """

    def __init__(self, context: Context, session: Session, staging: Staging, snapshot: str) -> None:
        self._context, self._session, self._staging, self._snapshot = context, session, staging, snapshot
        self._tables = catalog.tables(session)
        self._counts = catalog.row_counts(session, self._tables)
        self._waiting = deque(sorted(range(len(self._tables)), key=lambda number: -self._counts[number]))
        self._staged: dict[int, TableFiles] = {}
        self._ended = False

    def stage(self) -> list[TableFiles]:
        """Write the rows of all tables, and return the tables' entries by name."""
        with ThreadPoolExecutor() as pool:
            second = None if priority.is_low() else pool.submit(self._stage_alongside)
            try:
                self._stage_waiting(self._session)
                while second and not wait([second], timeout=_IDLE_S / 4).done:
                    self._session.execute("SELECT")  # the server ends a session that is idle in a transaction
            finally:
                self._ended = True
            if second:
                second.result()
        return [self._staged[number] for number in range(len(self._tables))]

    def _stage_alongside(self) -> None:
        database, limit_s = self._context.contract.database, self._context.deadline.remaining_s("rows of the database")
        with connect(self._context.services, database, deadline_s=limit_s) as session:
            _limit(session, limit_s)
            _begin_transaction(session, limit_s, self._snapshot)
            self._stage_waiting(session)

    def _stage_waiting(self, session: Session) -> None:
        while self._waiting:
            with suppress(IndexError):  # the other session took the last table
                number = self._waiting.popleft()
                table, count = self._tables[number], self._counts[number]
                self._context.progress(f"database: {table.name}, {count} rows")
                self._staged[number] = rows.stage(self._staging, table, self._blocks(session, table), count)

    def _blocks(self, session: Session, table: Table) -> Iterator[bytes]:
        for block in session.blocks(table.copy):
            if self._ended:
                raise BackupError(f"table {table.name}", found="an end of the backup", expected="all of its rows")
            yield block


def _is_whole(table: TableFiles, folder: Path) -> bool:
    digest = Digest()
    for block in rows.read(table, folder):
        digest.add(block)
    return (digest.rows, digest.hex) == (table.rows, table.digest)
