# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the commands use (playbooks, roles, samples, sources), and the site that a command works on.

They are those of the checkout, or those that the wheel carries in `bundle/`, which has the same layout.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from tars_provision import __version__
from tars_provision.errors import ProvisionError, message

_BUNDLE = Path(__file__).resolve().parent / "bundle"

INSTALLED = _BUNDLE.is_dir()
"""Whether this library was installed from its wheel; otherwise it is part of a checkout."""

ROOT = _BUNDLE if INSTALLED else Path(__file__).resolve().parents[2]
"""Folder with playbooks, roles, inventories, app and ansible.cfg."""

APP_SOURCES = ROOT / "app"
"""The application's sources and Dockerfile."""

BACKUP_PROGRAM = Path(__file__).resolve().parents[1] / "tars_backup"
"""The package of the program that backs up the desktop; it runs there, not on this computer."""

SPEC = "tars.yml"
"""Name of the file that holds a spec."""

CONFIG = "ansible.cfg"
"""Name of Ansible's configuration."""

COLLECTION_PATHS = (
    (Path(os.path.expanduser("~/.ansible/collections")), Path("/usr/share/ansible/collections"))
    if INSTALLED
    else (ROOT / "collections",)
)
"""Folders in which Ansible searches for collections: the checkout's, or those of ansible-galaxy."""

PROGRAM = Path(sys.executable).with_name("tars-provision") if INSTALLED else ROOT / "tars"
"""The command that a timer runs."""

DEFAULT_HOME = "the current folder" if INSTALLED else "inventories/home"
"""The site that `init` prepares if none is named, as its help states it."""

DEFAULT_SITE = "the current folder" if INSTALLED else "inventories/home once it was initialised, inventories/lab"
"""The site meant if none is named, as help texts state it."""


LAB_SITE = Path("/var/lib/tars-lab/site")
"""Site of the lab where there is no checkout to hold it."""


def home_inventory() -> Path:
    """Return the household's site: inventories/home of the checkout, or the current folder without one."""
    return Path() if INSTALLED else ROOT / "inventories" / "home"


def lab_inventory() -> Path:
    """Return the site of the lab: inventories/lab of the checkout, or LAB_SITE without one."""
    return LAB_SITE if INSTALLED else ROOT / "inventories" / "lab"


class CollectionError(ProvisionError):
    """The collection tars.home is missing, or belongs to another version of this library."""


class WrongSiteError(ProvisionError):
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


def tool(name: str) -> str:
    """Return how a shell starts a program that is installed beside this one, such as ansible-vault."""
    installed = Path(sys.executable).with_name(name)
    on_path = any((Path(folder) / name).exists() for folder in os.get_exec_path())
    return name if on_path or not installed.exists() else str(installed)


def collection() -> Path:
    """Return the folder of the collection tars.home. Raises CollectionError if it is missing or has another version."""
    expected = f"version {__version__}"
    # With its folder: in a checkout, ansible.cfg names the folder of the sources, which --force would replace.
    arguments = f"collection install --force -p ~/.ansible/collections tars-home-{__version__}.tar.gz"
    step = f"Install the archive that belongs to it: `{shlex.quote(tool('ansible-galaxy'))} {arguments}`"
    folders = [path / "ansible_collections" / "tars" / "home" for path in COLLECTION_PATHS]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        places = " and ".join(map(str, COLLECTION_PATHS))
        raise CollectionError(message("tars.home", found=f"nothing in {places}", expected=expected, next_step=step))
    if INSTALLED and (version := _version(folder)) != __version__:
        other = f"version {version or 'unknown'}"
        raise CollectionError(message(folder, found=other, expected=expected, next_step=step))
    return folder


def _version(collection_folder: Path) -> str:
    """Return the version in the manifest of an installed collection; empty without a manifest."""
    try:
        manifest = json.loads((collection_folder / "MANIFEST.json").read_text())
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
