# SPDX-License-Identifier: GPL-3.0-or-later
"""The line about the backups, by the clocks of the household, and the notice if they need attention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tars_app.backups.schemas import Backups, Problem
from tars_app.backups.service import backups

from .conftest import OpenPage
from .script import Server
from .test_page import asked, check

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)
GOOD = Backups(
    state="known",
    zone="Pacific/Auckland",
    saved=datetime(2026, 11, 30, 13, 7, tzinfo=UTC),
    proven=datetime(2026, 11, 2, 20, 0, tzinfo=UTC),
    oldest=NOW - timedelta(days=41, hours=3),
    kept=87,
)
SILENCE = Problem(
    kind="silence",
    message="The last good backup is from 29 November 2026, 09:30; the limit is 3 hours.",
    next_step="Check that the NAS and the desktop are on, then run ./tars backup run",
    urgent=True,
)
REMINDER = Problem(
    kind="sheet",
    message="Try the recovery sheet: it was last tried on 3 May 2026, 10:00.",
    next_step="Take it out and run ./tars backup key verify with the key on it",
    urgent=False,
)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Saved 02:07, proven on 3 November, 41 days kept"),
        ({"zone": "Atlantis/Capital"}, "Saved 13:07, proven on 2 November, 41 days kept"),
        ({"saved": NOW - timedelta(days=2)}, "Saved on 29 November, 03:00, proven on 3 November, 41 days kept"),
        ({"proven": None}, "Saved 02:07, not proven yet, 41 days kept"),
        ({"proven": datetime(2025, 3, 1, tzinfo=UTC)}, "Saved 02:07, proven on 1 March 2025, 41 days kept"),
        ({"oldest": NOW - timedelta(hours=2), "kept": 1}, "Saved 02:07, proven on 3 November, 1 backup kept"),
        ({"saved": None, "kept": 0, "oldest": None}, "Not saved yet"),
        ({"state": "none"}, "No backups are set up"),
    ],
)
def test_line(open_page: OpenPage, server: Server, changes: dict[str, object], text: str) -> None:
    server.script.backups = GOOD.model_copy(update=changes)
    page = open_page(now=NOW)
    expect(page.locator("#backups")).to_have_text(text)
    expect(page.locator("#backup-notice")).to_be_empty()
    expect(page.locator("#backups")).not_to_have_class("backups urgent")


def test_alarm_and_its_end(open_page: OpenPage, server: Server) -> None:
    server.script.backups = GOOD.model_copy(update={"problems": [SILENCE, REMINDER]})
    page = open_page(now=NOW)
    notice = page.locator("#backup-notice")
    expect(notice).to_contain_text(SILENCE.message)
    expect(notice).to_contain_text("then run ./tars backup run.")
    expect(notice).not_to_contain_text("Try the recovery sheet")
    expect(page.locator("#backups")).to_have_class("backups urgent")
    expect(page.locator("#backups")).to_contain_text("! Saved 02:07")
    asked(page)
    expect(notice).to_be_visible()
    server.script.backups = GOOD
    page.clock.run_for(61_000)
    expect(notice).to_be_empty()
    expect(page.locator("#backups")).to_have_class("backups")


def test_reminder_is_no_alarm(open_page: OpenPage, server: Server) -> None:
    server.script.backups = GOOD.model_copy(update={"problems": [REMINDER]})
    page = open_page(now=NOW)
    expect(page.locator("#backup-notice")).to_contain_text("Try the recovery sheet: it was last tried on 3 May")
    expect(page.locator("#backups")).to_have_class("backups")


def test_state_that_is_not_known(open_page: OpenPage, server: Server) -> None:
    server.script.backups = backups(server.authority, NOW)
    page = open_page(now=NOW)
    expect(page.locator("#backups")).to_have_text("! It is not known whether backups are made")
    expect(page.locator("#backup-notice")).to_contain_text("the desktop has written no state of them")
    server.script.backups = GOOD.model_copy(update={"state": "unknown"})
    page.reload()
    expect(page.locator("#backups")).to_contain_text("Last known backup 02:07")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible_in_every_state(open_page: OpenPage, server: Server, dark: bool, width: int) -> None:
    for problems in ([], [SILENCE, REMINDER]):
        server.script.backups = GOOD.model_copy(update={"problems": problems})
        page = open_page(width, 740, dark=dark, now=NOW)
        expect(page.locator("#backups")).to_contain_text("Saved 02:07")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        check(page)
