# SPDX-License-Identifier: GPL-3.0-or-later
"""The component `redis`: the queue, rate limits and unfinished answers. An empty Redis loses no document."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..context import Context
from ..errors import BackupError
from .staging import Staging

_FILE = "dump.rdb"
_BLOCK = 1 << 20

# Written to a file first: into a pipe, redis-cli appends the mark by which the transfer ends, and a server does not
# start with that. Without a delay the server does not wait for more replicas, of which there are none.
_SCRIPT = """\
file=${TMPDIR:-/tmp}/tars-backup.rdb
trap 'rm -f "$file"' EXIT
redis-cli -p "$1" config set repl-diskless-sync-delay 0 >&2
redis-cli -p "$1" --rdb "$file" >&2
redis-check-rdb "$file" >&2
cat "$file"
"""


class Redis:
    """A dump over the wire, checked by Redis's own program."""

    name = "redis"
    derived = True

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write dump.rdb; return its size in bytes.

        Raises:
            BackupError: Redis does not answer, refuses the password, or the dump is not whole.
        """
        queue = context.contract.queue
        path = Path(queue["password_file"])
        try:
            password = path.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise BackupError(path, found=error.strerror, expected="a readable file with the password") from error
        context.progress("queue")
        with (
            context.services.stream(
                queue["service"],
                ["sh", "-eu", "-c", _SCRIPT, "sh", str(queue["port"])],
                deadline_s=context.deadline.remaining_s("backup of the queue", at_most=300),
                environment={"REDISCLI_AUTH": password},
            ) as stream,
            staging.file(_FILE) as file,
        ):
            while block := stream.stdout.read(_BLOCK):
                file.write(block)
            stream.finish()
        counts = {"bytes": staging.size}
        problems = self.check(staging.folder, counts)
        if problems:
            raise BackupError(f"dump of {queue['service']}", found="; ".join(problems), expected="a whole dump")
        return counts

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what is wrong with the dump: absent, of another size, or without its beginning or end."""
        try:
            with (folder / _FILE).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                start = file.read(5)
                file.seek(max(0, size - 9))  # the operation 255, and a checksum of 8 bytes
                end = file.read(1)
        except OSError as error:
            return [f"{folder / _FILE}: {error.strerror}"]
        problems = [] if size == counts.get("bytes") else [f"{_FILE} has {size} bytes, the manifest {counts}"]
        if start != b"REDIS" or end != b"\xff":
            problems.append(f"{_FILE} is not a whole dump of Redis")
        return problems


def write_append_only(dump: Path, folder: Path) -> None:
    """Put a dump into an empty data folder in the form that a server with `appendonly yes` reads at its start.

    A server with an append-only file ignores dump.rdb, and starts empty.
    """
    target = folder / "appendonlydir"
    target.mkdir(mode=0o700)
    base = "appendonly.aof.1.base.rdb"
    with dump.open("rb") as source, (target / base).open("xb") as file:
        while block := source.read(_BLOCK):
            file.write(block)
    (target / "appendonly.aof.manifest").write_text(f"file {base} seq 1 type b\n", encoding="ascii")
