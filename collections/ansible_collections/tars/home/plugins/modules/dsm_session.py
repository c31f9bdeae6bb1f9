#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_session
short_description: Log in to a Synology NAS or log out
description:
  - The other modules log in by themselves when O(session_file) holds no session. Use this one at the end of a play, so
    that no session stays open on the NAS or in the file.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    description: A session does not configure the NAS, so check mode logs in and out as well.
    support: full
  diff_mode:
    description: A session is not a difference.
    support: N/A
  idempotent:
    description: An existing session is used, and a missing one is accepted.
    support: full
options:
  session_file:
    required: true
  state:
    description:
      - V(present) checks that the account can log in. V(absent) logs out and removes O(session_file).
      - Neither counts as a change.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
---
- name: Use one login for several tasks
  module_defaults:
    group/tars.home.dsm:
      host: nas.home.arpa
      account: tars-admin
      password: "{{ tars_secrets.dsm_password }}"
      fingerprint: "{{ dsm_fingerprint }}"
      session_file: ~/.cache/tars/nas.json
  block:
    - name: Read the NAS
      tars.home.dsm_info:
  always:
    - name: Log out of the NAS
      tars.home.dsm_session:
        state: absent
"""

RETURN = r"""
ended:
  description: Whether there was a session, and the NAS confirmed its end.
  returned: when O(state=absent)
  type: bool
"""

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas.system import identity
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Log in or out, and return the result."""
    if module.params["state"] == "absent":
        return {"changed": False, "ended": client.logout()}
    identity(client)
    return {"changed": False}


TASK = nas_task(
    {
        "session_file": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
