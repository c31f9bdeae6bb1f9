# SPDX-License-Identifier: GPL-3.0-or-later
"""The second click of a double click, and clicks before the page is ready."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from .conftest import OpenPage
from .held import wait_on
from .script import Server
from .test_page import asked
from .test_timeline import NOW, open_document

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def middle(target: Locator) -> tuple[float, float]:
    box = target.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def second_click(page: Page, target: Locator) -> None:
    """Click as the second time of a double click, the first of which was on something else in this place."""
    target.scroll_into_view_if_needed()
    page.mouse.move(*middle(target))
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)


def test_a_double_click_opens_a_sheet(open_page: OpenPage) -> None:
    page = asked(open_page())
    page.mouse.dblclick(*middle(page.locator(".evidence").get_by_role("button")))
    expect(page.locator("#passage mark")).to_be_visible()
    page.mouse.click(10, 300)
    expect(page.locator("#passage")).to_be_hidden()


def test_a_double_click_on_ask_does_not_stop_the_answer(open_page: OpenPage, server: Server) -> None:
    page = asked(open_page())  # the box moves with the first question alone
    page.get_by_label("Your question").fill("pause in the middle")
    page.mouse.dblclick(*middle(page.locator("#send")))
    expect(page.locator(".answer").last).to_have_text("Clean the filter")
    server.script.go_on.set()
    expect(page.locator(".made").last).to_contain_text("4.2 s")


def test_a_double_click_does_not_forget_a_document(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    sheet = open_document(page)
    sheet.get_by_role("button", name="Forget this document…").click()
    forget = sheet.get_by_role("button", name="Forget it for good")
    second_click(page, forget)
    sheet.get_by_role("button", name="Keep it").click()
    expect(sheet.get_by_role("button", name="Forget this document…")).to_be_focused()
    assert len(server.script.documents) == 3


def test_a_question_is_not_lost_before_the_page_is_ready(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    held: list[Route] = []
    page.route("**/turn.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    wait_on(page, lambda: held, "the page asks for its script")
    box = page.get_by_label("Your question")
    box.fill("nothing yet")
    page.mouse.click(*middle(page.locator("#send")))
    held[0].continue_()
    expect(page.locator("#send")).to_be_enabled()
    expect(box).to_have_value("nothing yet")
    page.locator("#send").click()
    expect(page.locator(".answer")).to_have_text("Nothing in the documents answers this question.")
    assert server.script.asked == ["nothing yet"]
