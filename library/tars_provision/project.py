# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the project lies, and which site a command means."""

from __future__ import annotations

import os
from pathlib import Path

from tars_provision.errors import Failure

ROOT = Path(__file__).resolve().parents[2]
"""The project's root: playbooks, roles, inventories and ansible.cfg lie below it."""

SPEC = "tars.yml"
"""Name of the file that holds a spec."""


class WrongSiteError(Failure):
    """A file was named that is not a spec."""

    exit_code = 2


def default_inventory() -> Path:
    """Return the site meant where none is named: TARS_INVENTORY, else home once it was initialised, else the lab."""
    named = os.environ.get("TARS_INVENTORY")
    if named:
        return Path(named)
    home = ROOT / "inventories" / "home"
    return home if (home / "group_vars" / "all" / "secrets.yml").exists() else ROOT / "inventories" / "lab"


def inventory_dir(named: Path) -> Path:
    """Return the folder of a site that was named by its folder or by the spec in it.

    Raises WrongSiteError for a file with another name, which no command would read.
    """
    named = named.expanduser()
    if named.is_dir() or named.suffix not in (".yml", ".yaml"):
        return named
    if named.name != SPEC:
        raise WrongSiteError(f"{named}: found a file named {named.name}; expected {SPEC} or the folder that holds it")
    return named.parent
