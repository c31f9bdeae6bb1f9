# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of the database, written by pg_dump without anything that differs between two equal databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import BackupError
from ...services import Services
from .session import environment

SECTIONS = ("pre-data", "post-data")
COMPLETE = b"-- PostgreSQL database dump complete"

_COMMAND = ("pg_dump", "--schema-only", "--no-owner", "--no-privileges", "--lock-wait-timeout=30000")


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
    keys = [line.split()[1] for line in lines[:10] if line.startswith(b"\\restrict ")]
    changing = {b"\\%s %s\n" % (word, key) for word in (b"restrict", b"unrestrict") for key in keys}
    return b"".join(line for line in lines if line not in changing and not line.startswith(b"-- Dumped "))
