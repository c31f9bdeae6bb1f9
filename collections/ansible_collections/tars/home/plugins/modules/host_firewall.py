#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_firewall
short_description: Say who may reach which port of a machine, with nftables
description:
  - Keeps the nftables table C(inet tars) and a systemd unit that loads it at boot. Other tables and
    C(/etc/nftables.conf) stay as they are.
  - What is not listed is refused, also on ports that a container engine publishes. Connections that the machine or its
    containers begin are not touched. Neighbours do not reach containers past the published ports.
  - Rules that would refuse the ssh connection this module is run over are refused, before anything is written.
  - New rules are loaded into the running system first, with a rollback armed on the machine. They are written to disk
    when the controller has come back over a new connection. If it does not within O(deadline_s), or the machine is
    rebooted, the rules before are in force again.
attributes:
  check_mode:
    support: full
    description: Reports what would change. On a machine without nftables the new rules are shown as they were written.
  diff_mode:
    support: full
    description: Shows the table as nft lists it, before and after, and the files.
  idempotent:
    support: full
    description: Compares the table in force with the wanted one as the kernel lists it, so that drift is found too.
options:
  services:
    description: All that may be reached. Needed unless O(state=absent).
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: What stands beside the rule as a comment., type: str, required: true}
      ports: {description: Ports of the service., type: list, elements: int, required: true}
      protocol:
        description:
          - Protocol of the ports.
          - V(dns) is UDP, and TCP for ten seconds for a source that was told over UDP to ask again that way.
        type: str
        choices: [tcp, udp, dns]
        default: tcp
      sources:
        description:
          - Who may reach it, as networks and addresses of either family.
          - V(link6) stands for the IPv6 networks that O(interface) is directly connected to, link-local addresses too.
        type: list
        elements: str
        required: true
  interface:
    description: The interface towards the household. Link-local IPv6 addresses on others are refused.
    type: str
  state:
    description: Whether there is a firewall of ours.
    type: str
    choices: [present, absent]
    default: present
  deadline_s:
    description: Seconds from arming the rollback within which the controller must have come back.
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
- name: Let the household use the web page and one machine manage it
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
  sample: [table, rules file]
deadline_s:
  description: Seconds within which the change had to be confirmed.
  returned: when the table in force was changed
  type: int
  sample: 60
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.network import firewall as host_firewall
from ansible_collections.tars.home.plugins.module_utils.network import firewall_rules
from ansible_collections.tars.home.plugins.module_utils.network.rollback import (
    Rollback,
    RollbackError,
    run,
    ssh_connection,
)
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set


def services(module: AnsibleModule) -> list:
    """The services out of the parameters."""
    if module.params["interface"] is None and any(
        firewall_rules.ON_LINK in item["sources"] for item in module.params["services"]
    ):
        module.fail_json(msg=f"source {firewall_rules.ON_LINK} is the networks of an interface. Give interface.")
    return [
        firewall_rules.Service(item["name"], tuple(item["ports"]), tuple(item["sources"]), item["protocol"])
        for item in module.params["services"]
    ]


def refuse_to_shut_out(module: AnsibleModule, wished: list, link: list) -> None:
    """Fail where the rules would refuse the very connection this runs over."""
    connection = ssh_connection()
    if connection is None:
        return
    address, _, _, port = connection.split()
    if not firewall_rules.lets_in(wished, module.params["interface"], link, address, int(port)):
        admitted = [f"{item.name} ({', '.join(item.sources)})" for item in wished if int(port) in item.ports]
        module.fail_json(
            msg=f"The rules would shut this controller ({address}) out of port {port}, which they open to "
            f"{'; '.join(admitted) or 'nobody'}. Nothing was changed. Next: add {address} to the sources."
        )


def shown(current: host_firewall.State, desired: host_firewall.State, changes: tuple) -> list:
    """Before and after of the texts that differ."""
    return [
        {
            "before_header": host_firewall.WORDS[name],
            "after_header": host_firewall.WORDS[name],
            "before": getattr(current, name),
            "after": getattr(desired, name),
        }
        for name in changes
        if name in ("table", *host_firewall.FILES)
    ]


def present(module: AnsibleModule) -> host_firewall.State:
    """The wanted state. Fails where it would shut the controller out."""
    wished, link = services(module), []
    if module.params["interface"]:
        command = ["ip", "-json", "-6", "route", "show", "dev", module.params["interface"]]
        link = firewall_rules.on_link(run(command))
    refuse_to_shut_out(module, wished, link)
    rules = firewall_rules.render(wished, module.params["interface"], link)
    return host_firewall.wanted(rules)


def converge(module: AnsibleModule) -> dict:
    """Read, plan, apply, read back."""
    rollback, token = Rollback("firewall"), module.params["token"]
    desired = present(module) if module.params["state"] == "present" else host_firewall.State()
    if module.params["confirm"]:
        rollback.confirm(token, lambda: host_firewall.persist(desired))
        left = host_firewall.plan(host_firewall.read(), desired)
        if left:
            module.fail_json(
                msg=f"After the change the firewall still differs in {named(left)}. Next: nft list table inet tars"
            )
        return {"changed": True}
    if not module.check_mode:
        # What another run has left unconfirmed.
        rollback.undo()
    current = host_firewall.read()
    changes = host_firewall.plan(current, desired)
    result = {"changed": bool(changes), "changes": named(changes), "diff": shown(current, desired, changes)}
    if not changes or module.check_mode:
        return result
    if module.params["state"] == "absent":
        host_firewall.remove(current)
    elif "table" in changes:
        seconds = module.params["deadline_s"]
        host_firewall.load(rollback, current, desired, seconds, token)
        result.update(armed=True, deadline_s=seconds)
    else:
        host_firewall.persist(desired)
    return result


def named(changes: tuple) -> list:
    return [host_firewall.WORDS[name] for name in changes]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
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
        },
        required_if=[("state", "present", ["services"])],
        supports_check_mode=True,
    )
    try:
        if not module.check_mode and host_firewall.missing() and module.params["state"] == "present":
            module.fail_json(msg="nft is not installed on this machine. Next: install nftables.")
        module.exit_json(**converge(module))
    except (firewall_rules.FirewallError, RollbackError, file_set.FileSetError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename}: {error.strerror}. What is not confirmed undoes itself. Next: mend it, run again."
        )


if __name__ == "__main__":
    main()
