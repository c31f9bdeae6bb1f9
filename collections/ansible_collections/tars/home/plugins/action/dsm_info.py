# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.plugin_utils.on_controller import OnController, import_tasks


class ActionModule(OnController):
    """Do the work of any dsm_* module but dsm_address; meta/runtime.yml redirects their names to this plugin."""

    tasks = import_tasks("dsm_")
