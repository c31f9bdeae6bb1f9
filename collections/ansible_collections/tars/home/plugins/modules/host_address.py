#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_address
short_description: Give a machine a static IPv4 address without losing it
description:
  - Moves an interface from the address it has, from DHCP as a rule, to a static one, by the program that looks after
    it, which is netplan (with systemd-networkd or NetworkManager behind it), systemd-networkd, or NetworkManager.
  - One file says all that is wanted, beside those of others, which stay as they are. For networkd it is a drop-in, for
    netplan a YAML file, and both add to what others say of IPv6 and the rest. Another static address or router there is
    refused by the name of its file. For NetworkManager it is a copy of the profile in use, but for the address.
  - The new address is in force first where a reboot forgets it, with a rollback armed on the machine, and is written to
    disk when the controller has come back over a new connection to it. If it does not within O(deadline_s), or the
    machine is rebooted, the machine has its old address again.
  - An address that another machine answers for is refused before anything is changed.
  - An interface that already has the address and the gateway is left alone, whoever has set it so, the router included.
  - Interfaces of ifupdown are refused, with what to tell the router instead.
  - Later tasks have to go to the new address. Set C(ansible_host) when this has changed something.
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
    description: The interface.
    type: str
    required: true
  address:
    description: Its one IPv4 address with the prefix length, such as V(192.168.1.10/24).
    type: str
    required: true
  gateway:
    description: The router.
    type: str
    required: true
  dns:
    description: Name servers. Left empty, those that came with a lease stay.
    type: list
    elements: str
    default: []
  method:
    description:
      - V(static) gives the machine its address.
      - V(reservation) changes nothing. It says what to tell the router, whose DHCP server then gives the address, and
        fails while the machine does not have it, but not in check mode.
    type: str
    choices: [static, reservation]
    default: static
  host:
    description: The machine's name, for what the router is told.
    type: str
    default: ""
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
- name: Keep one address
  tars.home.host_address:
    interface: enp4s0
    address: 192.168.1.10/24
    gateway: 192.168.1.1
  register: moved

- name: Go on at the new address
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
  description: What to tell the router so that it gives the machine this address.
  returned: success
  type: str
  sample: reserve 192.168.1.10 for xps8950 (02:00:5e:00:00:0a) in the router
deadline_s:
  description: Seconds within which the change had to be confirmed.
  returned: when the address in force was changed
  type: int
  sample: 60
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.network import address as host_address
from ansible_collections.tars.home.plugins.module_utils.network.rollback import Rollback, RollbackError
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set


def shown(addresses: tuple, gateway: str) -> str:
    return "".join(f"{line}\n" for line in (*addresses, f"default via {gateway or 'none'}"))


def converge(module: AnsibleModule) -> dict:
    """Read, plan, apply; the confirmation reads back."""
    params = module.params
    wish = host_address.Wish(params["address"], params["gateway"], tuple(params["dns"]))
    rollback, name = Rollback("address"), params["interface"]
    if params["confirm"]:
        if not rollback.kept(params["token"]):
            renderer = host_address.arrived(name, wish, lambda: rollback.waiting(params["token"]))
            rollback.confirm(params["token"], lambda: host_address.persist(renderer))
        return {"changed": True}
    if params["method"] == "reservation":
        return reserved(module, host_address.read(name), wish)
    earlier = rollback.armed()
    if earlier and not module.check_mode:
        if earlier["until"] + 10 < time.monotonic():
            # Its timer is gone, which is nobody's doing here.
            rollback.undo()
        module.fail_json(
            msg=f"An earlier change of {name}'s address waits for its confirmation and undoes itself. "
            "Next: run again in a minute."
        )
    found = host_address.look_up(name)
    current = host_address.read(name, found)
    changes = host_address.plan(current, wish)
    result = {
        "changed": bool(changes),
        "changes": changes,
        "reservation": host_address.reservation(current, wish, params["host"]),
        "diff": {
            "before": shown(current.addresses, current.gateway),
            "after": shown((wish.address,), wish.gateway),
        },
    }
    if not changes:
        return result
    if found is None:
        raise host_address.refuse(current, wish, params["host"])
    if changes == [host_address.UNWRITTEN]:
        if not module.check_mode:
            host_address.persist(found)
        return result
    if wish.address not in current.addresses:
        other = host_address.taken(wish.address, current)
        if other:
            module.fail_json(msg=f"{wish.address} is taken: {other} answers for it. Next: free it, or choose another.")
    text = found.text(wish)
    if module.check_mode:
        return result
    host_address.move(rollback, found, text, params["deadline_s"], params["token"])
    return {**result, "armed": True, "deadline_s": params["deadline_s"]}


def reserved(module: AnsibleModule, current: host_address.Interface, wish: host_address.Wish) -> dict:
    """Say what the router must be told, and fail while it does not act by it."""
    told = host_address.reservation(current, wish, module.params["host"])
    if wish.address not in current.addresses and not module.check_mode:
        module.fail_json(
            msg=f"{current.name} has {', '.join(current.addresses) or 'no address'}, and {wish.address} from the "
            f"router is wanted. Next: {told}; then restart the machine, and run again.",
            reservation=told,
        )
    return {"changed": False, "changes": [], "reservation": told}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "interface": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "gateway": {"type": "str", "required": True},
            "dns": {"type": "list", "elements": "str", "default": []},
            "method": {"type": "str", "choices": ["static", "reservation"], "default": "static"},
            "host": {"type": "str", "default": ""},
            "deadline_s": {"type": "int", "default": 60},
            "token": {"type": "str", "no_log": False},
            "confirm": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except (host_address.AddressError, RollbackError, file_set.FileSetError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename}: {error.strerror}. What is not confirmed undoes itself. Next: mend it, run again."
        )


if __name__ == "__main__":
    main()
