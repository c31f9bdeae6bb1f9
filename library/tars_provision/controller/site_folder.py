# SPDX-License-Identifier: GPL-3.0-or-later
"""The files beside a spec: those with which plain `ansible-playbook` runs where there is no checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tars_provision import __version__, project
from tars_provision.files import write_atomic

MARK = "# Written by tars-provision"
"""How a file begins that `init` may replace. Without it, the file is its owner's and stays."""

PLAYBOOKS = ("site", "verify", "benchmark", "backup", "restore", "drill")


def write_sample(folder: Path) -> bool:
    """Write the sample spec into a site's folder unless it has a spec; return whether one was written."""
    spec = folder / project.SPEC
    if spec.exists():
        return False
    write_atomic(spec, _sample("home"))
    return True


def lab_site() -> Path:
    """Return the folder of the lab's site; where there is no checkout that has it, it is written."""
    folder = project.lab_inventory()
    if project.INSTALLED:
        write_atomic(folder / project.SPEC, _sample("lab"))
        write_ansible_files(folder)
    return folder


def _sample(name: str) -> bytes:
    lines = (project.ROOT / "inventories" / name / project.SPEC).read_bytes().splitlines(keepends=True)
    if project.INSTALLED:  # the first line refers to the JSON Schema in the checkout
        lines = [line for line in lines if not line.startswith(b"# yaml-language-server:")]
    return b"".join(lines)


def write_ansible_files(folder: Path) -> list[Path]:
    """Write ansible.cfg and playbooks/ into a site's folder where there is no checkout; return the changed files.

    They refer to the playbooks and roles of the installed package, so that an upgrade needs no change to them.
    """
    if not project.INSTALLED:
        return []
    files = {folder / project.CONFIG: configuration()}
    files |= {folder / "playbooks" / f"{name}.yml": playbook(name) for name in PLAYBOOKS}
    return [path for path, text in files.items() if _write(path, text)]


def configuration() -> str:
    """Return the site's ansible.cfg: that of the project, with the places of collections, roles and inventory."""
    text = (project.ROOT / project.CONFIG).read_text()
    collections = os.pathsep.join(map(str, project.COLLECTION_PATHS))
    text = text.replace("collections_path = collections\n", f"collections_path = {collections}\n")
    roles = f"roles_path = {project.ROOT / 'roles'}\ninventory = {project.SPEC}\n"
    return _header() + text.replace("roles_path = roles\n", roles)


def playbook(name: str) -> str:
    """Return the site's playbook `name`, which runs the installed one."""
    path = json.dumps(str(project.ROOT / "playbooks" / f"{name}.yml"))
    return f"---\n{_header()}- name: Run the playbook {name} of T.A.R.S.\n  ansible.builtin.import_playbook: {path}\n"


def _header() -> str:
    return f"{MARK} {__version__}; `tars-provision init` replaces it. Remove this line to keep your own version.\n"


def _write(path: Path, text: str) -> bool:
    """Write a file unless it is its owner's or unchanged; return whether it was written."""
    content = text.encode()
    present = path.read_bytes() if path.exists() else None
    if present == content or (present is not None and MARK.encode() not in present):
        return False
    write_atomic(path, content)
    return True
