# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop and a copy of its repository in another folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tars_backup.actions.bring_back import BroughtBack, bring_back
from tars_backup.actions.copies import Copied, copy
from tars_backup.actions.init import init
from tars_backup.actions.list import Listing, list_backups
from tars_backup.configuration import Configuration

from ..desktop import Desktop, mount_of

NAME = "attic"


def quiet(line: str) -> None:
    """Print nothing."""


class Pair:
    """A desktop, and a copy of its repository in another folder."""

    def __init__(self, desktop: Desktop, folder: Path) -> None:
        self.desktop = desktop
        self.folder = folder
        folder.mkdir()
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Change the copy's settings."""
        copies = self.desktop.settings.get("copies") or {
            NAME: {
                "mount": mount_of(self.folder),
                "repository": str(self.folder / "repository"),
                "retention": {"last": 9},
            }
        }
        copies[NAME].update(changes)
        self.desktop.write_settings(copies=copies)

    def record(self, name: str | None) -> None:
        """Record the id of the copy's repository, as the role does."""
        self.desktop.write_settings(copy_ids={NAME: name} if name else {})

    def init(self) -> str:
        """Create the copy's repository, and record its id as the role does."""
        name = init(self.copied, like=self.desktop.configuration).repository_id
        self.record(name)
        return name

    def restic(self, *words: str) -> str:
        """Run restic on the copy without the program."""
        return self.desktop.stock_restic("-r", self.copied.repository, *words).stdout

    @property
    def copied(self) -> Configuration:
        """Return the configuration of the copy."""
        return self.desktop.configuration.of_copy(NAME)

    def change(self, text: str) -> str:
        """Change a document, make a backup, and return its id."""
        (self.desktop.documents / "letter.txt").write_text(text)
        return self.desktop.run().id

    def copy(self, *, dry_run: bool = False) -> Copied:
        """Copy to the copy."""
        return copy(self.desktop.configuration, NAME, dry_run=dry_run, progress=quiet)

    def bring_back(self, *, dry_run: bool = False) -> BroughtBack:
        """Copy to the share."""
        return bring_back(self.desktop.configuration, NAME, dry_run=dry_run, progress=quiet)

    def listing(self) -> Listing:
        """List the copy."""
        return list_backups(self.copied)

    def names(self) -> list[str]:
        """Return the good backups of the copy."""
        return [mark.id for mark in self.listing().backups]

    def lose_share(self) -> None:
        """Empty the share, as a new NAS has it."""
        shutil.rmtree(self.desktop.share)
        self.desktop.share.mkdir()
