#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dnsmasq_zone
short_description: Serve a DNS zone with dnsmasq
description:
  - Writes one file below C(/etc/dnsmasq.d), by which dnsmasq answers for a zone and its reverse zones itself, at the
    machine's address and at 127.0.0.1, and forwards all other queries. The other configuration of dnsmasq stays in
    force.
  - Names without a meaning outside of a household (single labels, private reverse zones, home.arpa, .local and similar)
    are never forwarded.
  - If another program holds port 53 of those addresses, the module fails and names it, before anything is changed.
    systemd-resolved and the dnsmasq of libvirt use other addresses and keep them.
  - The whole configuration is tested with C(dnsmasq --test) before the file is replaced, and in every run. If dnsmasq
    does not start with it, the earlier file is restored.
  - The machine itself uses its dnsmasq for the zone, by a drop-in of systemd-resolved, or as the first server in
    C(/etc/resolv.conf). Its other servers stay, in case dnsmasq does not answer. A C(resolv.conf) that another program
    writes is not changed, with a warning.
  - If dnsmasq is not installed, only its files are written, so that it starts with them. Run the module again after the
    installation.
attributes:
  check_mode:
    support: full
    description: Reports what would change. The configuration is not tested if dnsmasq is not installed yet.
  diff_mode:
    support: full
    description: Shows the files before and after.
  idempotent:
    support: full
    description: Compares the files, and whether dnsmasq runs and is started at boot.
options:
  zone:
    description: The zone, such as V(home.arpa).
    type: str
    required: true
  networks:
    description: Networks whose reverse zones are served as well.
    type: list
    elements: str
    default: []
  records:
    description: All machines of the zone.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: "Fully qualified name, also the reverse record of the addresses.", type: str, required: true}
      aliases: {description: "Further fully qualified names.", type: list, elements: str, default: []}
      addresses: {description: IPv4 and IPv6 addresses., type: list, elements: str, required: true}
  address:
    description: Address of this machine at which dnsmasq answers.
    type: str
    required: true
  upstream:
    description:
      - Servers for names outside the zone. If empty, the servers of the machine itself, following their changes.
    type: list
    elements: str
    default: []
  state:
    description:
      - With V(absent) the files are removed, and the machine no longer uses its dnsmasq. dnsmasq stops unless it has
        other configuration.
    type: str
    choices: [present, absent]
    default: present
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Serve the household's names
  tars.home.dnsmasq_zone:
    zone: home.arpa
    networks: [192.168.1.0/24]
    address: 192.168.1.10
    records:
      - {name: desk.home.arpa, aliases: [tars.home.arpa], addresses: [192.168.1.10]}
      - {name: printer.home.arpa, addresses: [192.168.1.40]}
"""

RETURN = r"""
changes:
  description: What differed.
  returned: success
  type: list
  elements: str
  sample: [/etc/dnsmasq.d/tars.conf, dnsmasq.service]
upstream:
  description: The servers for names outside the zone.
  returned: success
  type: list
  elements: str
  sample: [192.168.1.1]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq
from ansible_collections.tars.home.plugins.module_utils.dns.dnsmasq_config import Record
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, ensure

ARGUMENTS: dict[str, Any] = {
    "zone": {"type": "str", "required": True},
    "networks": {"type": "list", "elements": "str", "default": []},
    "records": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "aliases": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "list", "elements": "str", "required": True},
        },
    },
    "address": {"type": "str", "required": True},
    "upstream": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def zone(params: Mapping[str, Any]) -> dnsmasq.Zone:
    """Return the zone that the parameters describe."""
    records = [Record(item["name"], tuple(item["aliases"]), tuple(item["addresses"])) for item in params["records"]]
    present = params["state"] == "present"
    return dnsmasq.Zone(params["zone"], params["networks"], records, params["address"], params["upstream"], present)


def resource(params: Mapping[str, Any]) -> Resource[dnsmasq.Machine, dnsmasq.Change]:
    """Return the zone as a resource, the service included."""
    return dnsmasq.resource(zone(params))


def run(module: Module) -> dict[str, Any]:
    """Serve the zone. While dnsmasq is not installed, write its files only; check mode predicts the service as well."""
    desired = dnsmasq.resource(zone(module.params), service=module.check_mode)
    dnsmasq.require_possible(desired.read(), zone(module.params))
    return ensure(module, desired)


TASK = ModuleTask(ARGUMENTS, run, resource=resource)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
