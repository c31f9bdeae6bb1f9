# SPDX-License-Identifier: GPL-3.0-or-later
"""One psql process in the database's container, driven through its pipes."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import BackupError
from ...services import Services, Stream

NAME = "tars-backup"
"""The application name of every session, by which those of a killed run are recognized."""

_BLOCK = 1 << 20

_PSQL = ("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1")

# Text forms that do not depend on the settings of the server, nothing hidden by row security, and rows in the order of
# the index instead of a sort on disk, by one process beside the living service.
_SETTINGS = """\
SET client_encoding = 'UTF8';
SET search_path = '';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SET bytea_output = 'hex';
SET extra_float_digits = 3;
SET row_security = off;
SET synchronize_seqscans = off;
SET enable_sort = off;
SET max_parallel_workers_per_gather = 0;
"""


def identifier(name: str) -> str:
    """Return a name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


class Session:
    """A connection to the database. Every method raises BackupError with psql's error message if a statement fails."""

    def __init__(self, stream: Stream) -> None:
        """Use the pipes of a psql process."""
        self._stream = stream
        # Cannot be a row of a table: it is new in every session and the server never sees it.
        self._end = f"end-{secrets.token_hex(16)}"

    def blocks(self, statement: str) -> Iterator[bytes]:
        """Run a statement and yield its output in blocks of whole lines, each of about 1 MiB."""
        self._stream.send(f"{statement};\n\\echo {self._end}\n".encode())
        end = f"{self._end}\n".encode()
        pieces: list[bytes] = []
        size, tail = 0, b""
        while piece := os.read(self._stream.stdout.fileno(), _BLOCK):
            pieces.append(piece)
            size += len(piece)
            tail = (tail + piece)[-len(end) :]
            # psql prints nothing after the end before it gets the next statement.
            if tail == end:
                yield b"".join(pieces)[: -len(end)]
                return
            if size >= _BLOCK:
                lines, line_feed, rest = b"".join(pieces).rpartition(b"\n")
                yield lines + line_feed
                pieces, size = [rest], len(rest)
        raise self._stream.failure()

    def execute(self, statements: str) -> None:
        """Run statements whose output does not matter."""
        for _ in self.blocks(statements):
            pass

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a query, with values as in JSON."""
        # Statements are constants of this program; names of tables in them are quoted.
        select = f"SELECT coalesce(jsonb_agg(to_jsonb(result)), '[]') FROM ({statement}) AS result"  # noqa: S608
        rows = b"".join(self.blocks(select))
        result: list[dict[str, Any]] = json.loads(rows)
        return result


def environment(database: Mapping[str, Any], name: str = NAME) -> dict[str, str]:
    """Return libpq's variables for a database of the contract, with its password.

    Raises:
        BackupError: the password file cannot be read.
    """
    path = Path(database["password_file"])
    try:
        password = path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise BackupError(path, found=error.strerror, expected="a readable file with the password") from error
    return {
        "PGHOST": "127.0.0.1",  # not the socket, on which the server that initialises a database listens too
        "PGPORT": str(database["port"]),
        "PGDATABASE": database["name"],
        "PGUSER": database["user"],
        "PGPASSWORD": password,
        "PGAPPNAME": name,
        "PGCONNECT_TIMEOUT": "10",
    }


@contextmanager
def connect(
    services: Services, database: Mapping[str, Any], *, deadline_s: float, name: str = NAME
) -> Iterator[Session]:
    """Yield a session with a database of the contract; it ends with the block."""
    with services.stream(
        database["service"], _PSQL, deadline_s=deadline_s, environment=environment(database, name)
    ) as stream:
        session = Session(stream)
        session.execute(_SETTINGS.rstrip(";\n"))
        yield session
        stream.finish()
