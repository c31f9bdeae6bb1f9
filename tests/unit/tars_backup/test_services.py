# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in services: their streams, failures and time limits, and how `docker` is called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tars_backup import processes
from tars_backup.contract import Contract, Service
from tars_backup.errors import BackupError
from tars_backup.processes import Finished
from tars_backup.services import DockerServices, Health, Scratch, Services

from ...waiting import runs, wait_for


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
    done = SERVICES.exec("a", shell("cat; echo $NAME; exit 3"), stdin=b"1\n", deadline_s=60, environment={"NAME": "2"})
    assert (done.status, done.output) == (3, b"1\n2\n")
    assert SERVICES.output("a", ["cat"], stdin=b"x", deadline_s=60) == b"x"
    with pytest.raises(BackupError, match="sh in a: found exit status 3: broken; expected exit status 0"):
        SERVICES.output("a", shell("echo broken >&2; exit 3"), deadline_s=60)


def test_stream() -> None:
    with SERVICES.stream("a", ["cat"], deadline_s=60) as stream:
        stream.send(b"1\n")
        assert stream.stdout.readline() == b"1\n"
        stream.send(b"2\n")
        stream.finish()


def test_stream_fails_after_its_output() -> None:
    with (
        pytest.raises(BackupError, match="sh in a: found exit status 1: broken"),
        SERVICES.stream("a", shell("echo plausible; echo broken >&2; exit 1"), deadline_s=60) as stream,
    ):
        assert stream.stdout.read() == b"plausible\n"
        stream.finish()


def test_input_is_not_read() -> None:
    with SERVICES.stream("a", shell("echo broken >&2; exit 2"), deadline_s=60) as stream:
        stream.stdout.read()
        with pytest.raises(BackupError, match="sh in a: found exit status 2: broken"):
            for _ in range(1000):
                stream.send(b"x" * 10000)


def test_much_error_output_does_not_block() -> None:
    with SERVICES.stream("a", shell("head -c 1000000 /dev/zero >&2; echo done"), deadline_s=60) as stream:
        assert stream.stdout.read() == b"done\n"
        stream.finish()


def test_time_limit() -> None:
    with SERVICES.stream("a", shell("echo 1; sleep 3600"), deadline_s=3) as stream:
        assert stream.stdout.read() == b"1\n"
        with pytest.raises(BackupError, match="sh in a: found no end after 3 s; expected an end before the time limit"):
            stream.finish()


def test_killed_when_the_block_is_left() -> None:
    with (
        pytest.raises(RuntimeError),
        SERVICES.stream("a", shell("echo $$; sleep 3600; true"), deadline_s=60) as stream,
    ):
        process = int(stream.stdout.readline())
        raise RuntimeError
    wait_for(lambda: not runs(process), "its end")


def test_early_end() -> None:
    with SERVICES.stream("a", ["true"], deadline_s=60) as stream:
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
        Stream(process, process.stderr, "true", 1)  # type: ignore[arg-type]  # None, which is refused


class TestDockerRestore:
    """State of containers, and the second instances of a restore."""

    @pytest.fixture
    def docker(self) -> DockerServices:
        path, volume = Path("/"), ((Path("/var/lib/tars/postgres"), "/var/lib/postgresql/data"),)
        services = {"postgres": Service("tars-postgres-1", "postgres@sha256:1", 999, volume)}
        return DockerServices(Contract("1", "tars", path, path, path, path, {}, {}, services, {}, {}, {}, {}, {}))

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
        """Return what docker prints, by the first words of its command; calls are added as keys."""
        answers: dict[str, bytes] = {}

        def run(command: Sequence[str], *, deadline_s: float) -> bytes:
            words = " ".join(command)
            matching = [answer for start, answer in answers.items() if words.startswith(start)]
            answers.setdefault(words, b"")
            return matching[0] if matching else b""

        monkeypatch.setattr(processes, "run", run)
        monkeypatch.setattr(processes, "attempt", lambda *_, **__: Finished(0, b"the last\nwords\n", "and errors"))
        return answers

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ({"Status": "running"}, Health(True, True, 2, "healthy")),
            ({"Status": "running", "Health": {"Status": "starting"}}, Health(True, False, 2, "starting")),
            ({"Status": "running", "Health": {"Status": "healthy"}}, Health(True, True, 2, "healthy")),
            (
                {"Status": "restarting", "ExitCode": 1},
                Health(False, False, 2, "restarting with status 1: the last words and errors"),
            ),
        ],
    )
    def test_health(
        self, docker: DockerServices, calls: dict[str, bytes], state: dict[str, object], expected: Health
    ) -> None:
        calls["docker container inspect tars-postgres-1"] = json.dumps([{"State": state, "RestartCount": 2}]).encode()
        assert docker.health("postgres") == expected

    def test_a_second_instance_has_no_network_and_no_rights(
        self, docker: DockerServices, calls: dict[str, bytes]
    ) -> None:
        scratch = Scratch(
            Path("/new"), {"POSTGRES_DB": "tars"}, {Path("/secret"): "/run/secrets/password"}, ["postgres"]
        )
        services = docker.start_scratch("postgres", scratch)
        started = next(call for call in calls if call.startswith("docker run"))
        for words in (
            "--detach --name tars-postgres-restore --network none --restart no",
            "--user 999:999 --read-only --cap-drop ALL --security-opt no-new-privileges:true",
            "--volume /new:/var/lib/postgresql/data --volume /secret:/run/secrets/password:ro --env POSTGRES_DB=tars",
        ):
            assert words in started
        assert started.endswith(" postgres@sha256:1 postgres")
        assert "tars-postgres-restore" in services.command("postgres", ["psql"], {}, 1)
        assert "tars-postgres-1" in docker.command("postgres", ["psql"], {}, 1)

    def test_its_end_is_waited_for(self, docker: DockerServices, calls: dict[str, bytes]) -> None:
        calls["docker inspect --format {{.State.ExitCode}} tars-postgres-restore"] = b"0\n"
        calls["docker ps --all"] = b"tars-postgres-1\ntars-postgres-restore\n"
        docker.stop_scratch("postgres", deadline_s=60)
        assert "docker stop --time 60 tars-postgres-restore" in calls
        assert "docker rm --force --volumes tars-postgres-restore" in calls
        calls["docker inspect --format {{.State.ExitCode}} tars-postgres-restore"] = b"137\n"
        with pytest.raises(BackupError, match="tars-postgres-restore: found exit status 137; expected exit status 0"):
            docker.stop_scratch("postgres", deadline_s=60)

    def test_without_one_nothing_is_removed(self, docker: DockerServices, calls: dict[str, bytes]) -> None:
        calls["docker ps --all"] = b"tars-postgres-1\n"
        docker.remove_scratch("postgres")
        assert not any(call.startswith("docker rm") for call in calls)
