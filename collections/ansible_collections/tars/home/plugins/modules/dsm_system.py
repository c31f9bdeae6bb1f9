#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_system
short_description: Manage name, network, clock, SSH and SFTP of a Synology NAS
description:
  - Sets name, gateway, resolvers, time zone and time servers of a NAS, and whether it offers SSH and SFTP.
  - An option that is not given is left alone.
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  diff_mode:
    description: Shows the settings before and after.
    support: full
options:
  server_name:
    description: Name of the NAS, without a domain.
    type: str
  gateway:
    description: IPv4 address of the router. It must lie in the NAS's network, because another one would cut it off.
    type: str
  resolvers:
    description: IPv4 addresses of at most two name servers. An empty list uses those of DHCP.
    type: list
    elements: str
  time_zone:
    description: Time zone in DSM's own names, for example V(Amsterdam) for V(Europe/Berlin).
    type: str
  ntp_servers:
    description: One to three time servers, by which the NAS sets its clock.
    type: list
    elements: str
  ssh:
    description: Whether administrators may log in over SSH.
    type: bool
  ssh_port:
    description: Port of the SSH service. A change ends the SSH sessions that are open.
    type: int
  sftp:
    description: Whether SFTP is offered.
    type: bool
  sftp_port:
    description: Port of the SFTP service.
    type: int
"""

EXAMPLES = r"""
---
- name: Name the NAS and set its clock
  tars.home.dsm_system:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    server_name: nas
    gateway: 192.168.1.1
    resolvers: [192.168.1.10]
    time_zone: Amsterdam
    ntp_servers: [0.pool.ntp.org, 1.pool.ntp.org]
    ssh: false
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - set server_name 'nas', resolvers '192.168.1.10'
settings:
  description: >-
    The settings afterwards. An empty list of resolvers means those of DHCP; an empty list of time servers, a clock that
    is set by hand.
  returned: success
  type: dict
  sample:
    server_name: nas
    gateway: 192.168.1.1
    resolvers: [192.168.1.10]
    time_zone: Amsterdam
    ntp_servers: [0.pool.ntp.org]
    ssh: false
    ssh_port: 22
    sftp: false
    sftp_port: 22
"""

from functools import cache, partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import system as nas_system
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.system import Change, System, plan, predict, to_dict
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

OPTIONS = {
    "server_name": {"type": "str"},
    "gateway": {"type": "str"},
    "resolvers": {"type": "list", "elements": "str"},
    "time_zone": {"type": "str"},
    "ntp_servers": {"type": "list", "elements": "str"},
    "ssh": {"type": "bool"},
    "ssh_port": {"type": "int"},
    "sftp": {"type": "bool"},
    "sftp_port": {"type": "int"},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring the settings to their desired state, and return the result."""
    desired = {name: module.params[name] for name in OPTIONS}
    limits = cache(partial(nas_system.limits, client))

    def planned(current: System) -> list[Change]:
        bounded = any(desired[name] not in (None, getattr(current, name)) for name in ("time_zone", "gateway"))
        return plan(current, desired, limits() if bounded else None)

    outcome = ensure_on_nas(
        client,
        module,
        read=partial(nas_system.settings, client),
        plan=planned,
        predict=predict,
        write=partial(nas_system.change_settings, client),
        show=to_dict,
    )
    return outcome.result("settings")


TASK = nas_task(OPTIONS, ensure)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
