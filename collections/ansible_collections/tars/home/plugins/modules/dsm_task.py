#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_task
short_description: Manage the scheduled scripts of a Synology NAS
description:
  - Creates, changes and deletes the scripts that DSM's Task Scheduler runs, a whole list in one task.
  - A task is identified by its name.
  - Tasks that are not in the list are left alone, and so is every option that is not given.
  - DSM allows several tasks of one name. Listing such a name is an error, because it is ambiguous.
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  diff_mode:
    description: Shows the listed tasks before and after, with their scripts.
    support: full
options:
  tasks:
    description: The desired tasks.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the task.
        type: str
        required: true
      state:
        description: Whether the task exists. A running script of a deleted task runs to its end.
        type: str
        choices: [present, absent]
        default: present
      owner:
        description:
          - Account that the script runs as. A new task belongs to O(account) unless this is given.
          - For V(root) the password of O(account) is sent once more at each change, as DSM requires.
        type: str
      enabled:
        description: Whether the schedule is active. A new task is enabled unless this is given.
        type: bool
      script:
        description:
          - Shell script. Needed to create the task. White space at its end is not compared.
          - It is shown in diffs and returned, and every administrator of the NAS can read it. Keep secrets out of it.
        type: str
      schedule:
        description:
          - When it runs, on the NAS's clock. Replaces the whole schedule; without it the schedule stays as it is.
          - A new task runs daily at midnight unless this is given.
        type: dict
        suboptions:
          frequency:
            description: V(weekly) runs on the O(tasks[].schedule.weekdays), V(monthly) on those of some weeks.
            type: str
            choices: [daily, weekly, monthly]
            default: daily
          weekdays:
            description: Days, V(0) is Sunday. Every day unless given.
            type: list
            elements: int
          weeks:
            description: Weeks of a month, for V(monthly) only. V(first) with V(0) is the first Sunday.
            type: list
            elements: str
            choices: [first, second, third, fourth, last]
          hour:
            description: Hour of the first run of a day.
            type: int
            default: 0
          minute:
            description: Minute of the first run.
            type: int
            default: 0
          every_hours:
            description: Repeat on the same day after so many hours, V(1) to V(23).
            type: int
          every_minutes:
            description: Repeat on the same day after so many minutes.
            type: int
            choices: [1, 5, 10, 15, 20, 30]
          last_hour:
            description: Hour after which it does not repeat until the next day.
            type: int
            default: 23
      notify_email:
        description: Address that DSM sends the output to. Empty sends nothing.
        type: str
      notify_only_on_error:
        description: Whether DSM sends it only when the script ended with an error.
        type: bool
notes:
  - None of these calls was tested with DSM 7.1. Their form is that of three clients that agree, one recorded on DSM 7.
  - A change of the owner to or from V(root) was never observed. If DSM refuses it, its error is reported.
"""

EXAMPLES = r"""
---
- name: Report the health of the disks every Sunday
  tars.home.dsm_task:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    tasks:
      - name: Disk report
        owner: root
        script: smartctl --scan | cut -d' ' -f1 | xargs -n1 smartctl --health
        schedule:
          frequency: weekly
          weekdays: [0]
          hour: 4
        notify_email: owner@home.arpa
        notify_only_on_error: true

- name: Delete a task
  tars.home.dsm_task:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    tasks:
      - name: Former
        state: absent
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - "create task 'Disk report': on weekdays 0 at 04:00 as root"
tasks:
  description: The listed tasks that exist afterwards, by name.
  returned: success
  type: dict
  sample:
    Disk report:
      name: Disk report
      owner: root
      enabled: true
      script: smartctl --scan | cut -d' ' -f1 | xargs -n1 smartctl --health
      schedule:
        frequency: weekly
        weekdays: [0]
        weeks: []
        hour: 4
        minute: 0
        every_hours: 0
        every_minutes: 0
        last_hour: 4
      notify_email: owner@home.arpa
      notify_only_on_error: true
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import tasks as nas_tasks
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.task import (
    EVERY_MINUTES,
    FREQUENCIES,
    WEEKS,
    Task,
    plan,
    predict,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

SCHEDULE_OPTIONS = {
    "frequency": {"type": "str", "choices": list(FREQUENCIES), "default": "daily"},
    "weekdays": {"type": "list", "elements": "int"},
    "weeks": {"type": "list", "elements": "str", "choices": list(WEEKS)},
    "hour": {"type": "int", "default": 0},
    "minute": {"type": "int", "default": 0},
    "every_hours": {"type": "int"},
    "every_minutes": {"type": "int", "choices": list(EVERY_MINUTES)},
    "last_hour": {"type": "int", "default": 23},
}
TASK_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str"},
    "enabled": {"type": "bool"},
    "script": {"type": "str"},
    "schedule": {"type": "dict", "options": SCHEDULE_OPTIONS},
    "notify_email": {"type": "str"},
    "notify_only_on_error": {"type": "bool"},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring tasks to their desired state, and return the result."""
    desired = module.params["tasks"]
    names = {item["name"] for item in desired}

    def listed(tasks: list[Task]) -> dict[str, Any]:
        return to_dict([task for task in tasks if task.name in names])

    outcome = ensure_on_nas(
        client,
        module,
        read=partial(nas_tasks.tasks, client, names),
        plan=partial(plan, desired=desired, account=client.account),
        predict=predict,
        write=partial(nas_tasks.change_task, client),
        show=listed,
    )
    return outcome.result("tasks")


TASK = nas_task(
    {"tasks": {"type": "list", "elements": "dict", "required": True, "options": TASK_OPTIONS}},
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
