# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is restored from a copy while the share is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tars_backup.actions.restore import restore
from tars_backup.restic import Restic

from ..household import Household
from .pair import NAME, Pair

pytestmark = [pytest.mark.integration, pytest.mark.disaster]


def test_a_backup_is_restored_from_a_copy(home: Household, copy_template: Path) -> None:
    pair = Pair(home, home.folder / NAME)
    shutil.copytree(copy_template, pair.copied.repository)
    pair.record(Restic(pair.copied).repository_id())
    (name,) = pair.copy().copies[0].copied
    pair.lose_share()
    restored = restore(
        home.configuration,
        home.components,
        home.context,
        name="latest",
        parts=["postgres"],
        preview=False,
        source=pair.copied,
    )
    assert (restored.id, restored.changed) == (name, True)
    assert home.documents_now == {"boiler"}
