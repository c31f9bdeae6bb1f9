# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the backup as servers of this computer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tars_backup.services import Health, Scratch, Stack


class LocalServices(Stack):
    """Programs run on this computer instead of in containers. `prefixes` are put before the command of a service.

    `temporary` is their folder for temporary files: a container has a /tmp of its own, in which names are fixed.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.prefixes: dict[str, list[str]] = {}

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        return ["env", f"TMPDIR={self.temporary}", *self.prefixes.get(service, []), *command]

    def running(self, services: Iterable[str]) -> list[str]:
        return list(services)

    def stop(self, services: Iterable[str], *, deadline_s: float) -> None:
        raise NotImplementedError

    def start(self, services: Iterable[str], *, deadline_s: float) -> None:
        raise NotImplementedError

    def health(self, service: str) -> Health:
        raise NotImplementedError

    def start_scratch(self, service: str, scratch: Scratch) -> Stack:
        raise NotImplementedError

    def stop_scratch(self, service: str, *, deadline_s: float) -> None:
        raise NotImplementedError

    def remove_scratch(self, service: str) -> None:
        raise NotImplementedError
