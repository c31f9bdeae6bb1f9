#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: authority
short_description: A household's certificate authority on the controller
description:
  - Makes a root certificate whose name constraints (critical) allow the household's zones and networks alone, and whose
    key is encrypted. It can vouch for servers only. What exists is opened, checked and never replaced.
  - Runs on the controller. M(tars.home.authority_certificates) issues certificates with it.
attributes:
  check_mode:
    support: full
    description: Reports whether an authority would be made.
  diff_mode:
    support: full
    description: Shows what the authority vouches for, until when, and its fingerprint.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  folder: {description: "Folder of C(root.pem) and C(root.key). It is made when missing.", type: path, required: true}
  passphrase: {description: What the key is encrypted with., type: str, required: true}
  name: {description: What devices show the authority as., type: str, required: true}
  zones: {description: DNS zones it may vouch for., type: list, elements: str, required: true}
  networks: {description: Networks whose addresses it may vouch for., type: list, elements: str, required: true}
  days: {description: Its lifetime., type: int, default: 3650}
requirements:
  - cryptography
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Have the household's authority
  tars.home.authority:
    folder: "{{ inventory_dir }}/authority"
    passphrase: "{{ authority_passphrase }}"
    name: Household
    zones: [home.arpa]
    networks: [192.168.1.0/24]
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: File of the root certificate.
  returned: success
  type: str
  sample: /srv/site/authority/root.pem
fingerprint:
  description: SHA-256 of the root certificate in hexadecimal. Empty in check mode where there is none yet.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.tars.home.plugins.module_utils.authority import certificates as authority
from ansible_collections.tars.home.plugins.module_utils.authority import files as authority_files
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set


def ensure(module: Module, now: datetime) -> bool:
    """Make the authority where there is none, outside check mode; return whether there was none."""
    given = module.params
    wish = authority.Wish("root", authority.scope(given["zones"], given["networks"]), given["days"])
    if not wish.scope.names or not wish.scope.networks:
        raise authority.AuthorityError("an authority without limits is not made. Give zones and networks.")
    root = authority_files.open_root(given["folder"], given["passphrase"], now)
    if root is None:
        if not module.check_mode:
            authority_files.make_root(given["folder"], given["passphrase"], given["name"], wish, now)
        return True
    if root.facts.scope != wish.scope:
        raise authority.AuthorityError(
            f"{authority_files.root_path(given['folder'])}: wanted an authority for {wish.scope}, found one for "
            f"{root.facts.scope}, which cannot be changed. To have a new one, which every device has to trust anew, "
            f"move {given['folder']} away and run again."
        )
    if root.facts.is_due(now):
        module.warn(
            f"{authority_files.root_path(given['folder'])} ends on {root.facts.end:%Y-%m-%d}. Plan a day to move "
            f"{given['folder']} away, run again, and trust the new authority on every device."
        )
    return False


def run(module: Module) -> dict[str, Any]:
    if authority.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=authority.IMPORT_ERROR)
    path = authority_files.root_path(module.params["folder"])
    try:
        changed = ensure(module, datetime.now(timezone.utc))
        after = authority_files.content(path)
    except (authority.AuthorityError, file_set.FileSetError, OSError) as error:
        module.fail_json(msg=str(error))
    shown = "".join(f"{line}\n" for line in authority_files.described(after))
    return {
        "changed": changed,
        "path": path,
        "fingerprint": authority.fingerprint(after),
        "diff": {"before": "" if changed else shown, "after": shown if after else "a new authority\n"},
    }


TASK = ModuleTask(
    {
        "folder": {"type": "path", "required": True},
        "passphrase": {"type": "str", "required": True, "no_log": True},
        "name": {"type": "str", "required": True},
        "zones": {"type": "list", "elements": "str", "required": True},
        "networks": {"type": "list", "elements": "str", "required": True},
        "days": {"type": "int", "default": 3650},
    },
    run,
)


def main() -> None:
    TASK.main()


if __name__ == "__main__":
    main()
