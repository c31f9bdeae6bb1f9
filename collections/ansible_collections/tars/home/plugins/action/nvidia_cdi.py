# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.modules.nvidia_cdi import TASK
from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    """Describe the cards to containers."""

    module_task = TASK
