# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit docker.service as systemd and the kernel report it."""

from __future__ import annotations

from dataclasses import dataclass

UNIT = "docker.service"
PROPERTIES = "ActiveState,SubState,LoadState,UnitFileState,MainPID,ExecStart"
"""What `parse_service` reads from `systemctl show`."""

CONFIG_FILE = "/etc/docker/daemon.json"
"""The configuration file of a dockerd that is started without --config-file."""


@dataclass(frozen=True)
class Service:
    """docker.service: whether it runs, dockerd with its flags (empty without a unit), and how systemd loads it.

    `loaded` and `unit_file` are systemd's LoadState and UnitFileState.
    """

    active: bool
    command: tuple[str, ...]
    loaded: str = "not-found"
    unit_file: str = ""

    @property
    def enabled(self) -> bool:
        """Whether it starts at boot."""
        return self.unit_file == "enabled"

    @property
    def flags(self) -> tuple[str, ...]:
        """dockerd's flags, without the one that names the configuration file."""
        kept: list[str] = []
        words = iter(self.command[1:])
        for word in words:
            if word == "--config-file":
                next(words, None)
            elif not word.startswith("--config-file="):
                kept.append(word)
        return tuple(kept)

    @property
    def path(self) -> str:
        """The configuration file that dockerd reads."""
        words = list(self.command)
        for number, word in enumerate(words):
            if word.startswith("--config-file="):
                return word.partition("=")[2]
            if word == "--config-file" and number + 1 < len(words):
                return words[number + 1]
        return CONFIG_FILE


def parse_service(show: str, cmdline: bytes) -> Service:
    """Return the service from `systemctl show` and /proc/PID/cmdline of its process, empty where none runs.

    The process has its flags with all variables filled in; a unit that does not run only has their names.
    """
    values: dict[str, str] = dict(line.split("=", 1) for line in show.splitlines() if "=" in line)
    if cmdline:
        command = tuple(word.decode("utf-8", "replace") for word in cmdline.rstrip(b"\0").split(b"\0"))
    else:
        argv = values.get("ExecStart", "").partition("argv[]=")[2].partition(" ; ")[0]
        command = tuple(word for word in argv.split() if not word.startswith("$"))
    active = values.get("ActiveState") in ("active", "reloading")
    return Service(active, command, values.get("LoadState", "not-found"), values.get("UnitFileState", ""))
