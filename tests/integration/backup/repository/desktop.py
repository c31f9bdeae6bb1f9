# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop with a repository in temporary folders: real restic, components that copy files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tars_backup import configuration, contract, instants
from tars_backup.actions import copies
from tars_backup.actions.bring_back import BroughtBack, bring_back
from tars_backup.actions.init import init
from tars_backup.actions.list import Listing, list_backups
from tars_backup.actions.prune import Pruned, prune
from tars_backup.actions.run import Made, run
from tars_backup.actions.verify import Verified, verify
from tars_backup.components import Component
from tars_backup.components.staging import Staging
from tars_backup.configuration import Configuration
from tars_backup.context import Context
from tars_backup.deadline import Deadline
from tars_backup.destination import mounts
from tars_backup.restic import Restic
from tars_backup.services import DockerServices

PASSWORD = "the key of the household"

RETENTION = {"last": 3, "hourly": 48, "daily": 30, "weekly": 8, "monthly": 24, "yearly": 10}


@dataclass(frozen=True)
class Copied:
    """A component whose files are copies of a folder's."""

    source: Path
    name: str = "files"
    derived: bool = False

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write the files of the source."""
        for path in sorted(path for path in self.source.rglob("*") if path.is_file()):
            staging.write(path.relative_to(self.source).as_posix(), path.read_bytes())
        return {"files": len(staging.digests)}

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Compare the number of files."""
        count = sum(path.is_file() for path in folder.rglob("*"))
        return [] if count == counts["files"] else [f"{count} files, not {counts['files']}"]


def mount_of(path: Path) -> dict[str, Any]:
    """Return the mount that a path is on, as the configuration names it."""
    while not os.path.ismount(path):
        path = path.parent
    table = mounts(Path("/proc/self/mountinfo").read_text())
    entry = next(entry for entry in reversed(table) if entry.path == str(path))
    return {"path": str(path), "types": [entry.type], "source": entry.source}


class Desktop:
    """Folders, configuration and documents of a desktop; the verbs of the program on them."""

    settings: dict[str, Any]

    def __init__(self, folder: Path, restic: Path) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.share = folder / "share"
        if self.file.exists():
            self.settings = json.loads(self.file.read_text())
            return
        for path in (self.documents, self.share):
            path.mkdir(parents=True)
        (folder / "key").write_text(f"{PASSWORD}\n")
        (folder / "contract.json").write_text(json.dumps(CONTRACT))
        self.settings = {
            "schema": 1,
            "contract": str(folder / "contract.json"),
            "restic": str(restic),
            "key_file": str(folder / "key"),
            "repository": str(self.share / "repository"),
            "repository_id": None,
            "mount": mount_of(self.share),
            "host": "xps8950",
            "zone": "Europe/Amsterdam",
            "retention": RETENTION,
            "configuration": ["/opt/tars"],
            "models": "digests",
            "free_mib": 1,
            **{name: str(folder / "backup" / name) for name in ("staging", "state", "site", "work")},
        }
        self.write_settings()

    def write_settings(self, **changes: Any) -> None:
        """Change keys of the configuration file."""
        self.settings.update(changes)
        self.file.write_text(json.dumps(self.settings))

    @property
    def file(self) -> Path:
        """Return the configuration file."""
        return self.folder / "backup.json"

    @property
    def configuration(self) -> Configuration:
        """Return the configuration."""
        return configuration.load(self.file)

    @property
    def repository(self) -> Path:
        """Return the folder of the repository."""
        return self.share / "repository"

    @property
    def restic(self) -> Restic:
        """Return the program's restic."""
        return Restic(self.configuration)

    @property
    def components(self) -> Sequence[Component]:
        """Return the components of a backup."""
        return (Copied(self.documents),)

    def context(self) -> Context:
        """Return the context of a run."""
        stack = contract.load(self.configuration.contract)
        return Context(self.configuration, stack, DockerServices(stack), Deadline(600), lambda line: None)

    def init(self) -> str:
        """Create the repository and record its id, as the role does."""
        name = init(self.configuration).repository_id
        self.write_settings(repository_id=name)
        return name

    def use(self, template: Path) -> None:
        """Take a copy of a repository whose key opens quickly."""
        shutil.copytree(template, self.repository)
        self.write_settings(repository_id=self.restic.repository_id())

    def run(self, *, dry_run: bool = False) -> Made:
        """Make a backup."""
        return run(self.configuration, self.components, self.context, dry_run=dry_run)

    def listing(self) -> Listing:
        """List the backups."""
        return list_backups(self.configuration)

    def verify(self, name: str = "latest", *, every: bool = False, data: bool = False) -> Verified:
        """Verify a backup."""
        return verify(self.configuration, name, every=every, data=data, progress=lambda line: None)

    def prune(self, *, dry_run: bool = False, accept_missing: bool = False) -> Pruned:
        """Prune by the retention rules."""
        return prune(self.configuration, dry_run=dry_run, accept_missing=accept_missing, progress=lambda line: None)

    def copy(self) -> copies.Copied:
        """Copy to all copies."""
        return copies.copy(self.configuration, None, dry_run=False, progress=lambda line: None)

    def bring_back(self) -> BroughtBack:
        """Copy from the only copy to the share."""
        (name,) = self.configuration.copies
        return bring_back(self.configuration, name, dry_run=False, progress=lambda line: None)

    def stock_restic(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run restic without the program."""
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "TZ": "UTC"}
        line = self.stock(*words)
        return subprocess.run(line, env=environment, check=check, capture_output=True, text=True, timeout=120)

    def stock(self, *words: str | Path) -> list[str | Path]:
        """Return the command line of restic without the program."""
        return [self.settings["restic"], "-r", self.repository, "-p", self.folder / "key", *words]


def command(*words: str | Path) -> list[str]:
    """Return the command line of the program in a process of its own."""
    return [sys.executable, "-m", "tars_backup", *map(str, words)]


def child_environment() -> dict[str, str]:
    """Return the environment in which the program's package is found."""
    return {
        "PYTHONPATH": str(Path(instants.__file__).parents[1]),
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        # Set where the lines that tests run are measured.
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }


CONTRACT: dict[str, Any] = {
    "schema": 1,
    "version": "0.1",
    "project": "tars",
    "folder": "/opt/tars/stack",
    "compose_file": "/opt/tars/stack/compose.yaml",
    "data_folder": "/srv/tars/data",
    "documents_folder": "/srv/tars/documents",
    "application": {"version": "1", "image": "tars-app:1"},
    "images": {},
    "services": {},
    "database": {},
    "queue": {},
    "vectors": {},
    "models": {},
    "page": {},
}
