# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a drill as processes of this computer: the real application on PostgreSQL, Redis and Chroma."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tars_backup.contract import Contract
from tars_backup.drilling import fence
from tars_backup.services import Scratch, Stack

from ...servers import free_port
from .stack import BINARIES, Ports, ProcessServices, as_user

EMBEDDING_MODEL = "all-minilm"


class ProcessFence(ProcessServices, fence.Fence):
    """Instead of a network of their own, the services of a drill have ports of their own."""

    def __init__(self, contract: Contract, folder: Path, template: Path, models_url: str, app: Path) -> None:
        super().__init__(contract, folder, template, Ports(free_port(), free_port(), free_port()), suffix="-drill")
        self.chroma, self.application = free_port(), free_port()
        self.models_url, self.app = models_url, app
        self.launched: list[str] = []

    def open(self) -> None:
        self.close()

    def launch(self, service: str) -> None:
        self.launched.append(service)
        self._run(service, self._words(service))

    def relay_models(self) -> None:
        self.launched.append("relay")

    def close(self) -> None:
        for service in self.contract.services:
            self._end(service)
            self.remove_scratch(service)

    def start_scratch(self, service: str, scratch: Scratch) -> Stack:
        self.ports = Ports(self.ports.postgres, self.ports.redis, self.ports.postgres)
        return super().start_scratch(service, scratch)

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        if service == "app":
            return ["env", f"TARS_PORT={self.application}", sys.executable, *command[1:]]
        return ["env", f"PGPORT={self.ports.postgres}", *command]

    def _words(self, service: str) -> list[str]:
        user, secrets = self.contract.services[service].user, fence.secrets_of(self.contract, service)
        if service == "postgres":
            options = ["-p", str(self.ports.postgres), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
            return as_user(user, [f"{BINARIES}/postgres", "-D", self.data(service), *options])
        if service == "redis":
            configuration = next(path for path in secrets if path.name == "redis.conf").read_text()
            lines = configuration.replace("dir /data", f"dir {self.data(service)}").splitlines()
            options = [word for line in lines for word in f"--{line}".split()]
            return as_user(user, ["redis-server", *options, "--port", str(self.ports.redis), "--bind", "127.0.0.1"])
        if service == "chroma":
            program = Path(sys.executable).with_name("chroma")
            address = ["--host", "127.0.0.1", "--port", str(self.chroma)]
            return [str(program), "run", "--path", str(self.data(service)), *address]
        values = {
            "PYTHONPATH": self.app,
            "TARS_SECRETS_DIR": next(iter(secrets)).parent,
            "TARS_POSTGRES_HOST": "127.0.0.1",
            "TARS_POSTGRES_PORT": self.ports.postgres,
            "TARS_REDIS_HOST": "127.0.0.1",
            "TARS_REDIS_PORT": self.ports.redis,
            "TARS_CHROMA_URL": f"http://127.0.0.1:{self.chroma}",
            "TARS_OLLAMA_URL": self.models_url,
            "TARS_CHAT_MODEL": "chat",
            "TARS_EMBEDDING_MODEL": EMBEDDING_MODEL,
            "TARS_DOCUMENTS": self.folder / "documents-are-not-mounted",
            "TARS_HEARTBEAT": self.folder / "heartbeat",
            "TARS_HOST": "127.0.0.1",
            "TARS_PORT": self.application,
        }
        command = {"app": "serve", "worker": "worker"}[service]
        return [
            "env",
            *(f"{name}={value}" for name, value in values.items()),
            sys.executable,
            "-m",
            "tars_app",
            command,
        ]
