#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: health_checks
short_description: Check a machine and show the results
description:
  - Runs read-only checks side by side, shows them as a table, and fails if one of them fails, with every difference and
    the next step.
  - Each check has a name, a fix, and one of O(checks[].command), O(checks[].url), O(checks[].tcp),
    O(checks[].dns), O(checks[].result).
  - Registered results of tasks are compared on the controller, the other checks run on the machine.
attributes:
  check_mode:
    support: full
    description: Changes nothing at any time.
  diff_mode:
    support: none
    description: Nothing is changed.
  idempotent:
    support: full
    description: Changes nothing at any time.
options:
  checks:
    description: The checks.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: The condition that must hold., type: str, required: true}
      fix: {description: The next step if it does not., type: str, required: true}
      command: {description: A program that has to end with 0., type: list, elements: str}
      url: {description: A page that has to answer with a status below 400., type: str}
      ca: {description: "The only certificate authority trusted for O(checks[].url).", type: path}
      tcp: {description: "A port that has to be open, as host:port.", type: str}
      dns: {description: "A name that must have an IPv4 address, or an address that must have a name.", type: str}
      result:
        description: The registered result of a task in check mode, which must have changed nothing and not failed. It
          may have been skipped.
        type: dict
      server: {description: "Address of the name server to ask for O(checks[].dns).", type: str}
      expect: {description: Regular expression that the output must match., type: str}
  timeout_s:
    description: Seconds a check may take.
    type: int
    default: 20
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Check the web server
  tars.home.health_checks:
    checks:
      - {name: the web server answers, url: "http://127.0.0.1/health", fix: systemctl status nginx}

- name: Compare the shares
  tars.home.dsm_share:
    shares: "{{ nas_shares }}"
  check_mode: true
  register: shares
  failed_when: false

- name: Report every difference
  tars.home.health_checks:
    checks:
      - {name: the shares, result: "{{ shares }}", fix: run the playbook to restore the desired state}
"""

RETURN = r"""
checks:
  description: The results, each with C(name), C(ok), C(found) and C(fix).
  returned: always
  type: list
  elements: dict
  sample: [{name: the web server answers, ok: true, found: ready, fix: systemctl status nginx}]
differences:
  description: What does not hold; of a comparison, each value that differs.
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

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.checks import health
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask


def run(module: Module) -> dict[str, Any]:
    """Return the results; fail if a check fails."""
    checks = module.params["checks"]
    result = health.outcome(checks, health.run(checks, module.params["timeout_s"]))
    if result.pop("failed", False):
        module.fail_json(**result)
    return result


TASK = ModuleTask(
    {
        "checks": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "fix": {"type": "str", "required": True},
                "command": {"type": "list", "elements": "str"},
                "url": {"type": "str"},
                "ca": {"type": "path"},
                "tcp": {"type": "str"},
                "dns": {"type": "str"},
                "server": {"type": "str"},
                "result": {"type": "dict"},
                "expect": {"type": "str"},
            },
            "required_one_of": [("command", "url", "tcp", "dns", "result")],
            "required_together": [("dns", "server")],
            "mutually_exclusive": [("command", "url", "tcp", "dns", "result")],
        },
        "timeout_s": {"type": "int", "default": 20},
    },
    run,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
