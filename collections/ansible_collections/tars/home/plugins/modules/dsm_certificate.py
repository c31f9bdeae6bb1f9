#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_certificate
short_description: Import the certificate of a Synology NAS
description:
  - Imports a certificate with its key, makes it the default, and configures DSM's web server to use it.
  - Compares the certificate that the NAS really shows. DSM's list has no fingerprints, so a stored certificate is
    identified by its description and replaced.
  - The NAS restarts its web server. The module waits for the new certificate and then trusts it, even if
    O(fingerprint) names the old one, because the caller has its key. So a second run with the old one works too.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    description: Reads, plans and checks the files as in a real run, and changes nothing. A certificate file that
      an earlier task would create is assumed to differ from the one that is shown, and named in a warning.
    support: full
  diff_mode:
    description: Shows the certificates before and after, by their descriptions.
    support: full
  idempotent:
    description: A second run with the same files changes nothing.
    support: full
options:
  description:
    description: What DSM calls the certificate.
    type: str
    required: true
  certificate_path:
    description: PEM file with the certificate. The chain may follow it in the same file.
    type: path
    required: true
  private_key_path:
    description: PEM file with its key, without a passphrase.
    type: path
    required: true
  chain_path:
    description: PEM file with the intermediate certificates.
    type: path
"""

EXAMPLES = r"""
---
- name: Import the certificate of the NAS
  tars.home.dsm_certificate:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    description: household
    certificate_path: ~/household/nas.crt
    private_key_path: ~/household/nas.key
  register: shown

- name: Expect this certificate from now on
  ansible.builtin.set_fact:
    dsm_fingerprint: "{{ shown.fingerprint }}"
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - let DSM show the certificate 'household'
fingerprint:
  description: SHA-256 of the certificate that the NAS shows when the module ends; in check mode, the one it shows now.
  returned: success
  type: str
  sample: 5d41402abc4b2a76b9719d911017c592ae1f7a1f0d8a3a9c6f1c5f6c1c2b7a55
certificates:
  description: The certificates afterwards.
  returned: success
  type: list
  elements: dict
  sample:
    - description: household
      default: true
      desktop: true
"""

import os
from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import certificate as nas_certificate
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.certificate import plan, predict, to_dict
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Import the certificate if the NAS does not show it, and return the result."""
    params = module.params
    path = params["certificate_path"]
    if module.check_mode and not os.path.exists(path):
        module.warn(f"{path} does not exist yet; the plan assumes that an earlier task creates it.")
        files, fingerprint = nas_certificate.Files("", "", ""), ""
    else:
        files = nas_certificate.load(path, params["private_key_path"], params["chain_path"])
        fingerprint = files.fingerprint
        nas_certificate.trust_if_shown(client, fingerprint)
    outcome = ensure_on_nas(
        client,
        module,
        read=partial(nas_certificate.certificates, client),
        plan=partial(plan, description=params["description"], fingerprint=fingerprint),
        predict=predict,
        write=partial(nas_certificate.change_certificate, client, files),
        show=to_dict,
    )
    return {**outcome.result(), "fingerprint": outcome.before.shown if module.check_mode else outcome.after.shown}


TASK = nas_task(
    {
        "description": {"type": "str", "required": True},
        "certificate_path": {"type": "path", "required": True},
        "private_key_path": {"type": "path", "required": True, "no_log": False},
        "chain_path": {"type": "path"},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
