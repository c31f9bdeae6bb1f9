# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a drill: containers of their own on a network without a way out, with passwords of their own.

They run the images, commands and variables of the household's containers, read from these. They know the services by
the same names, but those names lead to the drill's containers alone, and no port is published on the machine. Ollama is
not restored: a relay forwards the one port of the household's, so that a question gets its vector from the model that
is in use. The relay is the only container of a drill that can reach the household's network.
"""

from __future__ import annotations

import abc
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import files, processes
from ..contract import Contract
from ..errors import BackupError
from ..restoring import folders
from ..services import DockerServices, Scratch, Stack

_LABEL = "tars.drill"

_SHARES = "128"
"""Weight of a drill's containers for the processor; that of others is 1024."""

_RELAY = """\
import asyncio, sys

host, port = sys.argv[1], int(sys.argv[2])

async def copy(reader, writer):
    try:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    finally:
        writer.close()

async def connected(reader, writer):
    try:
        inner_reader, inner_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True)

async def main():
    async with await asyncio.start_server(connected, "0.0.0.0", port) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def contract_of(living: Contract, folder: Path) -> Contract:
    """Return the contract of the services of a drill, with their data and new passwords below a folder.

    Raises:
        OSError: the passwords cannot be written.
    """
    project = f"{living.project}-drill"
    services = {
        name: replace(
            service,
            container=f"{project}-{name}",
            volumes=tuple((folder / "data" / name, target) for _source, target in service.volumes),
        )
        for name, service in living.services.items()
    }
    places = {name: folder / "secrets" / name for name in services}
    contract = replace(
        living,
        project=project,
        data_folder=folder / "data",
        services=services,
        database={**living.database, "password_file": str(places[living.database["service"]] / "postgres_password")},
        queue={**living.queue, "password_file": str(places[living.queue["service"]] / "redis_password")},
    )
    _write_secrets(contract, places)
    return contract


def applications(contract: Contract) -> list[str]:
    """Return the services of the application, in the order in which they are started."""
    image = contract.application["image"]
    return sorted((name for name, service in contract.services.items() if service.image == image), reverse=True)


def _write_secrets(contract: Contract, places: Mapping[str, Path]) -> None:
    """Write new passwords: the household's do not open the services of a drill, nor these the household's."""
    database, queue = secrets.token_hex(24), secrets.token_hex(24)
    store = str(contract.queue["service"])
    target = contract.services[store].volumes[0][1]
    content = {
        str(contract.database["service"]): {"postgres_password": database},
        store: {
            "redis_password": queue,
            "redis.conf": f"requirepass {queue}\nport {contract.queue['port']}\ndir {target}\nappendonly yes",
        },
        **{name: {"tars_postgres_password": database, "tars_redis_password": queue} for name in applications(contract)},
    }
    for service, values in content.items():
        folders.recreate(places[service])
        for name, value in values.items():
            files.write(places[service] / name, f"{value}\n".encode(), 0o400)
        folders.own(contract, service, places[service])


def secrets_of(contract: Contract, service: str) -> dict[Path, str]:
    """Return the files with the passwords of a service of a drill, and where it reads them."""
    folder = contract.data_folder.parent / "secrets" / service
    return {path: f"/run/secrets/{path.name}" for path in sorted(folder.glob("*"))}


class Fence(Stack):
    """The services of a drill, by the names in the contract. Programs run in them, not in the household's."""

    @abc.abstractmethod
    def open(self) -> None:
        """Remove what an earlier drill left, and create the network."""

    @abc.abstractmethod
    def launch(self, service: str) -> None:
        """Start a service on its data folder, if it has one. It need not answer yet."""

    @abc.abstractmethod
    def relay_models(self) -> None:
        """Let the services reach the household's model server, and nothing else of it."""

    @abc.abstractmethod
    def close(self) -> None:
        """Remove the services and the network; nothing happens if there are none."""


class DockerFence(DockerServices, Fence):
    """The services of a drill as containers."""

    def __init__(self, living: Contract, contract: Contract) -> None:
        """Run what the containers of the contract `living` run, under the names of `contract`."""
        super().__init__(contract)
        self._living = living
        self._project = contract.project
        self._services = contract.services
        self._label = f"{_LABEL}={contract.project}"
        self._options = ("--label", self._label, "--cpu-shares", _SHARES)

    def open(self) -> None:
        """Create a network without a way out of the machine."""
        self.close()
        processes.run(
            ["docker", "network", "create", "--internal", "--label", self._label, self._project], deadline_s=60
        )

    def launch(self, service: str) -> None:
        """Start a container with the command and the variables of the household's, at a low priority.

        No documents are mounted: what it answers comes from the backup alone.
        """
        configuration = _inspect("container", self._living.services[service].container)["Config"]
        variables = dict(entry.split("=", 1) for entry in configuration["Env"])
        volumes = self._services[service].volumes
        scratch = Scratch(
            volumes[0][0] if volumes else None,
            environment=variables,
            secrets=secrets_of(self._contract, service),
            command=configuration["Cmd"] or (),
        )
        network = ("--network", self._project, "--network-alias", service)
        self._launch(service, self._services[service].container, scratch, network=network)

    def relay_models(self) -> None:
        """Start a relay between the network of the drill and the internal network of the model server."""
        service, port = str(self._living.models["service"]), str(self._living.models["port"])
        target = self._living.services[service].container
        networks = _inspect("container", target)["NetworkSettings"]["Networks"]
        internal = [name for name in networks if _inspect("network", name)["Internal"]]
        if not internal:
            raise BackupError(
                target,
                found=f"the networks {', '.join(networks) or 'none'}, which lead out of the machine",
                expected="an internal network for the relay of the drill",
                next_step="Start the services with the site playbook",
            )
        name, user = self._services[service].container, self._services[applications(self._living)[0]].user
        words = ["docker", "create", "--name", name, "--network", self._project, "--network-alias", service]
        words += [
            *self._options,
            "--restart",
            "no",
            "--user",
            f"{user}:{user}",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges:true",
            "--entrypoint",
            "python",
        ]
        processes.run([*words, self._living.application["image"], "-c", _RELAY, target, port], deadline_s=120)
        processes.run(["docker", "network", "connect", internal[0], name], deadline_s=60)
        processes.run(["docker", "start", name], deadline_s=120)

    def close(self) -> None:
        """Remove all containers and networks with the label of a drill."""
        for name in _lines(["docker", "ps", "--all", "--quiet", "--filter", f"label={self._label}"]):
            processes.run(["docker", "rm", "--force", "--volumes", name], deadline_s=300)
        for name in _lines(["docker", "network", "ls", "--quiet", "--filter", f"label={self._label}"]):
            processes.run(["docker", "network", "rm", name], deadline_s=60)


def _inspect(kind: str, name: str) -> Any:
    return json.loads(processes.run(["docker", kind, "inspect", name], deadline_s=60))[0]


def _lines(command: list[str]) -> list[str]:
    return processes.run(command, deadline_s=60).decode().split()
