# SPDX-License-Identifier: GPL-3.0-or-later
"""While an answer is written, nothing else can be asked: every control that would ask states so, and then works."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage
from .script import Server
from .test_page import ANSWER, ask, check, expect_end
from .test_timeline import NOW, answered

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

BUSY = "An answer is being written. Ask when it has ended, or stop it."
PAUSE = "pause in the middle"


def end_pause(page: Page, server: Server) -> None:
    """Let the answer go on to its end: what was refused does not come after it by itself."""
    notice = page.locator("#busy-notice")
    expect(notice).to_have_text(BUSY)
    server.script.go_on.set()
    expect(page.locator(".answer").last).to_have_text(ANSWER)
    expect_end(page)
    expect(notice).to_be_empty()


def test_an_earlier_question_cannot_be_asked_again_meanwhile(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    ask(page, "away")
    again = page.get_by_role("button", name="Ask again")
    ask(page, PAUSE)
    expect(again).to_have_attribute("aria-disabled", "true")
    check(page)
    again.press("Enter")
    expect(again).to_be_focused()
    again.click(force=True)
    end_pause(page, server)
    assert server.script.asked == ["away", PAUSE]
    expect(again).to_have_attribute("aria-disabled", "false")
    again.click()
    expect(page.get_by_role("alert")).to_have_count(2)
    assert server.script.asked == ["away", PAUSE, "away"]


def test_the_time_of_an_earlier_question_cannot_be_changed_meanwhile(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    turn = answered(page, "What did the manual say last spring?")
    turn.get_by_role("button", name="Choose another day").click()
    ask(page, PAUSE)
    turn.get_by_label("As of").press("Enter")
    turn.get_by_role("button", name="Read it as words").click(force=True)
    end_pause(page, server)
    assert server.script.times == [{}, {}]
    turn.get_by_label("As of").press("Enter")
    expect(page.locator(".turn")).to_have_count(3)
    expect_end(page)
    assert server.script.times[2:] == [{"as_of": "2026-05-31"}]


def test_a_question_that_is_entered_meanwhile_stays_in_the_box(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    ask(page, PAUSE)
    box = page.get_by_label("Your question")
    box.press("Enter")
    expect(page.locator("#busy-notice")).to_be_empty()
    box.fill("nothing else")
    box.press("Enter")
    end_pause(page, server)
    expect(box).to_have_value("nothing else")
    box.press("Enter")
    expect(page.locator(".answer").last).to_have_text("Nothing in the documents answers this question.")
    assert server.script.asked == [PAUSE, "nothing else"]
