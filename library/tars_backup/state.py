# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program remembers between runs: one small JSON file for each subject, on the desktop.

Everything in it can be lost: the marks beside the repository and the manifests in it are enough to go on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import files


class State:
    """The folder of the state files.

    Subjects: run, history, repository, snapshots, last_good, attempts, verified, share, pruned, freed, copy, drill,
    sheet, key, watch, alarms.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is created at the first write."""
        self._folder = folder

    def read(self, subject: str) -> dict[str, Any]:
        """Return the stored object; an empty one if there is none, or if the file is damaged."""
        try:
            document = json.loads((self._folder / f"{subject}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def write(self, subject: str, document: dict[str, Any]) -> None:
        """Store an object."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write(self._folder / f"{subject}.json", json.dumps(document, sort_keys=True, indent=1).encode())
