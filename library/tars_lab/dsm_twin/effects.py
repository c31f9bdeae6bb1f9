# SPDX-License-Identifier: GPL-3.0-or-later
"""The effects of calls on the machine: folders, NFS, users, firewall, tasks, certificate and name.

`SystemEffects` acts on the machine it runs on; `DirectoryEffects` acts below a directory and needs no privilege.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tars_lab.dsm_twin import tasks
from tars_lab.dsm_twin.ganesha import Export, Ganesha, Service, render_export, render_service
from tars_lab.dsm_twin.interfaces import DirectoryInterfaces, Interfaces, MachineInterfaces, ReadOnlyInterfaces
from tars_lab.dsm_twin.principals import commands_for
from tars_lab.dsm_twin.state import replace

SNAPSHOT_FOLDER = "#snapshot"
"""Folder of a share that shows its snapshots. It does not belong to the share: it is neither copied nor counted."""

FOLDER_MODE = 0o777
"""Mode of a shared folder's root, which root owns: the share controls access, not the mode."""


@dataclass(frozen=True)
class Space:
    """Size of a volume in bytes."""

    total: int
    free: int


class Effects(Protocol):
    """What the Web API can do to a machine. Paths are those of the NAS (`/volume1/NAME`). Errors are OSError."""

    @property
    def interfaces(self) -> Interfaces:
        """The network interfaces."""

    def create_folder(self, path: str) -> None:
        """Create a shared folder."""

    def rename_folder(self, path: str, new: str) -> None:
        """Rename a folder. Raises FileExistsError if the new path exists."""

    def delete_folder(self, path: str) -> None:
        """Delete a folder with its content, if it exists."""

    def exists(self, path: str) -> bool:
        """Return whether a path exists."""

    def used_bytes(self, path: str) -> int:
        """Return the disk space that the files of a folder occupy."""

    def space(self, path: str) -> Space:
        """Return the size of the volume that contains a path."""

    def write_nfs(self, service: Service, exports: list[Export]) -> None:
        """Configure the NFS service and its exports."""

    def write_principals(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        """Create and delete users and groups of the machine; `groups` maps a group to its members."""

    def copy_folder(self, path: str, to: str) -> None:
        """Copy a folder with owners and modes."""

    def show_folder(self, path: str, to: str) -> None:
        """Show a copy of a folder, which no client can change, at another path of a share, as a whole."""

    def set_hostname(self, name: str) -> None:
        """Set the name of the machine."""

    def write_firewall(self, table: str) -> None:
        """Load a table of nftables."""

    def show_certificate(self, pem: str) -> None:
        """Serve a certificate with chain and key; "" for the one that the NAS was installed with."""

    def write_tasks(self, jobs: Sequence[tasks.Job]) -> None:
        """Replace the scheduled tasks."""

    def run_task(self, identity: int) -> None:
        """Start a task now."""


class DirectoryEffects:
    """Effects below the directory `root`: volumes are folders in it, and settings are files beside them.

    The methods are those of `Effects`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.interfaces = DirectoryInterfaces(root)
        self.restart_web: Callable[[Path | None], object] = lambda path: None
        """Restarts the web server with the certificate in a file, or with the one that it was installed with."""

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def create_folder(self, path: str) -> None:
        """Create a shared folder that everybody can write to."""
        folder = self._at(path)
        folder.mkdir()
        folder.chmod(FOLDER_MODE)

    def rename_folder(self, path: str, new: str) -> None:
        """Rename a folder. Raises FileExistsError if the new path exists."""
        if self._at(new).exists():
            raise FileExistsError(new)
        self._at(path).rename(self._at(new))

    def delete_folder(self, path: str) -> None:
        """Delete a folder with its content, if it exists."""
        folder = self._at(path)
        if folder.exists():
            for parent, _, _ in os.walk(folder):
                if not os.access(parent, os.W_OK):
                    os.chmod(parent, stat.S_IRWXU)
            shutil.rmtree(folder)

    def exists(self, path: str) -> bool:
        """Return whether a path exists."""
        return self._at(path).exists()

    def used_bytes(self, path: str) -> int:
        """Return the disk space that the files of a folder occupy."""
        blocks = 0
        for parent, folders, names in os.walk(self._at(path)):
            if parent == str(self._at(path)) and SNAPSHOT_FOLDER in folders:
                folders.remove(SNAPSHOT_FOLDER)
            for name in names:
                # Clients can delete files during the walk.
                with contextlib.suppress(FileNotFoundError):
                    blocks += os.lstat(os.path.join(parent, name)).st_blocks
        return blocks * 512

    def space(self, path: str) -> Space:
        """Return the size of the volume that contains a path."""
        volume = os.statvfs(self._at(path))
        return Space(volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize)

    def write_nfs(self, service: Service, exports: list[Export]) -> None:
        """Write `ganesha.conf`; without the NFS service it does not exist."""
        config = self._at("ganesha.conf")
        if service.enabled:
            blocks = [render_export(export, service, str) for export in exports]
            replace(config, render_service(service) + "".join(blocks), 0o644)
        else:
            config.unlink(missing_ok=True)

    def write_principals(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        """Write `principals.json`."""
        replace(self._at("principals.json"), json.dumps({"users": users, "groups": groups}))

    def copy_folder(self, path: str, to: str) -> None:
        """Copy a folder with owners and modes; create missing folders above `to` that only root can read."""
        source, target = self._at(path), self._at(to)
        for above in reversed(target.parents):
            if not above.exists():
                above.mkdir(mode=0o700)
        target.mkdir()
        try:
            content = [str(entry) for entry in source.iterdir() if entry.name != SNAPSHOT_FOLDER]
            if content:
                command = ["cp", "--archive", "--reflink=auto", f"--target-directory={target}", "--"]
                subprocess.run([*command, *content], check=True)
            os.chown(target, source.stat().st_uid, source.stat().st_gid)
            shutil.copystat(source, target)
        except BaseException:
            # An error of this removal must not replace the error of the copy.
            shutil.rmtree(target, ignore_errors=True)
            raise

    def show_folder(self, path: str, to: str) -> None:
        """Show a copy of a folder at `to` when it is complete. Nobody but its owner can change it."""
        view, beside = self._at(to).parent, f"{path}.shown"
        view.mkdir(exist_ok=True)
        view.chmod(0o755)
        self.delete_folder(beside)  # left behind by a twin that was killed
        self.copy_folder(path, beside)
        self.rename_folder(beside, to)
        self._protect(self._at(to))

    def _protect(self, folder: Path) -> None:
        subprocess.run(["chmod", "--recursive", "a-w,a+rX", "--", str(folder)], check=True)

    def set_hostname(self, name: str) -> None:
        """Write `etc/hostname`."""
        replace(self._at("etc/hostname"), f"{name}\n", 0o644)

    def write_firewall(self, table: str) -> None:
        """Write `firewall.nft`."""
        replace(self._at("firewall.nft"), table, 0o644)

    def show_certificate(self, pem: str) -> None:
        """Write the certificate to `shown.pem` and restart the web server with it."""
        path = self._at("var/lib/dsm-twin/shown.pem")
        if pem:
            replace(path, pem)
        self.restart_web(path if pem else None)

    def write_tasks(self, jobs: Sequence[tasks.Job]) -> None:
        """Write `tasks.json`."""
        replace(self._at("tasks.json"), json.dumps({job.id: dataclasses.asdict(job) for job in jobs}))

    def run_task(self, identity: int) -> None:
        """Write the number of the task to `ran.json`."""
        replace(self._at("ran.json"), json.dumps(identity))


class SystemEffects(DirectoryEffects):
    """Effects on the machine itself: volumes are its folders, nfs-ganesha under systemd is the NFS service.

    The methods are those of `Effects`.
    """

    def __init__(self) -> None:
        super().__init__(Path("/"))
        self.interfaces = MachineInterfaces()
        self._ganesha = Ganesha()

    def create_folder(self, path: str) -> None:
        """Create a shared folder that root owns."""
        super().create_folder(path)
        os.chown(self._at(path), 0, 0)

    def _protect(self, folder: Path) -> None:
        super()._protect(folder)
        # Clients act as the owners of the files, who could allow themselves to change them.
        subprocess.run(["chown", "--recursive", "--no-dereference", "0:0", "--", str(folder)], check=True)

    def write_nfs(self, service: Service, exports: list[Export]) -> None:
        """Configure nfs-ganesha."""
        self._ganesha.write(service, exports)

    def write_principals(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        """Create and delete users and groups. Raises FileExistsError for a name that belongs to Debian."""
        passwd, group = Path("/etc/passwd").read_text("utf-8"), Path("/etc/group").read_text("utf-8")
        for command in commands_for(passwd, group, users, groups):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def set_hostname(self, name: str) -> None:
        """Set the name, at once or from the next boot on."""
        super().set_hostname(name)
        # A container can lack the permission to change its name; it then has the new name after the next boot.
        with contextlib.suppress(PermissionError):
            socket.sethostname(name)

    def write_firewall(self, table: str) -> None:
        """Load the table with nft."""
        subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)

    def write_tasks(self, jobs: Sequence[tasks.Job]) -> None:
        """Replace the systemd units of the tasks."""
        tasks.install(jobs)

    def run_task(self, identity: int) -> None:
        """Start the systemd service of the task."""
        tasks.run(identity)


class ReadOnlyEffects:
    """Reads like `effects` and changes nothing; a write that reports success without an effect uses it."""

    def __init__(self, effects: Effects) -> None:
        self.interfaces = ReadOnlyInterfaces(effects.interfaces)
        self.exists = effects.exists
        self.used_bytes = effects.used_bytes
        self.space = effects.space

    def create_folder(self, path: str) -> None:
        """Do nothing."""

    def rename_folder(self, path: str, new: str) -> None:
        """Do nothing."""

    def delete_folder(self, path: str) -> None:
        """Do nothing."""

    def write_nfs(self, service: Service, exports: list[Export]) -> None:
        """Do nothing."""

    def write_principals(self, users: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        """Do nothing."""

    def copy_folder(self, path: str, to: str) -> None:
        """Do nothing."""

    def show_folder(self, path: str, to: str) -> None:
        """Do nothing."""

    def set_hostname(self, name: str) -> None:
        """Do nothing."""

    def write_firewall(self, table: str) -> None:
        """Do nothing."""

    def show_certificate(self, pem: str) -> None:
        """Do nothing."""

    def write_tasks(self, jobs: Sequence[tasks.Job]) -> None:
        """Do nothing."""

    def run_task(self, identity: int) -> None:
        """Do nothing."""
