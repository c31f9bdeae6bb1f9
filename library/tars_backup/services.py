# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the stack. Docker is called here, and for the services of a drill in drilling/fence.py."""

from __future__ import annotations

import abc
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from . import priority, processes
from .contract import Contract
from .errors import BackupError
from .processes import Finished

_INSIDE_S = 10
"""Seconds for which a program in a container may outlive the time limit of its caller."""


class Stream:
    """A running program whose input and output are pipes. It is killed at its time limit."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], subject: str, deadline_s: float) -> None:
        """Watch a process whose error output goes to the file `errors`."""
        if process.stdin is None or process.stdout is None:
            raise ValueError("a stream needs pipes")
        self.stdin, self.stdout = process.stdin, process.stdout
        self._process, self._errors, self._subject, self._deadline_s = process, errors, subject, deadline_s
        self._late = threading.Event()
        self._timer = threading.Timer(deadline_s, self._end)
        self._timer.daemon = True
        self._timer.start()

    def send(self, data: bytes) -> None:
        """Write to the program's input and flush it. Raises BackupError with the program's errors if it has ended."""
        try:
            self.stdin.write(data)
            self.stdin.flush()
        except OSError as error:
            raise self.failure() from error

    def finish(self) -> None:
        """Close the input, read the rest of the output, and wait for the end.

        Raises:
            BackupError: the exit status is not 0, or the time limit has passed.
        """
        with suppress(OSError):
            self.stdin.close()
        while self.stdout.read(1 << 16):
            pass
        if self._process.wait() or self._late.is_set():
            raise self.failure()

    def failure(self) -> BackupError:
        """Wait for the end of a program that cannot have succeeded, and return the error that names its reason."""
        with suppress(OSError):
            self.stdin.close()
        status = self._process.wait()
        if self._late.is_set():
            return BackupError(
                self._subject, found=f"no end after {self._deadline_s:.0f} s", expected="an end before the time limit"
            )
        self._errors.seek(0)
        return _failed(self._subject, status, self._errors.read().decode(errors="replace"))

    def close(self) -> None:
        """Stop watching the time limit."""
        self._timer.cancel()

    def _end(self) -> None:
        self._late.set()
        processes.kill(self._process)


@dataclass(frozen=True)
class Health:
    """The state of a service now; `restarts` counts how often it ended by itself since it was started."""

    running: bool
    healthy: bool
    restarts: int
    detail: str


@dataclass(frozen=True)
class Scratch:
    """A second instance of a service.

    Attributes:
        folder: its data, in the place of the service's only volume; None for a service without one.
        environment: variables, which are visible to every account of the machine.
        secrets: files of the machine, and the paths at which it reads them.
        command: in the place of the image's own.
    """

    folder: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[Path, str] = field(default_factory=dict)
    command: Sequence[str] = ()


class Services(abc.ABC):
    """The services by their names in the contract: programs in them."""

    @abc.abstractmethod
    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        """Return the command line that runs a program in a service.

        It is started with `environment`, and hands the variables of it to the program by their names. The program
        ends soon after `deadline_s` seconds, even if the process that started it was killed.
        """

    def exec(
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        deadline_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a program in a service to its end, and return what it returned, whatever its exit status.

        Raises:
            BackupError: it cannot be started, or has not ended after `deadline_s` seconds.
        """
        extra = dict(environment or {})
        words = self.command(service, priority.lowered(command), extra, deadline_s)
        return processes.attempt(words, deadline_s=deadline_s, stdin=stdin, extra=extra)

    def output(
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        deadline_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run a program in a service to its end, and return its output.

        Raises:
            BackupError: it cannot be started, has not ended after `deadline_s` seconds, or its exit status is not 0.
        """
        done = self.exec(service, command, stdin=stdin, deadline_s=deadline_s, environment=environment)
        if done.status:
            raise _failed(f"{command[0]} in {service}", done.status, done.errors)
        return done.output

    @contextmanager
    def stream(
        self,
        service: str,
        command: Sequence[str],
        *,
        deadline_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[Stream]:
        """Run a program in a service and yield its pipes. What still runs when the block is left is killed."""
        extra = dict(environment or {})
        words = self.command(service, priority.lowered(command), extra, deadline_s)
        with (
            tempfile.TemporaryFile() as errors,
            processes.started(words, stdin=subprocess.PIPE, stderr=errors, extra=extra) as process,
        ):
            stream = Stream(process, errors, f"{command[0]} in {service}", deadline_s)
            try:
                yield stream
            finally:
                stream.close()


class Stack(Services):
    """Services that can be stopped and started, and of which a second instance can run."""

    @abc.abstractmethod
    def running(self, services: Iterable[str]) -> list[str]:
        """Return those of the services that run, in the same order."""

    @abc.abstractmethod
    def stop(self, services: Iterable[str], *, deadline_s: float) -> None:
        """Stop services, one after the other; one that does not run stays as it is."""

    @abc.abstractmethod
    def start(self, services: Iterable[str], *, deadline_s: float) -> None:
        """Start services, one after the other; one that runs stays as it is."""

    @abc.abstractmethod
    def health(self, service: str) -> Health:
        """Return whether a service runs and is healthy, now."""

    @abc.abstractmethod
    def start_scratch(self, service: str, scratch: Scratch) -> Stack:
        """Start a second instance of a service, and return the services with it in the place of the first.

        It has no network, and neither files nor rights beyond those that are given. It need not be healthy yet.
        """

    @abc.abstractmethod
    def stop_scratch(self, service: str, *, deadline_s: float) -> None:
        """Stop the second instance of a service and remove it. Raises BackupError unless it ends with status 0."""

    @abc.abstractmethod
    def remove_scratch(self, service: str) -> None:
        """Remove the second instance of a service at once; nothing happens if there is none."""


class DockerServices(Stack):
    """The containers that the contract names."""

    _options: tuple[str, ...] = ()
    """Options of `docker run` for second instances."""

    def __init__(self, contract: Contract) -> None:
        """Use the containers of a contract."""
        self._contract = contract

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        """Return a `docker exec`.

        Killing `docker exec` does not end the program in the container (docker/cli#5309), `timeout` there does. Values
        of the environment are not in the command line: `--env NAME` takes them from the client's own environment.
        """
        names = [word for name in environment for word in ("--env", name)]
        limit = ["timeout", "-k", "5", str(int(deadline_s) + _INSIDE_S)]
        return ["docker", "exec", "--interactive", *names, self._container(service), *limit, *command]

    def running(self, services: Iterable[str]) -> list[str]:
        """Return those of the services whose container runs; one without a container does not."""
        names = processes.run(["docker", "ps", "--format", "{{.Names}}"], deadline_s=60).decode().split()
        return [service for service in services if self._container(service) in names]

    def stop(self, services: Iterable[str], *, deadline_s: float) -> None:
        """Stop containers with the signal and the patience of the Compose file."""
        for service in services:
            processes.run(["docker", "stop", self._container(service)], deadline_s=deadline_s)

    def start(self, services: Iterable[str], *, deadline_s: float) -> None:
        """Start containers; they need not be healthy yet."""
        for service in services:
            processes.run(["docker", "start", self._container(service)], deadline_s=deadline_s)

    def health(self, service: str) -> Health:
        """Return the state of a container; one without a health check is healthy if it runs."""
        container = self._container(service)
        output = processes.run(["docker", "container", "inspect", container], deadline_s=60)
        document = json.loads(output)[0]
        state = document["State"]
        running = state["Status"] == "running"
        health = state.get("Health", {}).get("Status", "healthy")
        restarts = int(document["RestartCount"])
        if running:
            return Health(running, health == "healthy", restarts, health)
        logs = processes.attempt(["docker", "logs", "--tail", "5", container], deadline_s=60)
        last = " ".join((logs.output.decode(errors="replace") + logs.errors).split())
        return Health(running, False, restarts, f"{state['Status']} with status {state['ExitCode']}: {last[-1000:]}")

    def start_scratch(self, service: str, scratch: Scratch) -> Stack:
        """Start a container of the service's image, as its user, read-only and without capabilities and network."""
        self.remove_scratch(service)
        name = self._scratch(service)
        self._launch(service, name, scratch, network=("--network", "none"))
        services = {**self._contract.services, service: replace(self._contract.services[service], container=name)}
        return DockerServices(replace(self._contract, services=services))

    def _launch(self, service: str, name: str, scratch: Scratch, *, network: Sequence[str]) -> None:
        original = self._contract.services[service]
        words = ["docker", "run", "--detach", "--name", name, *network, *self._options, "--restart", "no"]
        words += ["--user", f"{original.user}:{original.user}", "--read-only", "--cap-drop", "ALL"]
        words += ["--security-opt", "no-new-privileges:true", "--tmpfs", "/tmp:mode=1777"]  # noqa: S108  its own
        words += ["--tmpfs", f"/var/run/postgresql:uid={original.user},gid={original.user},mode=0775"]
        words += ["--shm-size", "128m"]
        if scratch.folder:
            words += ["--volume", f"{scratch.folder}:{original.volumes[0][1]}"]
        for source, target in scratch.secrets.items():
            words += ["--volume", f"{source}:{target}:ro"]
        for key, value in scratch.environment.items():
            words += ["--env", f"{key}={value}"]
        processes.run([*words, original.image, *scratch.command], deadline_s=300)

    def stop_scratch(self, service: str, *, deadline_s: float) -> None:
        """Stop the container with the signal of its image, as long as it takes, and remove it."""
        name = self._scratch(service)
        processes.run(["docker", "stop", "--time", str(int(deadline_s)), name], deadline_s=deadline_s + 60)
        output = processes.run(["docker", "inspect", "--format", "{{.State.ExitCode}}", name], deadline_s=60)
        status = int(output)
        self.remove_scratch(service)
        if status:
            raise BackupError(name, found=f"exit status {status}", expected="exit status 0")

    def remove_scratch(self, service: str) -> None:
        """Remove the container, whatever its state."""
        name = self._scratch(service)
        names = processes.run(["docker", "ps", "--all", "--format", "{{.Names}}"], deadline_s=60).decode().split()
        if name in names:
            processes.run(["docker", "rm", "--force", "--volumes", name], deadline_s=300)

    def _scratch(self, service: str) -> str:
        return f"{self._contract.project}-{service}-restore"

    def _container(self, service: str) -> str:
        try:
            return self._contract.services[service].container
        except KeyError:
            names = ", ".join(sorted(self._contract.services))
            raise BackupError("service", found=repr(service), expected=f"one of the contract's: {names}") from None


def _failed(subject: str, status: int, errors: str) -> BackupError:
    if status == 0:
        return BackupError(subject, found="an early end of its output", expected="all of its output")
    return BackupError(subject, found=f"exit status {status}: {errors.strip()[-2000:]}", expected="exit status 0")
