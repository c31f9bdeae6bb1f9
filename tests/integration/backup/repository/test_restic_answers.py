# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic prints and returns beside the usual: lines to skip, results that are absent, errors that pass through."""

from __future__ import annotations

import pytest

from tars_backup import restic
from tars_backup.errors import BackupError, DestinationError, LockedError, VerificationError, WrongKeyError

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
    for answer in ("[]", '[{"id": "beef"}]', '[{"id": "beef", "current": true}]'):
        wrap(bare, "key list", before=f"echo '{answer}'", run=False)
        with pytest.raises(BackupError, match="restic key list: found no current key"):
            bare.restic.key_name()
        bare.write_settings(restic=real)


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


@pytest.mark.parametrize("command", ["/manifest.json", "--archive"])
def test_a_share_that_fails_for_one_file_is_a_failed_verification(desktop: Desktop, command: str) -> None:
    made = desktop.run()
    real = wrap(desktop, command, before="echo stale file handle >&2; exit 1", run=False)
    with pytest.raises(VerificationError, match="stale file handle"):
        desktop.verify()
    desktop.write_settings(restic=real)
    wrap(desktop, "--archive", before="head -c 600 /dev/zero | tr '\\0' x", run=False)
    with pytest.raises(VerificationError, match=f"{made.id}: "):
        desktop.verify()
    desktop.write_settings(restic=real)
    wrap(desktop, "check", before="echo locked >&2; exit 11", run=False)
    with pytest.raises(LockedError):
        desktop.verify()
    desktop.write_settings(restic=real)
    assert desktop.verify().backups == (made.id,)


def test_a_slow_restic_whose_share_answers_goes_on(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restic, "PROBE_S", 0.3)
    wrap(desktop, "snapshots", before="sleep 2")
    assert desktop.restic.snapshots() == []


def test_marks_alone_are_a_failed_verification(desktop: Desktop) -> None:
    desktop.configuration.good.mkdir()
    (desktop.configuration.good / "damaged.json").write_text("{")
    with pytest.raises(VerificationError, match=r"good/damaged\.json: not a valid mark"):
        desktop.verify()
