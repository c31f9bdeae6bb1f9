# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results of the commands are for a person, and their exit codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tars_backup.actions.bring_back import BroughtBack
from tars_backup.actions.copies import Copied, Outcome
from tars_backup.actions.drill import Drilled
from tars_backup.actions.key import Proven, RepositoryKey
from tars_backup.actions.list import Listing
from tars_backup.actions.rotate import Rotated
from tars_backup.actions.run import Made
from tars_backup.instants import UTC
from tars_backup.output import Result
from tars_backup.restoring.outcome import Restored, Table

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
PROVEN = Proven("0123456789", "one", AT, True, (), False)
RESTORED = Restored("one", AT, ("postgres",), changed=True)
TABLES = {"documents": Table(2, 3), "added": Table(None, 1), "equal": Table(1, 1)}
DRILLED = Drilled(AT, "one", "NAS", "", 12.4, 3600, 5, Path("/report.html"))


@pytest.mark.parametrize(
    ("result", "code", "lines"),
    [
        (
            RepositoryKey("0123", "", "", ""),
            0,
            ["repository 0123; --json prints its files config and key, for the recovery sheet"],
        ),
        (PROVEN, 0, ["the sheet alone opens the repository 01234567, and backup one was read"]),
        (
            replace(PROVEN, whole=False, backup=None, password_differs=True),
            0,
            [
                "the password opens the repository 01234567; it has no backup yet",
                "the desktop uses another password than the sheet: print a new sheet",
            ],
        ),
        (
            replace(PROVEN, differing=("config",)),
            0,
            [
                "the sheet alone opens the repository 01234567, and backup one was read",
                "the repository has other files than the sheet: config",
                "if it does not open, --repair writes those of the sheet",
            ],
        ),
        (
            replace(PROVEN, differing=("config",), repaired=True, kept=(Path("/damaged/config"),)),
            0,
            [
                "the sheet alone opens the repository 01234567, and backup one was read",
                "written from the sheet: config",
                "the replaced file is kept: /damaged/config",
            ],
        ),
        (
            Rotated(("NAS",), ("usb",), False, ("away",), True),
            0,
            [
                "the new password also opens the backups of: NAS",
                "away: remove the former key on the server, with restic key remove",
                "usb: not connected, only the former password opens it; connect its disk and repeat the command",
            ],
        ),
        (
            Copied((Outcome("usb", absent_since="then"), Outcome("attic", ("a",), ("b",), 3)), True, True),
            3,
            [
                "usb: not connected since then",
                "attic: would copy 1 backups, 3 are there",
                "attic: removed b by its retention rules",
            ],
        ),
        (Copied((Outcome("attic", ("a",), (), 3),), False, True), 0, ["attic: copied 1 backups, 3 are there"]),
        (
            BroughtBack("attic", ("a",), ("b",), True, True),
            3,
            ["would copy 1 backups from attic to the share", "lost: b, which attic does not have"],
        ),
        (
            Made("two", AT, "", True, False, 1, 2, 3, {}, ("a warning",), ("one",)),
            0,
            [
                "made two: 1 files, 2 bytes, 3 bytes added; read back",
                "removed one by the retention rules",
                "a warning",
            ],
        ),
        (BroughtBack("attic", (), (), False, False), 0, ["copied 0 backups from attic to the share"]),
        (
            replace(DRILLED, note="A note."),
            0,
            [
                "one from the NAS was restored and has answered 5 questions",
                "recovery: 12 s; age of the data: 3600 s",
                "A note.",
                "report: /report.html",
            ],
        ),
        (
            DRILLED,
            0,
            [
                "one from the NAS was restored and has answered 5 questions",
                "recovery: 12 s; age of the data: 3600 s",
                "report: /report.html",
            ],
        ),
        (replace(DRILLED, cleaned=True), 0, ["nothing is left of a drill"]),
        (
            replace(RESTORED, changed=False, recovered="An earlier one was undone", left_out="expired"),
            0,
            [
                "An earlier one was undone",
                "the issuer of the page's certificates is not restored: expired",
                "nothing was changed: postgres equal one",
            ],
        ),
        (
            replace(RESTORED, preview=True, tables=TABLES, newer=("two", "three"), issuer=True),
            3,
            [
                "would restore postgres of 2026-11-30T12:00:00Z (one, 0 bytes)",
                "  documents: 2 rows, until now 3",
                "  added: no rows, until now 1",
                "  the key and the certificate that sign the page's certificates",
                "what was added or changed after 2026-11-30T12:00:00Z would be lost",
                "newer backups: 2, the newest three",
            ],
        ),
        (
            replace(RESTORED, services=("app", "worker"), kept_until=AT),
            0,
            [
                "restored postgres of 2026-11-30T12:00:00Z (one, 0 bytes)",
                "running again: app, worker",
                "restore --rollback returns to the data until now before 2026-11-30T12:00:00Z",
            ],
        ),
    ],
)
def test_lines_and_exit_code(result: Result, code: int, lines: list[str]) -> None:
    assert list(result.lines()) == lines
    assert result.code == code


def test_a_listing_names_unfinished_backups_and_how_the_copies_are() -> None:
    good = {"at": "2026-11-30T12:00:00Z", "ok": True, "backups": 3, "last_ok": None}
    copies = {"attic": good, "cellar": {**good, "ok": False, "message": "no share"}, "office": {}}
    listing = Listing((), ("half",), (), (), (), None, None, {}, {}, copies)
    assert list(listing.lines())[-4:] == [
        "copy attic: 3 backups, up to date never",
        "copy cellar: 3 backups, up to date never; failed at 2026-11-30T12:00:00Z: no share",
        "copy office: never made",
        "unfinished: half",
    ]


def test_a_sheet_changes_what_it_repairs() -> None:
    assert not PROVEN.changed and replace(PROVEN, repaired=True).changed
