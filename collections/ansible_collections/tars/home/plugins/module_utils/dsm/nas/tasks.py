# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduled scripts of a NAS: read them as the planner's values, and write one change."""

from __future__ import annotations

from collections.abc import Collection

from .. import calls
from ..client.client import Client, Read
from ..errors import DsmError
from ..plans import task as task_plan

# By action, and whether the change needs or gives the rights of root.
_CALLS = {
    ("create", False): calls.TASK_CREATE,
    ("create", True): calls.ROOT_TASK_CREATE,
    ("update", False): calls.TASK_SET,
    ("update", True): calls.ROOT_TASK_SET,
}


def tasks(client: Client, names: Collection[str] | None = None) -> list[task_plan.Task]:
    """Return every scheduled task; those of the type script complete, or only the ones with these names.

    DSM also lists what starts with the NAS, without a number; these entries are left out.
    """
    data = client.read(calls.TASK_LIST)
    rows = data.get("tasks") or []
    if len(rows) < int(data.get("total") or 0):
        raise DsmError(
            f"the scheduled tasks: DSM returned {len(rows)}, expected all {data['total']}, so a name could be missed. "
            "Report this with the DSM version."
        )
    listed = [task_plan.from_row(row) for row in rows if row.get("id") is not None]
    reads = {
        task.id: Read(calls.TASK_GET, {"id": task.id, "real_owner": task.real_owner}, f"task {task.name!r}")
        for task in listed
        if task.kind == task_plan.SCRIPT and (names is None or task.name in names)
    }
    scripts = client.read_all(reads)
    return [task_plan.from_api(task, scripts[task.id] or {}) if task.id in scripts else task for task in listed]


def change_task(client: Client, change: task_plan.Change) -> None:
    """Create, change or delete a task."""
    task = change.task
    subject = f"task {task.name!r}"
    if change.action == "delete":
        client.write(calls.TASK_DELETE, {"tasks": [{"id": task.id, "real_owner": task.real_owner}]}, subject)
        return
    call = _CALLS[change.action, change.as_root]
    client.write(call, task_plan.to_api(change), subject, confirmed=change.as_root)
