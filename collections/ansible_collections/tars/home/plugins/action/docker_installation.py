# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.modules.docker_installation import TASK
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """Install Docker Engine, with progress."""

    module_task = TASK
