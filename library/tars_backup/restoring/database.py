# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the data folder of a restored database, with a server of its own that nothing else can reach."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..components.postgres import Identity, identity, load
from ..components.postgres.catalog import row_counts, tables
from ..components.postgres.session import connect
from ..context import Context
from ..deadline import Deadline
from ..errors import BackupError, InterruptionError
from ..manifest import Part
from ..services import Scratch, Services, Stack
from . import folders

_START_S = 900.0
_STOP_S = 900.0
_QUERY_S = 600.0
_LOAD_S = 4 * 3600.0
_PAUSE_S = 0.5


def build(context: Context, saved: Path, part: Part, target: Path, *, living: str = "") -> None:
    """Load a saved database into a new data folder, and compare it.

    The new database lacks the application's schema `volatile`. That shows the application that it was restored: what
    was deleted since the backup is not answered from before the first complete scan.

    Args:
        context: of the command.
        saved: the restored folder of the component `postgres`.
        part: its entry of the manifest.
        target: the data folder to create.
        living: identifier of the household's database, in which nothing may be loaded; empty if it is not known.

    Raises:
        BackupError: the server does not start, refuses a statement, or is the household's.
        VerificationError: rows differ from the saved ones.
    """
    database = context.contract.database
    service = str(database["service"])
    folders.make(context.contract, service, target)
    password = "/run/secrets/postgres_password"  # noqa: S105  a path
    environment = {
        "POSTGRES_USER": str(database["user"]),
        "POSTGRES_DB": str(database["name"]),
        "POSTGRES_PASSWORD_FILE": password,
    }
    scratch = Scratch(target, environment, {Path(database["password_file"]): password})
    context.progress("starting an empty database")
    services = context.services.start_scratch(service, scratch)
    known = _wait(services, database, service)
    if known.identifier == living:
        raise BackupError(
            "empty database", found=f"the household's, with the identifier {living}", expected="a database of its own"
        )
    refuse_newer(part, known.number)
    context.progress("loading the database")
    load(services, database, saved, deadline_s=context.deadline.remaining_s("load of the database", at_most=_LOAD_S))
    context.services.stop_scratch(service, deadline_s=_STOP_S)


def refuse_newer(part: Part, number: int) -> None:
    """Check that the server is not of an older major version than the one that the backup was made of.

    Raises:
        BackupError: it is.
    """
    version = part.facts.get("postgres", "")
    major = version.partition(".")[0]
    if major.isdigit() and int(major) > number // 10000:
        raise BackupError(
            "backup",
            found=f"a database of PostgreSQL {version}",
            expected=f"PostgreSQL {number // 10000}, which the services use, or older",
            next_step="Use the version of T.A.R.S. that made this backup, or a newer one",
        )


def rows(services: Services, database: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of rows of each table of the living database."""
    with connect(services, database, deadline_s=_QUERY_S) as session:
        present = tables(session)
        return {table.name: count for table, count in zip(present, row_counts(session, present))}


def _wait(services: Stack, database: Mapping[str, Any], service: str) -> Identity:
    """Wait until a server answers over TCP, which it does when the database is created; return its identity."""
    deadline = Deadline(_START_S)
    while True:
        try:
            return identity(services, database, deadline_s=30)
        except InterruptionError:
            raise
        except BackupError as error:
            health = services.health(service)
            if not health.running:
                raise BackupError(
                    "empty database", found=health.detail, expected="a server that starts in a new data folder"
                ) from error
        deadline.remaining_s("start of an empty database")
        time.sleep(_PAUSE_S)
