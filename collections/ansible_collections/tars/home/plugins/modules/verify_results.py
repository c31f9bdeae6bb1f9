#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

# The action plugin of this name does the work: it needs nothing but the results.
DOCUMENTATION = r"""
module: verify_results
short_description: Fail with all differences that tasks in check mode found
description:
  - Collects the registered results of tasks that ran in check mode, and fails with one line for each difference between
    the current and the desired state, and for each task that failed.
  - So a verification compares everything before it ends, and reports everything.
  - Runs on the controller.
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
options:
  results:
    description:
      - The registered results by subject, such as C(the shares). Skipped tasks are allowed.
      - A result counts as a difference if it has C(changes), or if it failed.
    type: dict
    required: true
  next_step:
    description: What to do about differences, as a sentence. It ends the message.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: Compare the shares
  tars.home.dsm_share:
    shares: "{{ nas_shares }}"
  check_mode: true
  register: shares
  failed_when: false

- name: Report every difference
  tars.home.verify_results:
    results:
      the shares: "{{ shares }}"
    next_step: Run the playbook to restore the desired state.
"""

RETURN = r"""
differences:
  description: Every difference.
  returned: always
  type: list
  elements: dict
  contains:
    object:
      description: What differs.
      type: str
      sample: "the exports: exports.LLM_docs.192.168.1.30"
    found:
      description: The current value in words.
      type: str
      sample: none
    expected:
      description: The desired value in words.
      type: str
      sample: client '192.168.1.30', access 'rw'
"""
