# SPDX-License-Identifier: GPL-3.0-or-later
"""The components `configuration` and `site`: files of this desktop, and the site folder that the controller sends."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..context import Context
from ..restoring import switch
from . import file_tree
from .staging import Staging


class Configuration:
    """The folders of the configuration, with the services' secrets: the repository is encrypted.

    Files that a restore keeps for a rollback are left out.
    """

    name = "configuration"
    derived = False

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write the files; return their number. Raises BackupError where one cannot be read."""
        context.progress("configuration")
        return file_tree.stage(staging, Path("/"), list(context.configuration.configuration), switch.is_set_aside)

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what differs from the list of files."""
        return file_tree.check(folder, counts)


class Site:
    """The site folder of the controller: spec, vault, recorded facts, certificate authority.

    The controller puts it on the desktop with each run of the playbooks. Without it, `present` is 0.
    """

    name = "site"
    derived = False

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write the files; return their number. Raises BackupError where one cannot be read."""
        context.progress("site folder")
        site = context.configuration.site
        present = site.is_dir()
        counts = file_tree.stage(staging, site, [site] if present else [])
        return {**counts, "present": int(present)}

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what differs from the list of files."""
        return file_tree.check(folder, {key: value for key, value in counts.items() if key != "present"})
