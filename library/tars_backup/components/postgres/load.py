# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a saved database into an empty one, in a single transaction, and compare the rows."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import BackupError, VerificationError
from ...services import Services
from .catalog import SCHEMA, Table, tables
from .rows import Digest, TableFiles, read
from .session import Session, connect, environment, identifier

_PSQL = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", "--single-transaction")

_RESTRICT_SINCE = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
r"""First minor release of each major version whose psql knows ``\restrict`` (CVE-2025-8714)."""


def records(folder: Path) -> tuple[list[TableFiles], list[dict[str, Any]]]:
    """Return the tables and the sequences that `tables.json` lists. Raises OSError, ValueError, KeyError, TypeError."""
    document = json.loads((folder / "tables.json").read_bytes())
    return [TableFiles.of(record) for record in document["tables"]], document["sequences"]


def load(services: Services, database: Mapping[str, Any], folder: Path, *, deadline_s: float) -> None:
    """Load the component's folder into an empty database, and compare the rows of every table with the saved ones.

    Args:
        services: run programs in the service `database["service"]`, which need not be the household's.
        database: service, name, user, port and password_file, as in the contract.
        folder: the restored folder of the component.
        deadline_s: seconds for the loading, and again for the comparison.

    Raises:
        BackupError: a statement failed; the database is as empty as before.
        VerificationError: rows of the new database differ from the saved ones.
    """
    command = [*_PSQL, "--file=-"]
    with services.stream(
        database["service"], command, deadline_s=deadline_s, environment=environment(database)
    ) as stream:
        for block in script(folder, restrict=_knows_restrict(services, database["service"])):
            stream.send(block)
        stream.finish()
    with connect(services, database, deadline_s=deadline_s) as session:
        problems = compare(session, folder)
    if problems:
        raise VerificationError("restored database", found="; ".join(problems), expected="the saved rows")


def script(folder: Path, *, restrict: bool) -> Iterator[bytes]:
    r"""Yield the SQL that fills an empty database, rows included.

    `restrict` forbids psql's own commands, among them ``\!``, which a name in the definitions could contain.
    """
    key = secrets.token_hex(16).encode()
    if restrict:
        yield b"\\restrict %s\n" % key
    saved, sequences = records(folder)
    yield (folder / "pre-data.sql").read_bytes()
    for table in saved:
        columns = ", ".join(map(identifier, table.columns))
        yield f"COPY {SCHEMA}.{identifier(table.name)} ({columns}) FROM STDIN;\n".encode()
        yield from read(table, folder)
        yield b"\\.\n"
    for sequence in sequences:
        yield set_sequence(sequence).encode()
    yield (folder / "post-data.sql").read_bytes()
    if restrict:
        yield b"\\unrestrict %s\n" % key


def set_sequence(sequence: Mapping[str, Any]) -> str:
    """Return the statement that sets a sequence to its saved value."""
    name = f"{SCHEMA}.{identifier(sequence['name'])}".replace("'", "''")
    value, called = int(sequence["last_value"]), str(bool(sequence["is_called"])).lower()
    return f"SELECT pg_catalog.setval('{name}', {value}, {called});\n"


def compare(session: Session, folder: Path) -> list[str]:
    """Return how the rows of a database differ from the saved ones, a sentence for each table."""
    saved = {table.name: table for table in records(folder)[0]}
    present = {table.name: table for table in tables(session)}
    problems = [f"table {name} is absent" for name in sorted(saved.keys() - present.keys())]
    problems += [f"table {name} was not saved" for name in sorted(present.keys() - saved.keys())]
    for name in sorted(saved.keys() & present.keys()):
        problems += _difference(session, present[name], saved[name])
    return problems


def _difference(session: Session, table: Table, saved: TableFiles) -> list[str]:
    digest = Digest()
    for block in session.blocks(table.copy):
        digest.add(block)
    if digest.rows != saved.rows:
        return [f"table {table.name} has {digest.rows} rows, saved were {saved.rows}"]
    return [] if digest.hex == saved.digest else [f"table {table.name} has other values in its {saved.rows} rows"]


def _knows_restrict(services: Services, service: str) -> bool:
    output = services.output(service, ["psql", "--version"], deadline_s=60).decode()
    version = re.search(r"\) (\d+)(?:\.(\d+))?", output)
    if version is None:
        raise BackupError(f"psql in {service}", found=output.strip(), expected="a version")
    major, minor = int(version[1]), int(version[2] or 0)
    return major > max(_RESTRICT_SINCE) or minor >= _RESTRICT_SINCE.get(major, 1000)
