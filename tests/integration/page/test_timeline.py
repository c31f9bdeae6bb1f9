# SPDX-License-Identifier: GPL-3.0-or-later
"""The past on the page: the day that questions are about, histories, differences, and forgetting."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from tars_app.timeline.schemas import DayOfChanges

from ..servers import wait_for
from .conftest import OpenPage
from .script import NEW_QUOTE, QUOTE, Server, make_id
from .test_page import ask, check

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
QUESTION = "How often must the filter be cleaned?"


def past(page: Page, day: str = "2026-05-03") -> Page:
    """Choose a day."""
    page.get_by_role("button", name="Answers as of today").click()
    page.get_by_label("Answer as of").fill(day)
    return page


def answered(page: Page, question: str = QUESTION) -> Locator:
    """Ask; return the turn with the answer."""
    turn = page.locator(".turn").nth(page.locator(".turn").count())
    ask(page, question)
    return ended(turn)


def ended(turn: Locator) -> Locator:
    """Wait for the end of an answer."""
    expect(turn.locator(".made")).to_contain_text("4.2 s")
    expect(turn).not_to_have_attribute("aria-busy", "true")
    return turn


def open_document(page: Page) -> Locator:
    """Open the sheet of the first document."""
    page.get_by_role("button", name="3 documents").click()
    page.get_by_role("button", name="house/heating.pdf").click()
    return page.get_by_role("dialog", name="heating.pdf")


def test_a_day_is_chosen_and_questions_and_documents_are_about_it(open_page: OpenPage, server: Server) -> None:
    page = past(open_page(now=NOW))
    expect(page.locator("#as-of-hint")).to_have_text(
        "Answers come from the documents as they were at the end of this day."
    )
    expect(page.locator("#time")).to_have_text("As of 3 May 2026")
    turn = answered(page)
    assert server.script.times == [{"as_of": "2026-05-03"}]
    expect(turn.locator(".time")).to_have_text("From the documents as they were on 3 May 2026.")
    page.get_by_role("button", name="3 documents").click()
    expect(page.get_by_role("dialog", name="Documents")).to_contain_text("as they were on 3 May 2026")
    wait_for(lambda: server.script.listed_as_of == "2026-05-03", "the list of that day")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to today").click()
    expect(page.locator("#time")).to_have_text("As of today")
    expect(page.locator("#time")).to_be_focused()
    answered(page)
    assert server.script.times[-1] == {}


def test_the_slider_goes_through_the_days_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page(now=NOW)
    page.get_by_role("button", name="Answers as of today").press("Enter")
    slider = page.get_by_role("slider", name="Day")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "29 November 2026")
    slider.press("Home")
    expect(page.get_by_label("Answer as of")).to_have_value("2026-03-14")
    slider.press("End")
    expect(page.locator("#time")).to_have_text("As of today")
    expect(page.locator("#timeline-begin")).to_have_text("14 March 2026")
    expect(page.locator("#timeline rect")).to_have_count(2)


def test_before_the_history_there_is_a_way_to_its_begin(open_page: OpenPage, server: Server) -> None:
    page = past(open_page(now=NOW), "2025-01-01")
    expect(page.locator("#as-of-hint")).to_have_text("There is no history before 14 March 2026.")
    ask(page, QUESTION)
    expect(page.locator(".answer")).to_have_text("There is no history before 14 March 2026.")
    page.get_by_role("button", name="Ask about 14 March 2026").click()
    ended(page.locator(".turn").nth(1))
    assert server.script.times == [{"as_of": "2025-01-01"}, {"as_of": "2026-03-14"}]


def test_without_a_history_there_is_no_timeline(open_page: OpenPage, server: Server) -> None:
    server.script.timeline = []
    page = open_page(now=NOW)
    expect(page.locator("#holdings")).to_contain_text("2 documents")
    expect(page.locator("#time-control")).to_be_hidden()


def test_a_page_that_is_left_open_follows_the_day(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    turn = answered(page, "What did the manual say last spring?")
    turn.get_by_role("button", name="Choose another day").click()
    page.get_by_role("button", name="Answers as of today").click()
    picker = page.locator("#as-of")
    expect(picker).to_have_value("2026-11-30")
    server.script.timeline.append(DayOfChanges(day=date(2026, 12, 1), changes=2))
    page.clock.fast_forward("24:00:00")
    expect(picker).to_have_value("2026-12-01")
    expect(picker).to_have_attribute("max", "2026-12-01")
    expect(page.locator("#timeline rect")).to_have_count(3)
    expect(page.locator("#time")).to_have_text("As of today")
    picker.fill("2026-11-30")
    expect(page.locator("#time")).to_have_text("As of 30 November 2026")
    page.clock.fast_forward("24:00:00")
    expect(picker).to_have_attribute("max", "2026-12-02")
    expect(picker).to_have_value("2026-11-30")
    answered(page)
    turn.get_by_label("As of").fill("2026-12-02")
    turn.get_by_role("button", name="Ask again").click()
    expect(page.locator(".turn")).to_have_count(3)
    ended(page.locator(".turn").nth(2))
    assert server.script.times == [{}, {"as_of": "2026-11-30"}, {"as_of": "2026-12-02"}]


def test_the_timeline_appears_once_it_can_be_read_and_there_is_a_history(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    page.route("**/api/timeline", lambda route: route.abort())
    page.reload()
    expect(page.locator("#holdings")).to_contain_text("2 documents")
    expect(page.locator("#time-control")).to_be_hidden()
    page.unroute_all()
    days, server.script.timeline = server.script.timeline, []
    page.clock.run_for(61_000)
    expect(page.locator("#time-control")).to_be_hidden()
    server.script.timeline = days
    page.clock.run_for(61_000)
    expect(page.locator("#time-control")).to_be_visible()


@pytest.mark.parametrize(("zone", "day"), [("Pacific/Auckland", "2026-12-01"), ("Atlantis/Capital", "2026-11-30")])
def test_today_is_the_day_of_the_household(open_page: OpenPage, server: Server, zone: str, day: str) -> None:
    """Of this device, if the browser does not know the zone."""
    server.script.zone = zone
    page = open_page(now=NOW)
    expect(page.locator("#as-of")).to_have_value(day)
    turn = answered(page, "What did the manual say last spring?")
    turn.get_by_role("button", name="Choose another day").click()
    expect(turn.get_by_label("As of")).to_have_attribute("max", day)


def test_a_time_that_was_read_from_the_question_is_shown_and_corrected(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    question = "What did the manual say last spring?"
    turn = answered(page, question)
    expect(turn.locator(".time")).to_contain_text(
        "“last spring” is read as: the documents as they were at the end of 31 May 2026."
    )
    turn.get_by_role("button", name="Choose another day").click()
    day = turn.get_by_label("As of")
    expect(day).to_be_focused()
    expect(day).to_have_value("2026-05-31")
    day.fill("2026-04-01")
    turn.get_by_role("button", name="Ask again").click()
    expect(page.locator(".turn")).to_have_count(2)
    expect(ended(page.locator(".turn").nth(1)).locator(".time")).to_have_text(
        "From the documents as they were on 1 April 2026."
    )
    page.get_by_role("button", name="Read it as words").click()
    ended(page.locator(".turn").nth(2))
    assert server.script.asked == [question] * 3
    assert server.script.times == [{}, {"as_of": "2026-04-01"}, {"interpret": False}]


def test_a_citation_that_has_changed_links_its_successor(open_page: OpenPage) -> None:
    page = past(open_page(now=NOW))
    turn = answered(page)
    line = turn.locator(".evidence .superseded")
    expect(line).to_contain_text("This has changed since 2 September 2026.")
    line.get_by_role("button", name="Show what took its place").click()
    sheet = page.get_by_role("dialog", name="heating.pdf")
    expect(sheet.locator(".page-text")).to_contain_text(NEW_QUOTE)
    expect(sheet.locator(".where")).to_contain_text("2 Sept 2026")
    expect(sheet.locator(".superseded")).to_have_count(0)
    sheet.get_by_role("button", name="History of this document").click()
    expect(page.get_by_role("dialog", name="heating.pdf").locator(".versions li")).to_have_count(2)


def test_an_answer_of_the_past_shows_what_changed_about_it_since(open_page: OpenPage) -> None:
    turn = answered(past(open_page(now=NOW)))
    turn.get_by_role("button", name="What changed about this since then").click()
    changed = turn.locator(".changed")
    expect(changed.get_by_role("heading")).to_have_text("LLM_docs/house/heating.pdf")
    expect(changed.locator("del")).to_have_text(QUOTE)
    expect(changed.locator("ins")).to_have_text(NEW_QUOTE)
    expect(changed).to_contain_text("Unchanged: LLM_docs/house/inspection-2026.md.")


def test_a_difference_is_legible_without_colour(open_page: OpenPage) -> None:
    page = open_page(now=NOW)
    sheet = open_document(page)
    expect(sheet.locator(".versions li").first).to_contain_text("2 September 2026 at 10:00 until now")
    expect(sheet.locator(".versions li").last).to_contain_text("dated 2026-03 (text)")
    expect(sheet).to_contain_text("2 versions, the latest first. The history before 14 March 2026 is no longer kept.")
    sheet.get_by_role("button", name="What changed").click()
    change = sheet.locator(".change")
    expect(change).to_have_text(f"\N{MINUS SIGN} Removed page 3{QUOTE}+ Added page 3{NEW_QUOTE}")
    assert change.locator("del").evaluate("e => getComputedStyle(e).textDecorationLine") == "line-through"
    sides = [change.locator(tag).evaluate("e => getComputedStyle(e).borderLeftStyle") for tag in ("del", "ins")]
    assert sides == ["dashed", "solid"]
    change.get_by_role("button", name="page 3").last.click()
    expect(page.locator("#passage mark")).to_have_text(NEW_QUOTE)


def test_a_document_is_forgotten_after_a_preview(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    answered(page)
    sheet = open_document(page)
    sheet.get_by_role("button", name="Forget this document…").click()
    expect(sheet.locator(".forget")).to_contain_text("Forget LLM_docs/house/heating.pdf?")
    expect(sheet.locator(".points")).to_contain_text("2 versions with 31 passages, and every name that it had")
    expect(sheet.locator(".points")).to_contain_text("The same passages are in: Letters/copies/heating (1).pdf.")
    sheet.get_by_role("button", name="Keep it").click()
    expect(sheet.get_by_role("button", name="Forget this document…")).to_be_focused()
    assert len(server.script.documents) == 3
    sheet.get_by_role("button", name="Forget this document…").click()
    sheet.get_by_role("button", name="Forget it for good").click()
    expect(sheet.locator(".message")).to_contain_text("The document is forgotten.")
    sheet.get_by_role("button", name="Read its file again").click()
    expect(sheet.locator(".choices")).to_have_text(
        "Its file is read again within minutes, as a new document without its past."
    )
    assert server.script.taken_back == [make_id(9)]
    page.keyboard.press("Escape")
    expect(page.get_by_role("list", name="Files", exact=True).get_by_role("listitem")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator(".turn")).to_contain_text("This answer was removed")
    assert QUOTE not in (page.locator("#thread").text_content() or "")


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, False)])
def test_the_past_is_accessible_and_fits(open_page: OpenPage, width: int, dark: bool) -> None:
    """WCAG 2.2 A and AA as axe-core checks them, and no part is wider than the page."""
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    page = past(open_page(width, dark=dark, now=NOW))
    answered(page)
    assert page.evaluate(overflow) == 0
    check(page)
    page.get_by_role("button", name="Back to today").click()
    answered(page, "What did the manual say last spring?").get_by_role("button", name="Choose another day").click()
    check(page)
    sheet = open_document(page)
    sheet.get_by_role("button", name="What changed").click()
    expect(sheet.locator("ins")).to_be_visible()
    sheet.get_by_role("button", name="Forget this document…").click()
    expect(sheet.get_by_role("button", name="Forget it for good")).to_be_visible()
    assert page.evaluate(overflow) == 0
    check(page)
