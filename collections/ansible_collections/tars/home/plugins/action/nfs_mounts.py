# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.modules.nfs_mounts import TASK
from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    """Manage NFS mounts."""

    module_task = TASK
