# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of the commands that change backups."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest

from tars_backup import program_lock
from tars_backup.errors import LockedError


def test_a_command_waits_for_the_end_of_another(tmp_path: Path) -> None:
    with ExitStack() as other:
        ended: list[bool] = []
        other.callback(ended.append, True)
        other.enter_context(program_lock.held(tmp_path, "run"))
        end = Timer(0.5, other.close)
        end.start()
        with program_lock.held(tmp_path, "prune", wait_s=60):
            end.join()
            assert ended
            with pytest.raises(LockedError, match="running: prune, process"), program_lock.held(tmp_path, "run"):
                pass


def test_a_command_that_does_not_end_is_named(tmp_path: Path) -> None:
    with (
        program_lock.held(tmp_path, "restore"),
        pytest.raises(LockedError, match="running: restore, process"),
        program_lock.held(tmp_path, "run", wait_s=0.3),
    ):
        pass
