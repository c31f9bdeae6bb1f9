# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from importlib import import_module

from ansible_collections.tars.home.plugins.plugin_utils.on_controller import OnController


class ActionModule(OnController):
    """The module of this file's name. Ansible loads it before it forks, so that it is imported once a run."""

    module_task = import_module(__name__.replace(".action.", ".modules.")).TASK
