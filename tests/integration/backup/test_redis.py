# SPDX-License-Identifier: GPL-3.0-or-later
"""Dump Redis over the wire, and start a server on the dump."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tars_backup.components.redis import Redis, write_append_only
from tars_backup.errors import BackupError

from ..servers import REDIS_PASSWORD, Server, free_port, wait_for
from .conftest import Household
from .staged import stage_component

pytestmark = pytest.mark.integration

COMPONENT = Redis()


@pytest.fixture
def queue(redis_server: Server) -> redis.Redis:
    client = redis.Redis(port=int(redis_server.environment["REDIS_PORT"]), password=REDIS_PASSWORD)
    client.flushall()
    return client


@pytest.fixture
def used(household: Household, redis_server: Server) -> Household:
    port = int(redis_server.environment["REDIS_PORT"])
    return household.with_contract(queue={**household.context.contract.queue, "port": port})


def stage(household: Household) -> tuple[dict[str, int], Path]:
    folder = household.folder / "redis"
    counts = stage_component(COMPONENT, household.context, folder)
    assert COMPONENT.check(folder, counts) == []
    return counts, folder / "dump.rdb"


@contextmanager
def server(data: Path, *options: str) -> Iterator[redis.Redis]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data), "--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=port)
        wait_for(lambda: process.poll() is not None or client.ping(), "redis-server")
        yield client
    finally:
        process.terminate()
        process.wait()


def test_dump_has_no_mark_of_the_transfer(used: Household, queue: redis.Redis, tmp_path: Path) -> None:
    """With the 40 bytes that redis-cli writes into a pipe, a server with an append-only file does not start."""
    queue.set("key", b"\x00binary\r\n")
    counts, dump = stage(used)
    assert counts == {"bytes": dump.stat().st_size}
    assert dump.read_bytes()[-9] == 0xFF
    assert list(used.services.temporary.iterdir()) == []
    data = tmp_path / "data"
    data.mkdir()
    write_append_only(dump, data)
    with server(data, "--appendonly", "yes") as client:
        assert client.get("key") == b"\x00binary\r\n"
    with server(data, "--appendonly", "yes") as client:
        assert client.get("key") == b"\x00binary\r\n"


def test_dump_alone_starts_a_server_without_append_only_file(used: Household, queue: redis.Redis) -> None:
    queue.set("key", "value")
    _, dump = stage(used)
    with server(dump.parent) as client:
        assert client.get("key") == b"value"


def test_empty(used: Household, queue: redis.Redis) -> None:
    assert queue.dbsize() == 0
    stage(used)


def test_truncated_dump_is_noticed(used: Household, queue: redis.Redis) -> None:
    queue.set("key", "value")
    counts, dump = stage(used)
    whole = dump.read_bytes()
    for size in range(len(whole)):
        dump.write_bytes(whole[:size])
        assert COMPONENT.check(dump.parent, counts)
        assert size > 9 or COMPONENT.check(dump.parent, {"bytes": size})
    dump.unlink()
    assert COMPONENT.check(dump.parent, counts) == [f"{dump}: No such file or directory"]
    dump.write_bytes(b"x" + whole[1:])
    assert COMPONENT.check(dump.parent, counts) == ["dump.rdb is not a whole dump of Redis"]


def test_wrong_password(used: Household) -> None:
    Path(used.context.contract.queue["password_file"]).write_text("wrong\n")
    with pytest.raises(BackupError, match="sh in redis: found exit status"):
        stage(used)


def test_password_file_absent(used: Household) -> None:
    Path(used.context.contract.queue["password_file"]).unlink()
    with pytest.raises(BackupError, match="expected a readable file with the password"):
        stage(used)


def test_no_server(household: Household) -> None:
    with pytest.raises(BackupError, match=r"(?s)sh in redis: found exit status.*Could not connect"):
        stage(household)


@pytest.mark.parametrize("script", ['"$@" | head -c 60', '"$@"; exit 1', "exit 0", "echo REDIS0011"])
def test_exporter_fails_after_plausible_output(used: Household, queue: redis.Redis, script: str) -> None:
    queue.set("key", "value" * 20)
    _, dump = stage(used)
    whole = dump.read_bytes()
    used.services.prefixes["redis"] = ["sh", "-c", script, "sh"]
    with pytest.raises(BackupError):
        stage(used)
    assert script != '"$@"; exit 1' or dump.read_bytes() == whole
