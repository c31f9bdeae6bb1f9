#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: authority_certificates
short_description: Certificates from a household's authority
description:
  - Issues the certificates that are missing, speak for other names or addresses than wanted, belong to another key, or
    have less than a third of their life left. All others stay as they are.
  - Runs on the controller, beside the authority that M(tars.home.authority) made. Files lie below C(issued/) in its
    folder.
  - C(community.crypto) needs four tasks for each certificate, and its C(ownca) provider takes names and uses from the
    request; here a request from a machine counts for its key alone.
attributes:
  check_mode:
    support: full
    description: Reports what would be issued.
  diff_mode:
    support: full
    description: Shows each certificate before, and why it is issued anew.
  idempotent:
    support: full
    description: A second run changes nothing until a certificate is due.
options:
  folder: {description: Folder of the authority., type: path, required: true}
  passphrase: {description: What opens its key., type: str, required: true}
  certificates:
    description: The wanted certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of its files., type: str, required: true}
      kind:
        description:
          - V(server) is a server's own certificate.
          - V(issuer) lets its holder sign certificates for these names and addresses by itself, and for no others.
        type: str
        choices: [server, issuer]
        default: server
      names: {description: DNS names., type: list, elements: str, required: true}
      addresses: {description: Addresses., type: list, elements: str, required: true}
      days: {description: Lifetime., type: int, default: 397}
      request:
        description:
          - PEM certificate signing request of a key that stays on another machine. Without it a key is made and kept
            beside the certificate, in the clear and readable by its owner alone.
          - Empty in check mode where the key does not exist yet.
        type: str
requirements:
  - cryptography
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Have a certificate for the NAS
  tars.home.authority_certificates:
    folder: "{{ inventory_dir }}/authority"
    passphrase: "{{ authority_passphrase }}"
    certificates:
      - {name: nas, names: [nas.home.arpa], addresses: [192.168.1.20]}
  delegate_to: localhost
"""

RETURN = r"""
issued:
  description: Why each certificate that was issued had to be, by name.
  returned: success
  type: dict
  sample: {nas: [there is none]}
certificates:
  description: The certificates by name, as PEM. Empty in check mode where there is none yet.
  returned: success
  type: dict
root:
  description: The authority's certificate, as PEM. Empty in check mode where there is none yet.
  returned: success
  type: str
"""

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.tars.home.plugins.module_utils.authority import certificates as authority
from ansible_collections.tars.home.plugins.module_utils.authority import files as authority_files
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set

CERTIFICATE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["server", "issuer"], "default": "server"},
    "names": {"type": "list", "elements": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
    "days": {"type": "int", "default": 397},
    "request": {"type": "str"},
}


def wanted(module: Module) -> list:
    """The certificates out of the module's parameters. Raises AuthorityError."""
    found = []
    for item in module.params["certificates"]:
        limits = authority.scope(item["names"], item["addresses"])
        # A certificate without addresses could not limit an issuer to none, and one without names has no subject.
        if not limits.names or not limits.networks:
            raise authority.AuthorityError(f"{item['name']}: wanted names and addresses, found {limits}. Give both.")
        if item["request"] == "" and not module.check_mode:
            raise authority.AuthorityError(f"{item['name']}: the request is empty. Make it on the machine first.")
        wish = authority.Wish(item["kind"], limits, item["days"])
        found.append(authority_files.Issued(module.params["folder"], item["name"], wish, item["request"]))
    return found


def ensure(module: Module, certificates: list, now: datetime) -> dict:
    """Issue what has to be, outside check mode; return why, by name."""
    root = authority_files.open_root(module.params["folder"], module.params["passphrase"], now)
    if root is None and module.check_mode:
        return {one.name: ("there is no authority yet",) for one in certificates}
    if root is None:
        raise authority.AuthorityError(
            f"{module.params['folder']}: wanted an authority, found none. Run the role tars.home.authority first."
        )
    due = {one.name: why for one in certificates if (why := one.reasons(root, now))}
    if not module.check_mode:
        for one in certificates:
            if one.name in due:
                one.issue(root, now)
    return due


def run(module: Module) -> dict[str, Any]:
    if authority.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=authority.IMPORT_ERROR)
    try:
        certificates = wanted(module)
        before = {one.name: authority_files.described(one.pem) for one in certificates}
        due = ensure(module, certificates, datetime.now(timezone.utc))
        after = {one.name: one.pem for one in certificates}
        root = authority_files.content(authority_files.root_path(module.params["folder"]))
    except (authority.AuthorityError, file_set.FileSetError, OSError) as error:
        module.fail_json(msg=str(error))
    return {
        "changed": bool(due),
        "issued": {name: list(why) for name, why in due.items()},
        "certificates": {name: pem.decode() for name, pem in after.items()},
        "root": root.decode(),
        "diff": [
            {
                "before_header": one.path,
                "after_header": one.path,
                "before": "".join(f"{line}\n" for line in before[one.name]),
                "after": f"{one.wish.kind} for {one.wish.scope}, issued anew: {'; '.join(due[one.name])}\n",
            }
            for one in certificates
            if one.name in due
        ],
    }


TASK = ModuleTask(
    {
        "folder": {"type": "path", "required": True},
        "passphrase": {"type": "str", "required": True, "no_log": True},
        "certificates": {"type": "list", "elements": "dict", "required": True, "options": CERTIFICATE_OPTIONS},
    },
    run,
)


def main() -> None:
    TASK.main()


if __name__ == "__main__":
    main()
