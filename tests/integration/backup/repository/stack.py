# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a desktop as processes of this computer, with data folders that a restore replaces.

PostgreSQL and Redis are real and run under their own accounts; the others only run. Their state is in files, so that a
process that was killed leaves them as containers would be left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tars_backup.contract import Contract
from tars_backup.services import Health, Scratch, Stack

from ...accounts import as_other

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
POSTGRES_USER, REDIS_USER, CHROMA_USER = 70001, 70002, 70003
"""Accounts that this computer does not know: those of images need not exist on the machine either."""

SERVICES = ("app", "worker", "postgres", "redis", "chroma")
PASSWORD = "a password of the queue"


def as_user(user: int, command: Sequence[str | Path]) -> list[str]:
    """Return a command that runs under another account."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *map(str, command)]


def create_cluster(folder: Path) -> None:
    """Create a cluster with the database `tars`, as the image does in an empty folder."""
    subprocess.run(["chown", "postgres:postgres", folder], check=True)
    environment = {"PATH": f"{BINARIES}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "HOME": "/"}

    def run(*command: str | Path) -> None:
        words = as_other("postgres", [str(word) for word in command])
        subprocess.run(words, check=True, capture_output=True, env=environment, timeout=120)

    run("initdb", "-D", folder, "-U", "tars", "-A", "trust", "-E", "UTF8", "-N")
    options = f"-h '' -k {folder} -c fsync=off"
    run("pg_ctl", "-D", folder, "-w", "-o", options, "-l", folder / "log", "start")
    run("psql", "-h", folder, "-U", "tars", "-d", "postgres", "-c", "CREATE DATABASE tars")
    run("pg_ctl", "-D", folder, "-w", "-m", "fast", "stop")
    (folder / "log").unlink()
    subprocess.run(["chown", "-R", f"{POSTGRES_USER}:{POSTGRES_USER}", folder], check=True)


@dataclass(frozen=True)
class Ports:
    """The ports of the services, and of their second instances."""

    postgres: int
    redis: int
    scratch: int


class ProcessServices(Stack):
    """Services that are processes. A file NAME.slow delays the health of one, NAME.broken makes it end at once."""

    limit_s = 3600
    """They outlive a process that is killed, and end by themselves if the tests are. All of a file may use one."""

    def __init__(self, contract: Contract, folder: Path, template: Path, ports: Ports, suffix: str = "") -> None:
        self.contract, self.folder, self.template, self.ports, self.suffix = contract, folder, template, ports, suffix
        folder.mkdir(exist_ok=True)

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        words = ["env", f"TMPDIR={self.folder}", *command]  # a container has a /tmp of its own
        if self.suffix and service == "postgres":
            words = ["env", f"PGPORT={self.ports.scratch}", *words]
        if self.suffix and service == "redis":
            words = ["redis-cli", "-p", str(self.ports.scratch), *command[1:]]
        return words

    def running(self, services: Iterable[str]) -> list[str]:
        return [service for service in services if self._alive(service)]

    def stop(self, services: Iterable[str], *, deadline_s: float) -> None:
        for service in services:
            self._end(service)

    def start(self, services: Iterable[str], *, deadline_s: float) -> None:
        for service in services:
            if not self._alive(service):
                self._run(service, self._program(service, self.data(service), self.port(service)))

    def health(self, service: str) -> Health:
        running = self._alive(service)
        if (self.folder / f"{service}.broken").exists():
            starts = int((self.folder / f"{service}.broken").read_text() or 0) + 1
            (self.folder / f"{service}.broken").write_text(str(starts))
            return Health(False, False, starts, "exited with status 1")
        slow = self.folder / f"{service}.slow"
        if slow.exists() and time.time() < float(slow.read_text()):
            return Health(running, False, 0, "starting")
        if not running:
            return Health(
                False, False, 0, self._log(service).read_text()[-1000:] if self._log(service).exists() else ""
            )
        return Health(running, service != "postgres" or self._answers(), 0, "healthy")

    def start_scratch(self, service: str, scratch: Scratch) -> Stack:
        self.remove_scratch(service)
        assert scratch.folder
        instance = ProcessServices(self.contract, self.folder, self.template, self.ports, suffix="-restore")
        if service == "postgres":
            for entry in self.template.iterdir():
                subprocess.run(["cp", "-a", entry, scratch.folder], check=True)
        instance._run(service, instance._program(service, scratch.folder, self.ports.scratch))
        return instance

    def stop_scratch(self, service: str, *, deadline_s: float) -> None:
        ProcessServices(self.contract, self.folder, self.template, self.ports, suffix="-restore")._end(service)

    def remove_scratch(self, service: str) -> None:
        self.stop_scratch(service, deadline_s=60)

    def data(self, service: str) -> Path:
        """Return the data folder of a service."""
        volumes = self.contract.services[service].volumes
        return volumes[0][0] if volumes else self.folder

    def port(self, service: str) -> int:
        """Return the port of a service."""
        return self.ports.redis if service == "redis" else self.ports.postgres

    def _program(self, service: str, data: Path, port: int) -> list[str]:
        user = self.contract.services[service].user
        if service == "postgres":
            options = ["-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
            return as_user(user, [f"{BINARIES}/postgres", "-D", data, *options])
        if service == "redis":
            options = ["--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--dir", str(data)]
            secret = [] if self.suffix else ["--requirepass", PASSWORD]
            return as_user(user, ["redis-server", *options, *secret])
        return ["sleep", str(self.limit_s)]

    def _run(self, service: str, command: list[str]) -> None:
        with self._log(service).open("ab") as log:
            bounded = ["timeout", str(self.limit_s), *command]
            # A container does not inherit the umask of what starts it.
            process = subprocess.Popen(bounded, stdout=log, stderr=log, start_new_session=True, cwd="/", umask=0o022)
        self._pid(service).write_text(str(process.pid))

    def _end(self, service: str) -> None:
        if self._alive(service):
            pid = int(self._pid(service).read_text())
            # To the group: `timeout` passes on no signal that comes while it starts the program, which then stays.
            os.killpg(pid, signal.SIGINT if service == "postgres" else signal.SIGTERM)
            while self._alive(service):
                time.sleep(0.01)
        self._pid(service).unlink(missing_ok=True)

    def _alive(self, service: str) -> bool:
        try:
            pid = int(self._pid(service).read_text())
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        except (FileNotFoundError, ValueError):
            return False
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def _answers(self) -> bool:
        ready = [f"{BINARIES}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.ports.postgres)]
        return subprocess.run(ready).returncode == 0

    def _pid(self, service: str) -> Path:
        return self.folder / f"{service}{self.suffix}.pid"

    def _log(self, service: str) -> Path:
        return self.folder / f"{service}{self.suffix}.log"


def document(folder: Path, ports: Ports, **changes: Any) -> dict[str, Any]:
    """Return the contract of the services with their data below a folder."""

    def service(name: str, user: int, target: str | None = None, image: str = "") -> dict[str, Any]:
        volumes = [{"source": str(folder / "data" / name), "target": target}] if target else []
        return {"container": f"tars-{name}-1", "image": image or name, "user": user, "volumes": volumes}

    return {
        "schema": 1,
        "version": "0.1",
        "project": "tars",
        "folder": "/opt/tars",
        "compose_file": "/opt/tars/compose.yaml",
        "data_folder": str(folder / "data"),
        "documents_folder": str(folder / "documents"),
        "application": {"version": "0.2.0", "image": "tars-app:1"},
        "images": {},
        "services": {
            "app": service("app", 10001, image="tars-app:1"),
            "worker": service("worker", 10001, image="tars-app:1"),
            "postgres": service("postgres", POSTGRES_USER, "/var/lib/postgresql/data"),
            "redis": service("redis", REDIS_USER, "/data"),
            "chroma": service("chroma", CHROMA_USER, "/data"),
        },
        "database": {
            "service": "postgres",
            "name": "tars",
            "user": "tars",
            "port": ports.postgres,
            "password_file": str(folder / "postgres_password"),
        },
        "queue": {"service": "redis", "port": ports.redis, "password_file": str(folder / "redis_password")},
        "vectors": {"service": "chroma", "port": 8000},
        "models": {},
        "page": {},
        **changes,
    }
