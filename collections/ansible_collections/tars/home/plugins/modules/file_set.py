#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: file_set
short_description: Manage folders and files in one call
description:
  - Ensures content, owner and mode of folders and files, in the order given, folders first.
  - Replaces a dozen tasks by one call. Neither logs nor the diff show the content of a O(files[].secret) or of
    O(files[].base64).
attributes:
  check_mode:
    support: full
    description: Reports what would change.
  diff_mode:
    support: full
    description: Shows files and attributes before and after; of a secret only whether it differs.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  folders:
    description: Folders, parents before children.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      owner: {description: Name or number of the owner., type: str, default: root}
      group: {description: Name or number of the group., type: str, default: root}
      mode: {description: Permission bits as an octal string., type: str, default: "0755"}
  files:
    description: Files, each with O(files[].content), O(files[].secret) or O(files[].base64).
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: The whole content., type: str}
      secret: {description: The whole content of a file that must not be shown., type: str}
      base64: {description: "The whole content of a binary file, in base64. It is not shown.", type: str}
      owner: {description: Name or number of the owner., type: str, default: root}
      group: {description: Name or number of the group., type: str, default: root}
      mode: {description: Permission bits as an octal string., type: str, default: "0644"}
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Write the proxy's configuration and password
  tars.home.file_set:
    folders:
      - {path: /opt/proxy, mode: "0700"}
    files:
      - {path: /opt/proxy/proxy.conf, content: "port 3128\n"}
      - {path: /opt/proxy/password, secret: "{{ proxy_password }}", owner: "13", mode: "0400"}
"""

RETURN = r"""
changes:
  description: The paths that differed, and in what.
  returned: success
  type: list
  elements: str
  sample: ["/opt/proxy/proxy.conf: content, mode"]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing
from ansible_collections.tars.home.plugins.module_utils.system import files

_ATTRIBUTES: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}
_CONTENTS: dict[str, Any] = {
    "content": {"type": "str"},
    "secret": {"type": "str", "no_log": True},
    "base64": {"type": "str", "no_log": True},
}
ARGUMENTS: dict[str, Any] = {
    "folders": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**_ATTRIBUTES, "mode": {"type": "str", "default": "0755"}},
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**_ATTRIBUTES, **_CONTENTS, "mode": {"type": "str", "default": "0644"}},
        "required_one_of": [tuple(_CONTENTS)],
        "mutually_exclusive": [tuple(_CONTENTS)],
    },
}


def resource(params: Mapping[str, Any]) -> Resource[files.State, files.Change]:
    """Return the folders and files as a resource."""
    return files.resource([files.desired_entry(item) for item in [*params["folders"], *params["files"]]])


TASK = managing(ARGUMENTS, resource)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
