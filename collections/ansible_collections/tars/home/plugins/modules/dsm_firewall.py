#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_firewall
short_description: Manage the firewall of a Synology NAS
description:
  - Sets the rules of whole sections of a firewall profile, and applies the profile.
  - Refuses rules that would lock this machine out, before anything is written. They are evaluated in both documented
    orders, the section V(global) first and the adapter's section first.
  - Sections that are not listed keep their rules, which are evaluated too.
  - Reads the profile back before applying it, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    description: Reads, plans and evaluates the rules as in a real run, and writes nothing.
    support: full
  diff_mode:
    description: Shows the profile before and after.
    support: full
  idempotent:
    description: A second run with the same options changes nothing. DSM does not show which rules are in force, so a
      run that was killed between storing and applying leaves stored rules that are not in force. After any other
      failure the stored rules are restored.
    support: partial
options:
  enabled:
    description: Whether the firewall is on. By default it is not changed.
    type: bool
  profile:
    description: Name of the profile, which must exist.
    type: str
    default: default
  sections:
    description: Sections of the profile with all their rules.
    type: list
    elements: dict
    default: []
    suboptions:
      adapter:
        description: V(global) for all adapters, or the name of one, for example V(eth0).
        type: str
        required: true
      policy:
        description: Policy for traffic that no rule matches. V(none) leaves it to the other sections.
        type: str
        choices: [none, allow, drop]
        default: none
      rules:
        description: The rules in their order; the first match decides. They replace all existing rules.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the rule.
            type: str
            required: true
          enabled:
            description: Whether the rule is active.
            type: bool
            default: true
          action:
            description: What happens to matching traffic.
            type: str
            choices: [allow, drop]
            default: allow
          protocol:
            description: Protocol that matches.
            type: str
            choices: [all, tcp, udp, icmp, igmp, gre, esp]
            default: all
          ports:
            description: Ports of the NAS, and ranges as V(8000-8100). Empty for all.
            type: list
            elements: str
            default: []
          sources:
            description:
              - Addresses of one family, or one network (V(192.168.1.0/24)), or one range (V(10.0.0.1-10.0.0.9)). Empty
                for everyone.
            type: list
            elements: str
            default: []
  controller_address:
    description: Address whose access must remain. By default this machine's, as DSM sees it.
    type: str
  controller_ports:
    description: Ports to which its access must remain. By default O(port), and that of SSH if SSH is on.
    type: list
    elements: int
"""

EXAMPLES = r"""
---
- name: Admit only the machines of the household
  tars.home.dsm_firewall:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    enabled: true
    sections:
      - adapter: global
        policy: drop
        rules:
          - name: DSM for the controller
            protocol: tcp
            ports: ["5001"]
            sources: [192.168.1.30]
          - name: NFS for the desktops
            ports: ["111", "892", "2049"]
            sources: [192.168.1.10, 192.168.1.30]
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - set the firewall's section global to 2 rules, then drop
    - put the firewall's profile default into force
firewall:
  description: The profile afterwards.
  returned: success
  type: dict
  sample:
    enabled: true
    profile: default
    sections:
      global:
        policy: drop
        rules:
          - name: DSM for the controller
            enabled: true
            action: allow
            protocol: tcp
            ports: ["5001"]
            sources: [192.168.1.30]
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas.firewall import NasFirewall, access
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.firewall import (
    POLICIES,
    PROTOCOLS,
    plan,
    predict,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

RULE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "enabled": {"type": "bool", "default": True},
    "action": {"type": "str", "choices": ["allow", "drop"], "default": "allow"},
    "protocol": {"type": "str", "choices": list(PROTOCOLS), "default": "all"},
    "ports": {"type": "list", "elements": "str", "default": []},
    "sources": {"type": "list", "elements": "str", "default": []},
}
SECTION_OPTIONS = {
    "adapter": {"type": "str", "required": True},
    "policy": {"type": "str", "choices": list(POLICIES), "default": "none"},
    "rules": {"type": "list", "elements": "dict", "default": [], "options": RULE_OPTIONS},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring the profile to its desired state, and return the result."""
    params = module.params
    firewall = NasFirewall(client, params["profile"])
    required = access(client, params["controller_address"], params["controller_ports"])
    outcome = ensure_on_nas(
        client,
        module,
        read=firewall.read,
        plan=partial(plan, desired=params["sections"], enabled=params["enabled"], access=required),
        predict=predict,
        write=firewall.change,
        undo=firewall.undo,
        show=to_dict,
    )
    return outcome.result("firewall")


TASK = nas_task(
    {
        "enabled": {"type": "bool"},
        "profile": {"type": "str", "default": "default"},
        "sections": {"type": "list", "elements": "dict", "default": [], "options": SECTION_OPTIONS},
        "controller_address": {"type": "str"},
        "controller_ports": {"type": "list", "elements": "int"},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
