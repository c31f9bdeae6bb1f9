#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: authority
short_description: Create a private certificate authority on the controller
description:
  - Creates a root certificate with critical name constraints to the given zones and networks, and an encrypted key. It
    can sign server certificates only. An existing authority is opened and checked, and never replaced.
  - Runs on the controller. M(tars.home.authority_certificates) issues certificates with it.
attributes:
  check_mode:
    support: full
    description: Reports whether an authority would be created.
  diff_mode:
    support: full
    description: Shows the name constraints, the lifetime and the fingerprint.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  folder: {description: "Folder of C(root.pem) and C(root.key). It is created if missing.", type: path, required: true}
  passphrase: {description: Passphrase of the key., type: str, required: true}
  name: {description: Name under which devices show the authority., type: str, required: true}
  zones: {description: Permitted DNS zones., type: list, elements: str, required: true}
  networks: {description: Permitted networks., type: list, elements: str, required: true}
  days: {description: Lifetime in days., type: int, default: 3650}
requirements:
  - cryptography
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Create the certificate authority
  tars.home.authority:
    folder: "{{ inventory_dir }}/authority"
    passphrase: "{{ authority_passphrase }}"
    name: Household
    zones: [home.arpa]
    networks: [192.168.1.0/24]
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["create the certificate authority /srv/site/authority/root.pem for home.arpa, 192.168.1.0/24"]
path:
  description: Path of the root certificate.
  returned: success
  type: str
  sample: /srv/site/authority/root.pem
fingerprint:
  description: SHA-256 of the root certificate in hexadecimal. Empty in check mode if there is none yet.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.tars.home.plugins.module_utils.authority import certificates as authority
from ansible_collections.tars.home.plugins.module_utils.authority.files import root_path, root_resource
from ansible_collections.tars.home.plugins.module_utils.resource.converge import converge
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, failing_typed


def ensure(module: Module) -> dict[str, Any]:
    """Create the authority if there is none, and warn if it ends soon."""
    params, now = module.params, datetime.now(timezone.utc)
    desired = authority.Desired("root", authority.scope(params["zones"], params["networks"]), params["days"])
    if not desired.scope.names or not desired.scope.networks:
        raise authority.AuthorityError(
            f"zones and networks: expected at least one of each, found {desired.scope}. Set both, since an authority "
            "without name constraints is not created."
        )
    folder = params["folder"]
    resource = root_resource(folder, params["passphrase"], params["name"], desired, now)
    outcome = converge(resource, module.check_mode)
    if outcome.after and outcome.after.facts.is_due(now):
        module.warn(
            f"{root_path(folder)} ends on {outcome.after.facts.end:%Y-%m-%d}. Plan a day to move {folder} away, run "
            "again, and trust the new authority on every device."
        )
    return outcome.result()


def run(module: Module) -> dict[str, Any]:
    """Return the result, or fail if the library is missing or the authority cannot be used."""
    if authority.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=authority.IMPORT_ERROR)
    return failing_typed(module, lambda: ensure(module))


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
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
