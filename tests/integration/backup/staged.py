# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage one component, as a run does."""

from __future__ import annotations

from pathlib import Path

from tars_backup.components import Component
from tars_backup.components.staging import Staging
from tars_backup.context import Context


def stage_component(component: Component, context: Context, folder: Path) -> dict[str, int]:
    """Write the files of a component to its folder, remove others, and return its counts."""
    staging = Staging(folder)
    counts = component.stage(context, staging)
    staging.finish()
    return counts
