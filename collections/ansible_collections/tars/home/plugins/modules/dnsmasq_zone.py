#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dnsmasq_zone
short_description: Serve a household's DNS zone with dnsmasq, and have the machine itself ask it
description:
  - Writes one file below C(/etc/dnsmasq.d), which makes dnsmasq answer for a zone and its reverse network by itself, at
    the machine's address and at 127.0.0.1, and ask others for the rest. All else that dnsmasq is told stays in force.
  - What means nothing outside of a household (single labels, private reverse networks, home.arpa, .local and the like)
    is never forwarded.
  - Another program that holds port 53 of those addresses is refused by name, before anything is changed.
    systemd-resolved and the dnsmasq of libvirt are at other addresses and keep them.
  - The whole configuration is tried with C(dnsmasq --test) before the file is replaced. A dnsmasq that does not start
    with it has its earlier one back.
  - The machine asks its own dnsmasq for the zone, by a drop-in of systemd-resolved, or as the first server in
    C(/etc/resolv.conf). The others it asked before stay, for when dnsmasq does not answer. A C(resolv.conf) that
    another program writes is left alone, with a warning.
  - Where dnsmasq is not installed, the file alone is written, so that it starts with it. Call again after that.
attributes:
  check_mode:
    support: full
    description: Reports what would change. The configuration is not tried where dnsmasq is not installed yet.
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
    description: The networks whose reverse zones are served as well.
    type: list
    elements: str
    default: []
  records:
    description: All the machines of the zone.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: "Name in full, to which the addresses lead back.", type: str, required: true}
      aliases: {description: "Further names, in full.", type: list, elements: str, default: []}
      addresses: {description: IPv4 and IPv6 addresses., type: list, elements: str, required: true}
  address:
    description: Address of this machine at which the others ask.
    type: str
    required: true
  upstream:
    description: Who is asked for the rest. Left empty, the servers that the machine has, and what becomes of them.
    type: list
    elements: str
    default: []
  state:
    description:
      - With V(absent) the file is removed, and nobody asks here any more. dnsmasq stops unless it is told other things.
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
  description: Who is asked for the rest.
  returned: success
  type: list
  elements: str
  sample: [192.168.1.1]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq as host
from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq_config as text
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set


def asked(params: dict) -> list:
    """Who is to be asked for the rest: this machine is not."""
    return [one for one in params["upstream"] if one not in (params["address"], text.LOOPBACK)]


def wanted(params: dict, here: host.Resolver, before: host.State) -> host.State:
    """The state that is wished for."""
    zone, networks = params["zone"], params["networks"]
    if params["state"] == "absent":
        resolver = "" if here.kind == "resolved" else here.content
        if here.kind == "file" and before.drop_in:
            # Without our file, 127.0.0.1 is a resolver of the owner's own.
            resolver = text.not_asking_here(here.content)
        # Whether dnsmasq goes on is a question of what else it is told.
        return host.State("", "", resolver, before.running, before.at_boot)
    records = [text.Record(one["name"], tuple(one["aliases"]), tuple(one["addresses"])) for one in params["records"]]
    # What dnsmasq reads by itself are the servers of a machine without systemd-resolved, and it follows their changes.
    source = here.source if here.kind == "resolved" else ""
    # The two exclude each other, and what the owner or another package says stays.
    dynamic = not any("bind-interfaces" in text.options(said) for said in host.others().values())
    drop_in = text.drop_in(zone, networks, records, params["address"], asked(params), source, dynamic)
    resolver = here.content
    if here.path:
        resolver = text.resolved_drop_in(zone, networks) if here.kind == "resolved" else text.asking_here(here.content)
    return host.State(drop_in, host.UNIT_TEXT, resolver, True, True)


def difference(before: host.State, after: host.State, here: host.Resolver) -> list:
    """What differs, and diff mode's entry for it."""
    pairs = [
        (host.DROP_IN, before.drop_in, after.drop_in),
        (host.UNIT_DROP_IN, before.unit, after.unit),
        (here.path, before.resolver, after.resolver),
    ]
    entries = [{"before_header": p, "after_header": p, "before": b, "after": a} for p, b, a in pairs if b != a]
    if (before.running, before.at_boot) != (after.running, after.at_boot):
        said = "\n".join(f"{word}: {{{n}}}" for n, word in enumerate(("running", "at boot"))) + "\n"
        entries.append(
            {
                "before_header": host.UNIT,
                "after_header": host.UNIT,
                "before": said.format(before.running, before.at_boot),
                "after": said.format(after.running, after.at_boot),
            }
        )
    return entries


def converge(module: AnsibleModule) -> dict:
    """Read, plan, apply, read back."""
    params, absent = module.params, module.params["state"] == "absent"
    here = host.resolver(params["address"])
    before = host.read(here)
    after = wanted(params, here, before)
    if not absent:
        host.refuse(params["address"])
        if not asked(params):
            host.refuse_nobody(here)
        host.judge(after.drop_in)
        if here.hindrance:
            module.warn(
                f"this machine does not ask its own dnsmasq for {params['zone']}: {here.hindrance}. "
                f"Next: name {text.LOOPBACK} there as the first server, and the others after it."
            )
    if not host.installed() and not module.check_mode:
        after = host.State(after.drop_in, after.unit, before.resolver, before.running, before.at_boot)
    entries = difference(before, after, here)
    result = {
        "changed": bool(entries),
        "changes": [entry["after_header"] for entry in entries],
        "upstream": asked(params) or list(here.upstream),
        "diff": entries,
    }
    if not entries or module.check_mode:
        return result
    if absent:
        host.follow(here, after.resolver)
        host.withdraw()
    else:
        host.serve(before, after, params["address"])
        host.follow(here, after.resolver)
    left = difference(host.read(host.resolver(params["address"])), after, here)
    if left and not absent:
        module.fail_json(msg=f"After the change {', '.join(entry['after_header'] for entry in left)} still differs.")
    return result


def main() -> None:
    records = {
        "name": {"type": "str", "required": True},
        "aliases": {"type": "list", "elements": "str", "default": []},
        "addresses": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "zone": {"type": "str", "required": True},
            "networks": {"type": "list", "elements": "str", "default": []},
            "records": {"type": "list", "elements": "dict", "default": [], "options": records},
            "address": {"type": "str", "required": True},
            "upstream": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except (host.NameServerError, file_set.FileSetError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename}: {error.strerror}. What was written before it stays; set it right and run again."
        )


if __name__ == "__main__":
    main()
