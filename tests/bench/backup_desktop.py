# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop of tests.bench.backup as one step sees it. It imports little: a step measures its own memory."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tars_backup import contract
from tars_backup.components import Component, all_components
from tars_backup.context import Context, Progress
from tars_backup.contract import Contract
from tars_backup.deadline import Deadline
from tars_backup.services import Health
from tars_lab import restic

from ..integration.backup.repository.desktop import Desktop
from ..integration.backup.repository.stack import Ports, ProcessServices

ROOT = Path(__file__).parents[2]


class Services(ProcessServices):
    """All services run. Their programs have their priority, not that of the backup that calls them."""

    limit_s = 3600

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        words = super().command(service, command, environment, deadline_s)
        return ["nice", f"--adjustment={-os.nice(0)}", "chrt", "--other", "0", *words]

    def health(self, service: str) -> Health:
        paths = {"app": ("TARS_PORT", "/health"), "chroma": ("CHROMA_PORT", "/api/v2/heartbeat")}
        if service not in paths:
            return super().health(service)
        port, path = paths[service]
        try:
            connection = http.client.HTTPConnection("127.0.0.1", int(self.settings[port]), timeout=5)
            connection.request("GET", path)
            return Health(True, connection.getresponse().status == http.HTTPStatus.OK, 0, "")
        except (OSError, http.client.HTTPException) as error:
            return Health(bool(self.running([service])), False, 0, str(error))

    @property
    def settings_file(self) -> Path:
        """Return the file of the variables of the application and of Chroma."""
        return self.folder / "settings.json"

    @property
    def settings(self) -> dict[str, str]:
        """Return the variables of the application and of Chroma."""
        settings: dict[str, str] = json.loads(self.settings_file.read_text())
        return settings

    def _program(self, service: str, data: Path, port: int) -> list[str]:
        if service == "chroma":
            chroma = Path(sys.executable).with_name("chroma")
            address = ["--host", "127.0.0.1", "--port", self.settings["CHROMA_PORT"]]
            return [str(chroma), "run", "--path", str(data), *address]
        if service in ("app", "worker"):
            variables = [f"{name}={value}" for name, value in self.settings.items()]
            return ["env", *variables, sys.executable, "-m", "tars_app", "serve" if service == "app" else "worker"]
        return super()._program(service, data, port)


class BenchDesktop(Desktop):
    """A desktop with its services, below a folder that `Household` has made."""

    def __init__(self, folder: Path) -> None:
        """Use the desktop of a folder."""
        super().__init__(folder, restic.binary())
        self.cluster, self.data = folder / "cluster", folder / "data"

    @property
    def ports(self) -> Ports:
        """Return the ports of the services."""
        return Ports(**json.loads((self.folder / "ports.json").read_text()))

    @property
    def contract(self) -> Contract:
        """Return the contract of the services."""
        return contract.load(self.folder / "contract.json")

    @property
    def services(self) -> Services:
        """Return the services."""
        return Services(self.contract, self.folder / "run", self.cluster, self.ports)

    @property
    def components(self) -> Sequence[Component]:
        return all_components()

    def context(self, progress: Progress = lambda line: None) -> Context:
        return Context(self.configuration, self.contract, self.services, Deadline(3600), progress)
