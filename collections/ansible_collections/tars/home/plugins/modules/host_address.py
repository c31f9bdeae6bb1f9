#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_address
short_description: Set a static IPv4 address without losing the connection
description:
  - Changes the address of an interface, usually from DHCP to a static one, for the program that manages it. Supported
    are netplan (with systemd-networkd or NetworkManager), systemd-networkd, and NetworkManager.
  - Writes one file beside those of others, which stay as they are. For networkd it is a drop-in, for netplan a YAML
    file, and both add to the other files' settings of IPv6 and the rest. If another file has another static address or
    router, the module fails and names the file. For NetworkManager it is a copy of the profile in use with another
    address.
  - The new address is in force first where a reboot forgets it, with a rollback armed on the machine, and is written to
    disk when the controller has reconnected to it over a new connection. If it does not within O(deadline_s), or the
    machine is rebooted, the machine has its old address again.
  - If another machine answers for the address, the module fails before anything is changed.
  - An interface that already has the address and the gateway is not changed, also if the router has assigned them.
  - Interfaces of ifupdown are not supported; the message names the DHCP reservation to use instead.
  - Later tasks have to use the new address. Set C(ansible_host) when this has changed something.
attributes:
  check_mode:
    support: full
    description: Reports what would change, and whether another machine has the address.
  diff_mode:
    support: full
    description: Shows addresses and gateway before and after.
  idempotent:
    support: full
    description: Compares the addresses and the default route of the interface.
options:
  interface:
    description: Name of the interface.
    type: str
    required: true
  address:
    description: Its one IPv4 address with the prefix length, such as V(192.168.1.10/24).
    type: str
    required: true
  gateway:
    description: Address of the router.
    type: str
    required: true
  dns:
    description: Name servers. If empty, those of the DHCP lease are kept.
    type: list
    elements: str
    default: []
  method:
    description:
      - V(static) sets the address on the machine.
      - V(reservation) changes nothing. It returns the reservation with which the router's DHCP server assigns the
        address, and fails while the machine does not have it, except in check mode.
    type: str
    choices: [static, reservation]
    default: static
  host:
    description: The machine's name, for the reservation in the router.
    type: str
    default: ""
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
- name: Set a static address
  tars.home.host_address:
    interface: enp4s0
    address: 192.168.1.10/24
    gateway: 192.168.1.1
  register: moved

- name: Continue at the new address
  ansible.builtin.set_fact:
    ansible_host: 192.168.1.10
  when: moved is changed and not ansible_check_mode
"""

RETURN = r"""
changes:
  description: What differed, in words.
  returned: success
  type: list
  elements: str
  sample: ["address 192.168.1.77/24 -> 192.168.1.10/24"]
reservation:
  description: The DHCP reservation with which the router assigns this address.
  returned: success
  type: str
  sample: reserve 192.168.1.10 for xps8950 (02:00:5e:00:00:0a) in the router
deadline_s:
  description: Seconds within which the change had to be confirmed.
  returned: when the address in force was changed
  type: int
  sample: 60
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.network import address
from ansible_collections.tars.home.plugins.module_utils.network.renderer import Desired
from ansible_collections.tars.home.plugins.module_utils.network.rollback import Rollback
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, ensure

ARGUMENTS: dict[str, Any] = {
    "interface": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "gateway": {"type": "str", "required": True},
    "dns": {"type": "list", "elements": "str", "default": []},
    "method": {"type": "str", "choices": ["static", "reservation"], "default": "static"},
    "host": {"type": "str", "default": ""},
    "deadline_s": {"type": "int", "default": 60},
    "token": {"type": "str", "no_log": False},
    "confirm": {"type": "bool", "default": False},
}


def desired(params: Mapping[str, Any]) -> Desired:
    """Return the settings that the parameters describe."""
    return Desired(params["address"], params["gateway"], tuple(params["dns"]))


def resource(params: Mapping[str, Any]) -> Resource[address.Interface, str]:
    """Return the address of the interface as a resource."""
    return address.resource(
        params["interface"], desired(params), params["host"], params["deadline_s"], params["token"] or ""
    )


def run(module: Module) -> dict[str, Any]:
    """Put the address into force with an armed rollback, confirm it, or report the reservation."""
    params, name = module.params, module.params["interface"]
    if params["confirm"]:
        address.confirm(name, desired(params), params["token"])
        return {"changed": True}
    if params["method"] == "reservation":
        current = address.read(name)
        if not module.check_mode:
            address.require_reserved(current, desired(params), params["host"])
        reservation = address.reservation(current, desired(params), params["host"])
        return {"changed": False, "changes": [], "reservation": reservation}
    if not module.check_mode:
        address.refuse_armed(Rollback("address"), name)
    address.require_possible(name, desired(params), params["host"])
    return ensure(module, resource(params))


TASK = ModuleTask(ARGUMENTS, run, resource=resource)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
