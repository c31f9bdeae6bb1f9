#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: authority_certificates
short_description: Issue certificates by a private certificate authority
description:
  - Issues the certificates that are missing, are for other names or addresses or for another key than desired, or have
    less than a third of their lifetime left. All others stay as they are.
  - Runs on the controller, with the authority that M(tars.home.authority) created. Files are below C(issued/) in its
    folder.
  - C(community.crypto) needs four tasks for each certificate, and its C(ownca) provider takes names and uses from the
    request; this module takes nothing but the key from the request of a machine.
attributes:
  check_mode:
    support: full
    description: Reports which certificates would be issued.
  diff_mode:
    support: full
    description: Shows each certificate before, and why it is issued.
  idempotent:
    support: full
    description: A second run changes nothing until a certificate is due.
options:
  folder: {description: Folder of the authority., type: path, required: true}
  passphrase: {description: Passphrase of its key., type: str, required: true}
  certificates:
    description: The desired certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of its files., type: str, required: true}
      kind:
        description:
          - V(server) is a server's own certificate.
          - V(issuer) lets its holder sign certificates for these names and addresses, and for no others.
        type: str
        choices: [server, issuer]
        default: server
      names: {description: DNS names., type: list, elements: str, required: true}
      addresses: {description: Addresses., type: list, elements: str, required: true}
      days: {description: Lifetime in days., type: int, default: 397}
      request:
        description:
          - PEM certificate signing request for a key that stays on another machine. Without it a key is created beside
            the certificate, unencrypted and readable by its owner only.
          - Empty in check mode if the key does not exist yet.
        type: str
      present:
        description:
          - PEM certificate that the machine of the request has. If the one in C(issued/) has to be issued and there is
            no reason to issue this one again, it is taken over, so that a restored machine keeps its certificate.
        type: str
        default: ""
requirements:
  - cryptography
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Issue a certificate for the NAS
  tars.home.authority_certificates:
    folder: "{{ inventory_dir }}/authority"
    passphrase: "{{ authority_passphrase }}"
    certificates:
      - {name: nas, names: [nas.home.arpa], addresses: [192.168.1.20]}
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: Which certificates were issued (in check mode, which would be), one sentence each with the reasons.
  returned: success
  type: list
  elements: str
  sample: ["issue the certificate nas: it does not exist"]
issued:
  description: The reasons to issue each of them, by name.
  returned: success
  type: dict
  sample: {nas: [it does not exist]}
certificates:
  description: The certificates by name, as PEM. Empty in check mode if there is none yet.
  returned: success
  type: dict
root:
  description: The authority's certificate, as PEM. Empty in check mode if there is none yet.
  returned: success
  type: str
"""

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.tars.home.plugins.module_utils.authority import certificates as authority
from ansible_collections.tars.home.plugins.module_utils.authority.files import Issued, issue_diff, issued_resource
from ansible_collections.tars.home.plugins.module_utils.resource.converge import converge
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, failing_typed

CERTIFICATE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["server", "issuer"], "default": "server"},
    "names": {"type": "list", "elements": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
    "days": {"type": "int", "default": 397},
    "request": {"type": "str"},
    "present": {"type": "str", "default": ""},
}


def desired_certificates(module: Module) -> list[Issued]:
    """Return the certificates that the module's parameters describe. Raises AuthorityError."""
    certificates = []
    for item in module.params["certificates"]:
        scope = authority.scope(item["names"], item["addresses"])
        # Without addresses an issuer could not be constrained to none, and without names a certificate has no subject.
        if not scope.names or not scope.networks:
            raise authority.AuthorityError(
                f"certificate {item['name']}: expected names and addresses, found {scope}. Set both."
            )
        if item["request"] == "" and not module.check_mode:
            raise authority.AuthorityError(
                f"certificate {item['name']}: the request is empty. Create it on the machine first."
            )
        desired = authority.Desired(item["kind"], scope, item["days"])
        certificates.append(Issued(module.params["folder"], item["name"], desired, item["request"], item["present"]))
    return certificates


def ensure(module: Module) -> dict[str, Any]:
    """Issue the certificates that have a reason to be."""
    params = module.params
    resource = issued_resource(
        params["folder"],
        params["passphrase"],
        desired_certificates(module),
        datetime.now(timezone.utc),
        module.check_mode,
    )
    outcome = converge(resource, module.check_mode)
    return {
        **outcome.result(),
        "issued": {change.certificate.name: list(change.reasons) for change in outcome.changes},
        "diff": [issue_diff(outcome.before, change) for change in outcome.changes],
    }


def run(module: Module) -> dict[str, Any]:
    """Return the result, or fail if the library is missing or the authority cannot be used."""
    if authority.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=authority.IMPORT_ERROR)
    return failing_typed(module, lambda: ensure(module))


TASK = ModuleTask(
    {
        "folder": {"type": "path", "required": True},
        "passphrase": {"type": "str", "required": True, "no_log": True},
        "certificates": {"type": "list", "elements": "dict", "required": True, "options": CERTIFICATE_OPTIONS},
    },
    run,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
