# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduled scripts of a NAS as the planner's values: reading them, and carrying out one change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

from ..client.client import Client, Read
from ..errors import DsmError
from ..plans import task as plan

TASKS = "SYNO.Core.TaskScheduler"
ROOT_TASKS = "SYNO.Core.TaskScheduler.Root"


def tasks(client: Client, names: Optional[Collection[str]] = None) -> list[plan.Task]:
    """Every scheduled task; those of kind script whole, or of them only the ones with these names.

    What starts with the NAS is in DSM's list as well, without a number, and left out.
    """
    # Each method of this API has a version of its own: list answers nothing usable in 4.
    data = client.read(TASKS, "list", 3)
    rows = data.get("tasks") or []
    if len(rows) < int(data.get("total") or 0):
        raise DsmError(
            f"DSM told {len(rows)} of its {data['total']} scheduled tasks, so a name could be missed. Report it with "
            "the DSM version."
        )
    found = [plan.from_row(row) for row in rows if row.get("id") is not None]
    reads = {
        task.id: Read(TASKS, "get", 4, {"id": task.id, "real_owner": task.real_owner}, f"task {task.name!r}")
        for task in found
        if task.kind == plan.SCRIPT and (names is None or task.name in names)
    }
    scripts = client.read_all(reads)
    return [plan.from_api(task, scripts[task.id] or {}) if task.id in scripts else task for task in found]


def change_task(client: Client, change: plan.Change) -> None:
    task = change.task
    subject = f"task {task.name!r}"
    if change.action == "delete":
        client.write(TASKS, "delete", 2, {"tasks": [{"id": task.id, "real_owner": task.real_owner}]}, subject)
        return
    params = plan.to_api(change)
    method = "create" if change.action == "create" else "set"
    api = ROOT_TASKS if change.as_root else TASKS
    client.write(api, method, 4, params, subject, confirmed=change.as_root)
