# SPDX-License-Identifier: GPL-3.0-or-later
"""New data folders, with the owner and the mode that the services need, whatever the umask."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .. import files
from ..contract import Contract
from ..errors import BackupError

_MIB = 1 << 20
_RESERVE_MIB = 512
_GROWTH = 4
"""Size of a database, with its indexes and its log, by the size of its rows as text; twice what was measured."""


def data_folder(contract: Contract, service: str) -> Path:
    """Return the folder on this machine with the data of a service.

    Raises:
        BackupError: the contract has not exactly one.
    """
    volumes = contract.services[service].volumes if service in contract.services else ()
    if len(volumes) != 1:
        raise BackupError(
            f"service {service}",
            found=f"{len(volumes)} data folders in the contract",
            expected="one",
            next_step="Run the site playbook, whose role `stack` writes the contract",
        )
    return volumes[0][0]


def replaceable(contract: Contract) -> list[Path]:
    """Return the data folders that a restore replaces, of those services that the contract names."""
    entries = (contract.database, contract.queue, contract.vectors)
    return [data_folder(contract, str(entry["service"])) for entry in entries if entry]


def recreate(folder: Path) -> None:
    """Create an empty folder for root alone, in the place of what an interrupted restore left."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)


def make(contract: Contract, service: str, folder: Path) -> None:
    """Create an empty data folder of a service, in the place of what an interrupted restore left."""
    recreate(folder)
    own(contract, service, folder)


def own(contract: Contract, service: str, path: Path) -> None:
    """Give a folder or file, and all below it, to the user of a service, with no rights for others."""
    user = contract.services[service].user
    for entry in (path, *path.rglob("*")):
        os.chown(entry, user, user)
        entry.chmod(0o700 if entry.is_dir() else 0o600)


def flush(folder: Path) -> None:
    """Wait until the disk has all that was written; `folder` is on its file system."""
    os.sync()
    files.sync_folder(folder)


def require_disk_space(work: Path, work_bytes: int, data: Path, data_bytes: int) -> None:
    """Check that a restored backup and the new data folders fit.

    Args:
        work: folder for the restored files, and `work_bytes` their size.
        data: folder of the data folders, and `data_bytes` the size of the rows that a database is made of.

    Raises:
        BackupError: a file system has too little space.
    """
    required: dict[int, int] = {}
    places: dict[int, Path] = {}
    for folder, size in ((work, work_bytes), (data, data_bytes * _GROWTH)):
        device = folder.stat().st_dev
        required[device] = required.get(device, _RESERVE_MIB) + size // _MIB
        places[device] = folder
    _require(required, places)


def _require(required: Mapping[int, int], places: Mapping[int, Path]) -> None:
    for device, mib in required.items():
        space = os.statvfs(places[device])
        free_mib = space.f_bavail * space.f_frsize // _MIB
        if free_mib < mib:
            raise BackupError(
                places[device],
                found=f"{free_mib} MiB free",
                expected=f"at least {mib} MiB for the restored files and the new data folders",
                next_step="Free disk space; NAME.before-TIME folders are the data before earlier restores",
            )
