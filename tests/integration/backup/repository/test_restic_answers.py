# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic prints and returns beside the usual: lines to skip, results that are absent, errors that pass through."""

from __future__ import annotations

import pytest

from tars_backup.errors import BackupError, DestinationError, LockedError, WrongKeyError

from .desktop import Desktop
from .test_proof import wrap

pytestmark = pytest.mark.integration

STATUS = """echo '{"message_type":"status"}'"""


def test_lines_about_the_progress_are_skipped(bare: Desktop) -> None:
    real = wrap(bare, "init", before=STATUS)
    assert bare.init()
    bare.write_settings(restic=real)
    (bare.documents / "bill.txt").write_text("The bill of March is 42 euros.\n")
    wrap(bare, "backup", before=STATUS)
    assert bare.run().changed


def test_a_result_that_restic_does_not_print_is_an_error(bare: Desktop) -> None:
    real = wrap(bare, "init", before=STATUS, run=False)
    with pytest.raises(BackupError, match="restic init: found no id in its output"):
        bare.init()
    bare.write_settings(restic=real)
    bare.init()
    real = wrap(bare, "backup", before=STATUS, run=False)
    with pytest.raises(BackupError, match="restic backup: found no snapshot in its output"):
        bare.run()
    bare.write_settings(restic=real)
    wrap(bare, "key list", before="echo '[]'", run=False)
    with pytest.raises(BackupError, match="restic key list: found no current key"):
        bare.restic.key_name()


@pytest.mark.parametrize(
    ("status", "kind"), [(11, LockedError), (12, WrongKeyError), (1, DestinationError)], ids=["locked", "key", "share"]
)
def test_a_check_that_cannot_be_made_is_not_a_damaged_repository(
    desktop: Desktop, status: int, kind: type[BackupError]
) -> None:
    real = wrap(desktop, "check", before=f"echo stale file handle >&2; exit {status}", run=False)
    with pytest.raises(kind) as caught:
        desktop.restic.check(deadline_s=60)
    assert type(caught.value) is kind
    desktop.write_settings(restic=real)
    wrap(desktop, "cat lock", before=f"echo stale file handle >&2; exit {status}", run=False)
    if kind is not LockedError:
        with pytest.raises(kind):
            desktop.restic.lock("abc")
