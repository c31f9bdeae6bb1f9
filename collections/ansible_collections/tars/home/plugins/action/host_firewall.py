# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.modules.host_firewall import TASK
from ansible_collections.tars.home.plugins.plugin_utils.confirmed import ConfirmedAction


class ActionModule(ConfirmedAction):
    """Manage the firewall; new rules are confirmed over a new connection."""

    module_task = TASK
