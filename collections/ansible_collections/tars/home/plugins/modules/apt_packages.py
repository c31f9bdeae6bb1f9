#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: apt_packages
short_description: Install Debian packages
description:
  - Installs the missing packages of the list, all in one run of C(apt-get), with fresh package lists.
  - Needs nothing on the machine but C(dpkg) and C(apt-get), so that check mode works on a fresh installation, and for
    packages of a source that check mode did not add. M(ansible.builtin.apt) needs C(python3-apt) and the source.
  - Never removes a package. If one conflicts, the module fails with apt's message.
  - The work is the systemd unit C(tars-apt.service). It continues if the connection breaks; the next run finds it.
attributes:
  check_mode:
    support: full
    description: Reports which packages would be installed.
  diff_mode:
    support: full
    description: Shows the packages before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  names:
    description: Names of the packages. An installed one keeps its version.
    type: list
    elements: str
    required: true
  recommends:
    description: Whether to install the packages that they recommend as well.
    type: bool
    default: false
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Install the NFS client
  tars.home.apt_packages:
    names: [nfs-common]
"""

RETURN = r"""
changes:
  description: The packages that were, or in check mode would be, installed.
  returned: success
  type: list
  elements: str
  sample: [install nfs-common]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing
from ansible_collections.tars.home.plugins.module_utils.system import apt

ARGUMENTS: dict[str, Any] = {
    "names": {"type": "list", "elements": "str", "required": True},
    "recommends": {"type": "bool", "default": False},
}


def resource(params: Mapping[str, Any]) -> Resource[frozenset[str], apt.Install]:
    """Return the packages as a resource."""
    return apt.resource(params["names"], params["recommends"])


TASK = managing(ARGUMENTS, resource)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
