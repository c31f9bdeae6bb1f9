# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which Ansible runs: the project's settings, whatever the caller's shell has set.

Ansible prefers every ANSIBLE_* variable to ansible.cfg. One that a person set for another project (a roles path, a
password file) stops a run before its first task, so these variables are not passed on.
"""

from __future__ import annotations

import contextlib
import locale
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tars_provision.project import COLLECTION_PATHS, CONFIG, ROOT

PASSED_ON = frozenset({"ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_SSH_CONTROL_PATH_DIR"})
"""Folders for temporary files, which contradict nothing in the project's configuration."""

LOCALES = ("C.UTF-8", "en_US.UTF-8")
"""Locales with UTF-8, without which Ansible does not start; Linux has the first, older macOS the second."""

_ignored: list[str] = []


def ignored() -> list[str]:
    """Return the names of the caller's variables that :func:`project_settings` does not pass on."""
    return list(_ignored)


@contextlib.contextmanager
def project_settings() -> Iterator[None]:
    """Replace the caller's Ansible settings in the environment of this process for as long as the context lasts.

    This also holds for Ansible's Python modules, which read variables and an ansible.cfg of the current folder when
    they are imported.
    """
    before = dict(os.environ)
    _ignored[:] = sorted(name for name in before if name.startswith("ANSIBLE_") and name not in PASSED_ON)
    for name in _ignored:
        del os.environ[name]
    os.environ["ANSIBLE_CONFIG"] = str(ROOT / CONFIG)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def of_run() -> dict[str, str]:
    """Return the variables that a run of Ansible needs beside those of :func:`project_settings`."""
    tools = Path(sys.executable).parent
    return {
        "ANSIBLE_CONFIG": str(ROOT / CONFIG),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, COLLECTION_PATHS)),
        # ansible-runner disables this if the environment does not have it.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_FORCE_COLOR": "False",
        "LC_ALL": utf8_locale(),
        "LANGUAGE": "",
        "PYTHONIOENCODING": "utf-8",
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def utf8_locale() -> str:
    """Return a locale with UTF-8 that this computer has."""
    current = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in LOCALES:
            with contextlib.suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name)
    finally:
        locale.setlocale(locale.LC_CTYPE, current)
    return LOCALES[0]
