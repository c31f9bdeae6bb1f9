#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_address
short_description: Set a static IPv4 address of a Synology NAS (experimental)
description:
  - Finds the NAS at the desired address or, if nothing answers there, at the present one. Sets the static address,
    waits until the NAS answers there, logs in again, and compares serial number and settings.
  - B(Experimental.) No public source shows a successful call. Its form was recorded from the web interface of DSM
    7.2.1; DSM 7.3 refused all other forms; it was never observed on DSM 7.1. It was tested with a stand-in of DSM only,
    never on a NAS. If DSM refuses the call, the module reports that and nothing is changed.
  - By hand it is Control Panel > Network > Network Interface > Edit > IPv4 > Use manual configuration. After that the
    module changes nothing.
  - Without any change on the NAS, the DHCP server of the router can reserve the address for it.
  - Fails if the serial number differs, or if another machine has the desired address.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  diff_mode:
    description: Shows the interface before and after.
    support: full
  idempotent:
    description: A NAS with this static address is not changed.
    support: full
options:
  host:
    description: Address or name at which the NAS answers in the desired state. If the interface that carries the
      connection is changed, this is O(address) or a name of it.
    type: str
    required: true
  found_at:
    description: Address or name at which the NAS answers before the change.
    type: str
  serial:
    description: Serial number that identifies the NAS, from Control Panel > Info Center or its label.
    type: str
    required: true
  address:
    description: Desired IPv4 address of the interface.
    type: str
    required: true
  prefix:
    description: Length of the network's prefix, 24 for the mask 255.255.255.0.
    type: int
    default: 24
  gateway:
    description: Address of the router, an empty string for none. By default it is not changed, and must fit O(address).
    type: str
  interface:
    description: DSM's name of the interface, V(eth0) for LAN 1. By default the one that carries the connection.
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
  - A machine at the desired address that silently drops connections is not detected before the change.
  - A NAS that had its name servers from DHCP may have none afterwards. Set them with M(tars.home.dsm_system).
  - If the outcome is unknown, the module fails and reports what answers at both addresses. It returns C(changed=false)
    only if the NAS is known to be as before.
  - The last resort for a NAS that cannot be reached is its reset button, held for 4 seconds until the beep. That sets
    the network to DHCP and the administrator's login to the default, and keeps the data.
"""

EXAMPLES = r"""
---
- name: Move the NAS from its DHCP address to a static one
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
  description: Address at which the NAS answers now; in check mode the one before the change.
  returned: success
  type: str
  sample: 192.168.1.20
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - set eth0 to 192.168.1.20/24, gateway 192.168.1.1
interfaces:
  description: The NAS's interfaces afterwards, by name.
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
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
