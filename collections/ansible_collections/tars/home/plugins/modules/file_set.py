#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: file_set
short_description: Folders and files of one concern in one call
description:
  - Brings folders and files to the wanted content, owner and mode, in the order given, folders first.
  - One call for what would be a dozen tasks, and a place for secrets that neither log nor diff shows.
attributes:
  check_mode:
    support: full
    description: Reports what would change.
  diff_mode:
    support: full
    description: Shows files and attributes before and after; of a secret only that it differs.
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
    description: Files, each with O(files[].content) or O(files[].secret).
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: The whole content., type: str}
      secret: {description: The whole content of a file that must not be shown., type: str}
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
  description: What differed, by path.
  returned: success
  type: dict
  sample: {/opt/proxy/proxy.conf: [content, mode]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set

_ATTRIBUTES = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}
_CONTENTS = {"content": {"type": "str"}, "secret": {"type": "str", "no_log": True}}
ARGUMENTS = {
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
        "required_one_of": [("content", "secret")],
        "mutually_exclusive": [("content", "secret")],
    },
}


def desired(module: AnsibleModule) -> list:
    """The wanted entries out of the module's parameters."""
    entries = []
    for item in [*module.params["folders"], *module.params["files"]]:
        try:
            mode = int(item["mode"], 8)
        except ValueError:
            module.fail_json(msg=f"{item['path']}: mode {item['mode']!r} is not an octal string such as 0644.")
        content = item.get("secret") if item.get("content") is None else item["content"]
        data = None if content is None else content.encode()
        entries.append(
            file_set.Entry(item["path"], file_set.uid(item["owner"]), file_set.gid(item["group"]), mode, data)
        )
    return entries


def described(entry: file_set.Entry, secret: bool, differs: tuple) -> str:
    """An entry as diff mode shows it."""
    head = f"{entry.kind} {entry.uid}:{entry.gid} {entry.mode:04o}\n"
    if entry.content is None:
        return head
    if secret:
        return head + ("(secret, differs)\n" if "content" in differs else "(secret)\n")
    return head + entry.content.decode("utf-8", "replace")


def diff(changes: list, current: dict, secrets: set) -> list:
    """Before and after of each change."""
    shown = []
    for change in changes:
        entry, before = change.entry, current[change.entry.path]
        secret = entry.path in secrets
        shown.append(
            {
                "before_header": entry.path,
                "after_header": entry.path,
                "before": "" if before is None else described(before, secret, ()),
                "after": described(entry, secret, change.differs),
            }
        )
    return shown


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    secrets = {item["path"] for item in module.params["files"] if item["content"] is None}
    try:
        entries = desired(module)
        current = {entry.path: file_set.read(entry.path) for entry in entries}
        changes = file_set.plan(current, entries)
        if not module.check_mode:
            for change in changes:
                file_set.apply(change)
    except file_set.FileSetError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename}: {error.strerror}. What was written before it stays; set it right and run again."
        )
    module.exit_json(
        changed=bool(changes),
        changes={change.entry.path: list(change.differs) for change in changes},
        diff=diff(changes, current, secrets),
    )


if __name__ == "__main__":
    main()
