# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop whose services run, with the verbs of the program that need them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import redis

from tars_backup import contract
from tars_backup.actions.restore import restore, roll_back
from tars_backup.components import Component
from tars_backup.components.postgres import Postgres
from tars_backup.components.redis import Redis
from tars_backup.context import Context
from tars_backup.deadline import Deadline
from tars_backup.restoring import folders
from tars_backup.restoring.outcome import Restored

from ...servers import free_port, wait_for
from .desktop import Desktop
from .stack import PASSWORD, SERVICES, Ports, ProcessServices, document


class Household(Desktop):
    """A desktop whose services run. A folder that is a copy of a stopped one's keeps its data."""

    def __init__(self, folder: Path, restic: Path, repository: Path, cluster: Path) -> None:
        super().__init__(folder, restic)
        self.cluster = cluster
        self.ports = Ports(free_port(), free_port(), free_port())
        self.messages: list[str] = []
        self.data = folder / "data"
        self.write_contract()
        if not self.data.exists():
            self.use(repository)
            self._create()
        self.services = self.context().services
        self.services.start(SERVICES, deadline_s=60)
        self.wait()

    def _create(self) -> None:
        """Make the secrets and the data folders."""
        (self.folder / "postgres_password").write_text("not-asked-for\n")
        (self.folder / "redis_password").write_text(f"{PASSWORD}\n")
        self.data.mkdir(mode=0o711)
        for service in ("postgres", "redis", "chroma"):
            folders.make(self.context().contract, service, self.data / service)
        subprocess.run(["cp", "-a", f"{self.cluster}/.", self.data / "postgres"], check=True)
        (self.data / "chroma/vectors").write_text("the vectors of the documents")

    def write_contract(self, **changes: Any) -> None:
        """Write the contract of the services."""
        (self.folder / "contract.json").write_text(json.dumps(document(self.folder, self.ports, **changes)))

    @property
    def components(self) -> Sequence[Component]:
        return (Postgres(), Redis())

    def context(self) -> Context:
        stack = contract.load(self.configuration.contract)
        services = ProcessServices(stack, self.folder / "run", self.cluster, self.ports)
        return Context(self.configuration, stack, services, Deadline(600), self.messages.append)

    def restore(self, name: str = "latest", parts: Sequence[str] = ("postgres",), *, preview: bool = False) -> Restored:
        """Restore a backup."""
        return restore(self.configuration, self.components, self.context, name=name, parts=parts, preview=preview)

    def roll_back(self, *, preview: bool = False) -> Restored:
        """Return to the data before the last restore."""
        return roll_back(self.configuration, self.context, preview=preview)

    def wait(self) -> None:
        """Wait until the services that run answer."""
        for service in self.running():
            wait_for(partial(self.is_healthy, service), service)
        if "redis" in self.running():
            wait_for(self.queue.ping, "redis")

    def is_healthy(self, service: str) -> bool:
        """Return whether a service answers."""
        return self.services.health(service).healthy

    def running(self) -> list[str]:
        """Return the services that run."""
        return self.services.running(SERVICES)

    def execute(self, statement: str, *, database: str = "tars") -> list[tuple[Any, ...]]:
        """Run a statement in the database."""
        url = f"host=127.0.0.1 port={self.ports.postgres} user=tars dbname={database}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def documents_now(self) -> set[str]:
        """Return the names in the database."""
        return {str(name) for (name,) in self.execute("SELECT name FROM documents")}

    @property
    def queue(self) -> redis.Redis:
        """Return a client of the queue."""
        return redis.Redis(port=self.ports.redis, password=PASSWORD)

    def extra(self) -> list[str]:
        """Return what is in the data folder besides the services' own folders, and left files of a restore."""
        names = sorted(path.name for path in self.data.iterdir() if path.name not in ("postgres", "redis", "chroma"))
        return [*names, *(["work"] if self.configuration.work.exists() else [])]

    def contents(self) -> dict[str, tuple[int, int, int, str]]:
        """Return owner, mode, inode and content of all data."""
        result = {}
        for path in sorted(self.data.rglob("*")):
            status = path.lstat()
            content = path.read_bytes().hex() if path.is_file() else ""
            result[str(path.relative_to(self.data))] = (status.st_uid, status.st_mode, status.st_ino, content)
        return result
