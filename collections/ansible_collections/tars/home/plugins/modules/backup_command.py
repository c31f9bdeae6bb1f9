#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

# The action plugin of this name does the work: it needs nothing but a connection.
DOCUMENTATION = r"""
module: backup_command
short_description: Run a command of tars-backup on the machine
description:
  - Runs C(tars-backup) with C(--json), and returns the object that it printed. Fails with its message.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
attributes:
  check_mode:
    description: Adds O(check_option). Without it, only a command that changes nothing may run in check mode.
    support: full
  diff_mode:
    description: The command has no diff.
    support: none
  idempotent:
    description: Depends on the command. A backup is made only if something has changed since the newest one.
    support: partial
options:
  arguments:
    description: The command and its options.
    type: list
    elements: str
    required: true
  check_option:
    description: Option that makes the command report what it would do, such as C(--dry-run). Used in check mode.
    type: str
    default: ""
  input:
    description: Text for the standard input of the command, such as a recovery sheet.
    type: str
    default: ""
  program:
    description: Path of tars-backup on the machine.
    type: path
    default: /opt/tars/bin/tars-backup
"""

EXAMPLES = r"""
---
- name: Make a backup
  tars.home.backup_command:
    arguments: [run]
    check_option: --dry-run
"""

RETURN = r"""
exit_code:
  description: Exit code of the command, 3 if it only reports what it would change.
  returned: always
  type: int
backup:
  description: The object that the command printed.
  returned: if it printed one
  type: dict
  sample: {"schema": 1, "command": "run", "ok": true, "error": null, "changed": true}
"""
