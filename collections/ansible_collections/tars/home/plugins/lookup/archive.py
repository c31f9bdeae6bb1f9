# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: archive
short_description: Return files of the controller as one archive
description:
  - Returns a folder as a tar archive, or a Python package as a program of one file (C(zipapp)), in base64.
  - The archive is the same, byte for byte, as long as the files are. It has neither times nor owners.
  - Hidden files, caches and links are left out.
options:
  _terms:
    description: Folder on the controller.
    required: true
    type: list
    elements: path
  only:
    description: Names of files and folders in the folder that are packed. Default is all.
    type: list
    elements: str
  exclude:
    description: Patterns of file names that are left out, as in a shell.
    type: list
    elements: str
    default: []
  program:
    description:
      - The function that the program calls, as C(package.module:function). The folder is then that of the package, and
        the result a program instead of a tar archive.
    type: str
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Install a program
  tars.home.file_set:
    files:
      - path: /opt/backup/backup
        base64: "{{ lookup('tars.home.archive', '/usr/share/backup', program='backup.cli:main') }}"
        mode: "0755"
"""

RETURN = r"""
_raw:
  description: One archive for each folder, in base64.
  type: list
  elements: str
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.tars.home.plugins.plugin_utils import build_context


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible has no annotations
    """Pack files of the controller."""

    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return one archive for each folder."""
        self.set_options(var_options=variables, direct=kwargs)
        return [base64.b64encode(self._archive(str(term))).decode() for term in terms]

    def _archive(self, term: str) -> bytes:
        folder = Path(term).expanduser()
        # An empty path would be the folder in which Ansible was started.
        if not term or not folder.is_dir():
            raise AnsibleLookupError(f"{term!r}: found no folder, expected one with the files to pack.")
        selection = build_context.Selection(self.get_option("only"), tuple(self.get_option("exclude")))
        if self.get_option("program"):
            return build_context.program(folder, self.get_option("program"), selection)
        return build_context.archive(folder, selection)
