# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call does to the machine: folders on a volume and the NFS service.

`SystemEffects` acts on the machine it runs on; `DirectoryEffects` acts below a directory and needs no privilege.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tars_lab.dsm_twin import tasks
from tars_lab.dsm_twin.ganesha import Export, Ganesha, Service, render_export, render_service
from tars_lab.dsm_twin.people import orders
from tars_lab.dsm_twin.state import replace
from tars_lab.dsm_twin.wiring import DirectoryWiring, InertWiring, MachineWiring, Wiring

FOLDER_MODE = 0o777
"""Mode of a shared folder's root, owned by root: who gets in is decided by the share, not by the mode."""


@dataclass(frozen=True)
class Space:
    """Bytes of a volume."""

    total: int
    free: int


class Effects(Protocol):
    """Paths are the NAS's own (`/volume1/NAME`). Errors are OSError, with errno telling which."""

    @property
    def wiring(self) -> Wiring: ...
    def create_folder(self, path: str) -> None: ...
    def rename_folder(self, path: str, new: str) -> None: ...
    def delete_folder(self, path: str) -> None: ...
    def exists(self, path: str) -> bool: ...
    def used_bytes(self, path: str) -> int: ...
    def space(self, path: str) -> Space: ...
    def apply_nfs(self, service: Service, exports: list[Export]) -> None: ...
    def apply_people(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None: ...
    def copy_folder(self, path: str, to: str) -> None: ...
    def set_hostname(self, name: str) -> None: ...
    def apply_firewall(self, table: str) -> None: ...
    def show_certificate(self, pem: str) -> None: ...
    def apply_tasks(self, jobs: Sequence[tasks.Job]) -> None: ...
    def run_task(self, identity: int) -> None: ...


class DirectoryEffects:
    """Volumes are directories below `root`; `ganesha.conf` beside them is the NFS service, `people.json` the users."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.wiring = DirectoryWiring(root)
        self.restart_web: Callable[[Path | None], object] = lambda path: None
        """Restarts the web server with the certificate in a file, or with the one it was installed with."""

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def create_folder(self, path: str) -> None:
        folder = self._at(path)
        folder.mkdir()
        folder.chmod(FOLDER_MODE)

    def rename_folder(self, path: str, new: str) -> None:
        if self._at(new).exists():
            raise FileExistsError(new)
        self._at(path).rename(self._at(new))

    def delete_folder(self, path: str) -> None:
        if self._at(path).exists():
            shutil.rmtree(self._at(path))

    def exists(self, path: str) -> bool:
        return self._at(path).exists()

    def used_bytes(self, path: str) -> int:
        blocks = 0
        for where, _, names in os.walk(self._at(path)):
            for name in names:
                # Clients write while this walks.
                with contextlib.suppress(FileNotFoundError):
                    blocks += os.lstat(os.path.join(where, name)).st_blocks
        return blocks * 512

    def space(self, path: str) -> Space:
        volume = os.statvfs(self._at(path))
        return Space(volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize)

    def apply_nfs(self, service: Service, exports: list[Export]) -> None:
        config = self._at("ganesha.conf")
        if service.enabled:
            blocks = [render_export(export, service, str) for export in exports]
            replace(config, render_service(service) + "".join(blocks), 0o644)
        else:
            config.unlink(missing_ok=True)

    def apply_people(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        replace(self._at("people.json"), json.dumps({"users": users, "groups": groups}))

    def copy_folder(self, path: str, to: str) -> None:
        """Copy everything with owners and modes; what is above `to` is closed to all but the machine's owner."""
        target = self._at(to)
        target.parent.mkdir(parents=True, exist_ok=True)
        for above in (target.parent, target.parent.parent):
            above.chmod(0o700)
        try:
            subprocess.run(["cp", "--archive", "--reflink=auto", "--", str(self._at(path)), str(target)], check=True)
        except BaseException:
            # What made the copy fail is what is told, whatever hinders the removal of its beginnings.
            shutil.rmtree(target, ignore_errors=True)
            raise

    def set_hostname(self, name: str) -> None:
        replace(self._at("etc/hostname"), f"{name}\n", 0o644)

    def apply_firewall(self, table: str) -> None:
        replace(self._at("firewall.nft"), table, 0o644)

    def show_certificate(self, pem: str) -> None:
        path = self._at("var/lib/dsm-twin/shown.pem")
        if pem:
            replace(path, pem)
        self.restart_web(path if pem else None)

    def apply_tasks(self, jobs: Sequence[tasks.Job]) -> None:
        replace(self._at("tasks.json"), json.dumps({job.id: dataclasses.asdict(job) for job in jobs}))

    def run_task(self, identity: int) -> None:
        replace(self._at("ran.json"), json.dumps(identity))


class SystemEffects(DirectoryEffects):
    """Volumes are the machine's own folders; the NFS service is nfs-ganesha under systemd."""

    def __init__(self) -> None:
        super().__init__(Path("/"))
        self.wiring = MachineWiring()
        self._ganesha = Ganesha()

    def create_folder(self, path: str) -> None:
        super().create_folder(path)
        os.chown(self._at(path), 0, 0)

    def apply_nfs(self, service: Service, exports: list[Export]) -> None:
        self._ganesha.apply(service, exports)

    def apply_people(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        passwd, group = Path("/etc/passwd").read_text("utf-8"), Path("/etc/group").read_text("utf-8")
        for command in orders(passwd, group, users, groups):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def set_hostname(self, name: str) -> None:
        super().set_hostname(name)
        # A machine that may not rename itself while it runs has the name after its next start.
        with contextlib.suppress(PermissionError):
            socket.sethostname(name)

    def apply_firewall(self, table: str) -> None:
        subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)

    def apply_tasks(self, jobs: Sequence[tasks.Job]) -> None:
        tasks.install(jobs)

    def run_task(self, identity: int) -> None:
        tasks.run(identity)


class Inert:
    """Reads like `effects`, changes nothing: what stands behind a write that only claims success."""

    def __init__(self, effects: Effects) -> None:
        self.wiring = InertWiring(effects.wiring)
        self.exists = effects.exists
        self.used_bytes = effects.used_bytes
        self.space = effects.space

    def create_folder(self, path: str) -> None: ...
    def rename_folder(self, path: str, new: str) -> None: ...
    def delete_folder(self, path: str) -> None: ...
    def apply_nfs(self, service: Service, exports: list[Export]) -> None: ...
    def apply_people(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None: ...
    def copy_folder(self, path: str, to: str) -> None: ...
    def set_hostname(self, name: str) -> None: ...
    def apply_firewall(self, table: str) -> None: ...
    def show_certificate(self, pem: str) -> None: ...
    def apply_tasks(self, jobs: Sequence[tasks.Job]) -> None: ...
    def run_task(self, identity: int) -> None: ...
