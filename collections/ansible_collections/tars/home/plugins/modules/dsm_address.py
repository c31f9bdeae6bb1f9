#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_address
short_description: Give a Synology NAS a static IPv4 address (experimental)
description:
  - Looks for the NAS at the address it is to have and, where it is not there, at the one it answered on before. Sets
    the static address, looks for the NAS at it, logs in again, and compares serial number and settings.
  - B(Experimental.) No public source shows this write carried out by DSM. Its form was recorded from the page of DSM
    7.2.1; DSM 7.3 refused all other forms; nobody has seen it on DSM 7.1. It was tried on a stand-in of DSM alone,
    never on a NAS. What DSM refuses, the module reports, and nothing is changed then.
  - By hand it is Control Panel > Network > Network Interface > Edit > IPv4 > Use manual configuration. The NAS found
    so, the module changes nothing.
  - Without any change on the NAS, the DHCP server of the router can reserve the address for it.
  - Refuses where the serial number is another one, and where another machine has the wanted address.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    description: Looks and plans as in a real run, and changes nothing.
    support: full
  diff_mode:
    description: Shows the interface before and after.
    support: full
  idempotent:
    description: A NAS that has the address by static configuration is left alone.
    support: full
options:
  host:
    description: Where the NAS is to answer in the end. For a change of the interface that carries the connection this
      is O(address), or a name of it.
    type: str
    required: true
  found_at:
    description: Address or name where the NAS answers as long as it does not at O(host).
    type: str
  serial:
    description: Serial number by which the NAS is recognised, from Control Panel > Info Center or its label.
    type: str
    required: true
  address:
    description: IPv4 address that the interface is to have.
    type: str
    required: true
  prefix:
    description: Length of the network's prefix, 24 for the mask 255.255.255.0.
    type: int
    default: 24
  gateway:
    description: Address of the router, an empty string for none. Left out, it stays; then it must suit the address.
    type: str
  interface:
    description: DSM's name of the interface, V(eth0) for LAN 1. Left out, it is the one that carries the connection.
    type: str
  move_connection:
    description: Whether the interface that carries the connection may be changed. A mistake there cuts the NAS off.
    type: bool
    default: false
  deadline:
    description: Seconds to wait for the NAS after the change.
    type: int
    default: 180
notes:
  - The certificate that O(fingerprint) names must answer at either address; the password is sent to no other machine.
  - A machine at the wanted address that drops connections without a word is not noticed before the change.
  - A NAS that had its name servers from DHCP may have none afterwards. Set them with M(tars.home.dsm_system).
  - When the outcome is unknown the module fails and says who answers where. It says unchanged then only if the NAS is
    known to be as before.
  - The way back for a NAS that nobody reaches is its reset button, held for 4 seconds until the beep. That sets the
    network to DHCP and the administrator's login to the default, and keeps the data.
"""

EXAMPLES = r"""
---
- name: Move the NAS from the address that DHCP gave it
  tars.home.dsm_address:
    host: 192.168.1.20
    found_at: 192.168.1.77
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    serial: 15A0LKN000000
    address: 192.168.1.20
    gateway: 192.168.1.1
    move_connection: true
"""

RETURN = r"""
answers_at:
  description: Where the NAS answers now; in check mode the address from before the change.
  returned: success
  type: str
  sample: 192.168.1.20
changes:
  description: What was done (in check mode, what would be), one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - set eth0 to 192.168.1.20/24, gateway 192.168.1.1
interfaces:
  description: The NAS's interfaces at the end, by name.
  returned: success
  type: dict
  sample:
    eth0:
      use_dhcp: false
      ip: 192.168.1.20
      mask: 255.255.255.0
      gateway: 192.168.1.1
"""

from contextlib import closing
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas.address import Observer, address_resource
from ansible_collections.tars.home.plugins.module_utils.resource.converge import converge
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

OPTIONS = {
    "found_at": {"type": "str"},
    "serial": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "prefix": {"type": "int", "default": 24},
    "gateway": {"type": "str"},
    "interface": {"type": "str"},
    "move_connection": {"type": "bool", "default": False},
    "deadline": {"type": "int", "default": 180},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Give the interface its address, and return the result."""
    with closing(Observer(module.params, client)) as observer:
        outcome = converge(address_resource(observer, module.params), module.check_mode)
        return {**outcome.result("interfaces"), "answers_at": outcome.after.address}


TASK = nas_task(OPTIONS, ensure)


def main() -> None:
    TASK.main()


if __name__ == "__main__":
    main()
