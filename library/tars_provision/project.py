# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the commands use (playbooks, roles, samples, sources), and the site that a command works on.

They are those of the checkout, or those that the wheel carries in `bundle/`, which has the same layout.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tars_provision.errors import Failure

_BUNDLE = Path(__file__).resolve().parent / "bundle"

INSTALLED = _BUNDLE.is_dir()
"""Whether this library was installed from its wheel; otherwise it is part of a checkout."""

ROOT = _BUNDLE if INSTALLED else Path(__file__).resolve().parents[2]
"""Folder with playbooks, roles, inventories, app and ansible.cfg."""

APP_SOURCES = ROOT / "app"
"""The application's sources and Dockerfile."""

SPEC = "tars.yml"
"""Name of the file that holds a spec."""

CONFIG = "ansible.cfg"
"""Name of Ansible's configuration."""

PROGRAM = Path(sys.executable).with_name("tars-provision") if INSTALLED else ROOT / "tars"
"""The command that a person or a timer runs."""

LAB_SITE = Path("/var/lib/tars-lab/site")
"""Site of the lab where there is no checkout to hold it."""


def home_inventory() -> Path:
    """Return the household's site: inventories/home of the checkout, or the current folder without one."""
    return Path() if INSTALLED else ROOT / "inventories" / "home"


def lab_inventory() -> Path:
    """Return the site of the lab: inventories/lab of the checkout, or LAB_SITE without one."""
    return LAB_SITE if INSTALLED else ROOT / "inventories" / "lab"


class WrongSiteError(Failure):
    """A file was named that is not a spec."""

    exit_code = 2


def default_inventory() -> Path:
    """Return the site meant if none is named: TARS_INVENTORY, else the household's.

    In a checkout the lab is meant until the household's site is initialised.
    """
    named = os.environ.get("TARS_INVENTORY")
    if named:
        return Path(named)
    home = home_inventory()
    initialised = (home / "group_vars" / "all" / "secrets.yml").exists()
    return home if INSTALLED or initialised else lab_inventory()


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


def ansible_config(inventory: Path) -> Path:
    """Return Ansible's configuration for a site: the checkout's, or the one that `init` writes beside the spec."""
    return (inventory if INSTALLED else ROOT) / CONFIG
