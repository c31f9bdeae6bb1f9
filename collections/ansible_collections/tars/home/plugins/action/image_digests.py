# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.modules.image_digests import TASK
from ansible_collections.tars.home.plugins.plugin_utils.record import RecordingAction


class ActionModule(RecordingAction):
    """Pull images, with progress and the record on the controller."""

    module_task = TASK
    header = "# The digest of each image at its first pull. A later pull with another digest fails.\n"
