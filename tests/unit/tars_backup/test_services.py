# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in services: their streams, failures and time limits, and how `docker` is called."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tars_backup import processes
from tars_backup.contract import Contract, Service
from tars_backup.errors import BackupError
from tars_backup.services import DockerServices, Services


class LocalServices(Services):
    """Programs run on this computer."""

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        return list(command)


SERVICES = LocalServices()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_exec_and_output() -> None:
    done = SERVICES.exec("a", shell("cat; echo $NAME; exit 3"), stdin=b"1\n", deadline_s=10, environment={"NAME": "2"})
    assert (done.status, done.output) == (3, b"1\n2\n")
    assert SERVICES.output("a", ["cat"], stdin=b"x", deadline_s=10) == b"x"
    with pytest.raises(BackupError, match="sh in a: found exit status 3: broken; expected exit status 0"):
        SERVICES.output("a", shell("echo broken >&2; exit 3"), deadline_s=10)


def test_stream() -> None:
    with SERVICES.stream("a", ["cat"], deadline_s=10) as stream:
        stream.send(b"1\n")
        assert stream.stdout.readline() == b"1\n"
        stream.send(b"2\n")
        stream.finish()


def test_stream_fails_after_its_output() -> None:
    with (
        pytest.raises(BackupError, match="sh in a: found exit status 1: broken"),
        SERVICES.stream("a", shell("echo plausible; echo broken >&2; exit 1"), deadline_s=10) as stream,
    ):
        assert stream.stdout.read() == b"plausible\n"
        stream.finish()


def test_input_is_not_read() -> None:
    with SERVICES.stream("a", shell("echo broken >&2; exit 2"), deadline_s=10) as stream:
        stream.stdout.read()
        with pytest.raises(BackupError, match="sh in a: found exit status 2: broken"):
            for _ in range(1000):
                stream.send(b"x" * 10000)


def test_much_error_output_does_not_block() -> None:
    with SERVICES.stream("a", shell("head -c 1000000 /dev/zero >&2; echo done"), deadline_s=10) as stream:
        assert stream.stdout.read() == b"done\n"
        stream.finish()


def test_time_limit() -> None:
    began = time.monotonic()
    with SERVICES.stream("a", shell("echo 1; sleep 60"), deadline_s=0.5) as stream:
        assert stream.stdout.read() == b"1\n"
        with pytest.raises(BackupError, match="sh in a: found no end after 0 s; expected an end before the time limit"):
            stream.finish()
    assert time.monotonic() - began < 5


def test_killed_when_the_block_is_left(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with (
        pytest.raises(RuntimeError),
        SERVICES.stream("a", shell(f"echo 1; sleep 1; touch {mark}"), deadline_s=10) as stream,
    ):
        stream.stdout.readline()
        raise RuntimeError
    time.sleep(1.5)
    assert not mark.exists()


def test_early_end() -> None:
    with SERVICES.stream("a", ["true"], deadline_s=10) as stream:
        assert str(stream.failure()) == "true in a: found an early end of its output; expected all of its output"


class TestDocker:
    """Docker itself runs in the end-to-end tests; these show the words that it gets."""

    @pytest.fixture
    def docker(self) -> DockerServices:
        path = Path("/")
        services = {name: Service(f"tars-{name}-1", name, 1, ()) for name in ("app", "postgres")}
        return DockerServices(Contract("1", "tars", path, path, path, path, {}, {}, services, {}, {}, {}, {}, {}))

    def test_values_are_not_in_the_command_line(self, docker: DockerServices) -> None:
        words = docker.command("postgres", ["psql", "-X"], {"PGPASSWORD": "secret", "PGPORT": "1"}, 60)
        expected = "docker exec --interactive --env PGPASSWORD --env PGPORT tars-postgres-1 timeout -k 5 70 psql -X"
        assert words == expected.split()

    def test_unknown_service(self, docker: DockerServices) -> None:
        with pytest.raises(BackupError, match="service: found 'redis'; expected one of the contract's: app, postgres"):
            docker.command("redis", [], {}, 1)

    def test_running_stop_start(self, docker: DockerServices, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[list[str]] = []

        def run(command: Sequence[str], *, deadline_s: float) -> bytes:
            calls.append(list(command))
            return b"tars-postgres-1\nanother\n"

        monkeypatch.setattr(processes, "run", run)
        assert docker.running(["app", "postgres"]) == ["postgres"]
        docker.stop(["app", "postgres"], deadline_s=5)
        docker.start(["postgres"], deadline_s=5)
        assert [call[1:] for call in calls[1:]] == [
            ["stop", "tars-app-1"],
            ["stop", "tars-postgres-1"],
            ["start", "tars-postgres-1"],
        ]


def test_a_stream_needs_pipes() -> None:
    from tars_backup.services import Stream

    with processes.started(["true"]) as process, pytest.raises(ValueError, match="needs pipes"):
        Stream(process, process.stderr, "true", 1)  # type: ignore[arg-type]
