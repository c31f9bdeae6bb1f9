#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_firewall
short_description: Manage a host firewall with nftables
description:
  - Manages the nftables table C(inet tars) and a systemd unit that loads it at boot. Other tables and
    C(/etc/nftables.conf) stay as they are.
  - Traffic to ports that are not listed is refused, also to ports that a container engine publishes. Connections that
    the machine or its containers open are not affected. Neighbours do not reach containers past the published ports.
  - Rules that would refuse the ssh connection that this module is run over are refused, before anything is written.
  - New rules are loaded into the running system first, with a rollback armed on the machine. They are written to disk
    when the controller has reconnected over a new connection. If it does not within O(deadline_s), or the machine is
    rebooted, the earlier rules are in force again.
attributes:
  check_mode:
    support: full
    description: Reports what would change. On a machine without nftables the new rules are shown as they were rendered.
  diff_mode:
    support: full
    description: Shows the table as nft lists it, before and after, and the files.
  idempotent:
    support: full
    description: Compares the table in force with the desired one as the kernel lists it, so drift is detected as well.
options:
  services:
    description: All services that may be reached. Required unless O(state=absent).
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the service; the comment of its rule., type: str, required: true}
      ports: {description: Ports of the service., type: list, elements: int, required: true}
      protocol:
        description:
          - Protocol of the ports.
          - V(dns) is UDP, and TCP for ten seconds for a source whose answer over UDP was truncated.
        type: str
        choices: [tcp, udp, dns]
        default: tcp
      sources:
        description:
          - Networks and addresses of either family that may reach the service.
          - V(link6) stands for the IPv6 networks that O(interface) is directly connected to, link-local addresses too.
        type: list
        elements: str
        required: true
  interface:
    description: The interface of the household's network. Link-local IPv6 addresses on others are refused.
    type: str
  state:
    description: Whether the firewall of this module exists.
    type: str
    choices: [present, absent]
    default: present
  deadline_s:
    description: Seconds from arming the rollback within which the controller must have reconnected.
    type: int
    default: 60
  token:
    description: Name of this one change. The action plugin chooses it.
    type: str
  confirm:
    description: Confirm the change named by O(token). The action plugin sets it.
    type: bool
    default: false
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Allow the household to use the web page and one machine to manage it
  tars.home.host_firewall:
    interface: enp4s0
    services:
      - {name: ssh, ports: [22], sources: [192.168.1.30]}
      - {name: https, ports: [443], sources: [192.168.1.0/24, link6]}
"""

RETURN = r"""
changes:
  description: What differed.
  returned: success
  type: list
  elements: str
  sample: [table, /etc/tars/firewall.nft]
deadline_s:
  description: Seconds within which the change had to be confirmed.
  returned: when the table in force was changed
  type: int
  sample: 60
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.network import firewall, firewall_rules
from ansible_collections.tars.home.plugins.module_utils.network.rollback import Rollback
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, ensure

ARGUMENTS: dict[str, Any] = {
    "services": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "ports": {"type": "list", "elements": "int", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp", "dns"], "default": "tcp"},
            "sources": {"type": "list", "elements": "str", "required": True},
        },
    },
    "interface": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "deadline_s": {"type": "int", "default": 60},
    "token": {"type": "str", "no_log": False},
    "confirm": {"type": "bool", "default": False},
}


def policy(params: Mapping[str, Any]) -> firewall.Policy:
    """Return the policy that the parameters describe.

    Raises:
        FirewallError: a source is the link of an interface, and no interface is given.
    """
    if params["state"] == "absent":
        return firewall.Policy(None)
    services = [
        firewall_rules.Service(item["name"], tuple(item["ports"]), tuple(item["sources"]), item["protocol"])
        for item in params["services"]
    ]
    if params["interface"] is None and any(firewall_rules.ON_LINK in service.sources for service in services):
        raise firewall_rules.FirewallError(
            f"source {firewall_rules.ON_LINK} stands for the networks of an interface, and interface is not set. Next: "
            "set interface."
        )
    return firewall.Policy(services, params["interface"])


def resource(params: Mapping[str, Any]) -> Resource[firewall.Firewall, firewall.Change]:
    """Return the firewall as a resource."""
    return firewall.resource(policy(params), params["deadline_s"], params["token"] or "")


def run(module: Module) -> dict[str, Any]:
    """Load new rules with an armed rollback, or confirm them. Other changes need no confirmation."""
    params, desired = module.params, policy(module.params)
    if desired.services is not None and not module.check_mode:
        firewall.require_nft()
    firewall.refuse_to_shut_out(desired)
    if params["confirm"]:
        firewall.confirm(desired, params["token"])
        return {"changed": True}
    if not module.check_mode:
        # A change that another run has left unconfirmed.
        Rollback("firewall").undo()
    return ensure(module, resource(params))


TASK = ModuleTask(ARGUMENTS, run, {"required_if": [("state", "present", ["services"])]}, resource)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
