# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.modules.image_file import TASK
from ansible_collections.tars.home.plugins.plugin_utils.record import RecordingAction


class ActionModule(RecordingAction):
    """Install a file of an image, with the record on the controller."""

    module_task = TASK
    header = "# The SHA-256 of each file that was copied out of an image. A later copy with another SHA-256 fails.\n"
