#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

# The action plugin of this name does the work: one small file is not worth an interpreter on the machine.
DOCUMENTATION = r"""
module: os_release
short_description: Read the distribution of a machine
description:
  - Reads C(/etc/os-release) into facts of the names that M(ansible.builtin.setup) uses, but takes a twentieth of its
    time. Needs no Python on the machine.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Only reads.
    support: N/A
  idempotent:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
---
- name: Read the distribution
  tars.home.os_release:
  when: ansible_facts['distribution'] is not defined
"""

RETURN = r"""
ansible_facts:
  description: The distribution, as its os-release file describes it.
  returned: success
  type: dict
  contains:
    distribution:
      description: Its name, with a capital.
      type: str
      sample: Debian
    distribution_version:
      description: Its version. Debian's has no point release here.
      type: str
      sample: "13"
    distribution_major_version:
      description: The version up to its first point.
      type: str
      sample: "13"
    distribution_release:
      description: Its code name.
      type: str
      sample: trixie
"""
