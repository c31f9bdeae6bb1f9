# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of the database, written by pg_dump without anything that differs between two equal databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import BackupError
from ...services import Services
from .catalog import VOLATILE
from .session import environment

SECTIONS = ("pre-data", "post-data")
COMPLETE = b"-- PostgreSQL database dump complete"

_HEAD = 10
"""Lines at the beginning among which pg_dump's own are."""

_COMMAND = (
    "pg_dump",
    "--schema-only",
    f"--exclude-schema={VOLATILE}",
    "--no-owner",
    "--no-privileges",
    "--lock-wait-timeout=30000",
)


def definitions(
    services: Services, database: Mapping[str, Any], section: str, *, snapshot: str, deadline_s: float
) -> bytes:
    """Return the SQL of a section, as of an exported snapshot.

    Raises:
        BackupError: pg_dump failed, or its output is not complete.
    """
    text = services.output(
        database["service"],
        [*_COMMAND, f"--section={section}", f"--snapshot={snapshot}"],
        deadline_s=deadline_s,
        environment=environment(database),
    )
    if not is_complete(text):
        raise BackupError(f"pg_dump of {section}", found=f"an end in {text[-80:]!r}", expected=COMPLETE.decode())
    return constant(text)


def is_complete(sql: bytes) -> bool:
    """Return whether a section has pg_dump's last line."""
    return COMPLETE in sql[-400:]


def constant(sql: bytes) -> bytes:
    r"""Remove the lines that differ from dump to dump: the versions, and the random key of ``\restrict``.

    psql of releases before August 2025 does not know ``\restrict``; `load` adds it where psql knows it.
    """
    lines = sql.splitlines(keepends=True)
    head, rest = lines[:_HEAD], lines[_HEAD:]
    restrict = next((line for line in head if line.startswith(b"\\restrict ")), b"")
    head = [line for line in head if line != restrict and not line.startswith(b"-- Dumped ")]
    unrestrict = restrict.replace(b"\\", b"\\un")
    return b"".join([*head, *(line for line in rest if not restrict or line != unrestrict)])
