# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees and does: asking, reading, checking a citation, and each way it can end."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tars_app.answers.check import NOTES
from tars_app.documents.schemas import Source

from ..servers import wait_for
from .conftest import OpenPage
from .script import AFTER, BEFORE, LONG, QUOTE, TEXT, Server

pytestmark = pytest.mark.integration

ANSWER = "Clean the filter every six months 1. It was new at the last inspection 2 <b>&amp;</b> [9]."


def ask(page: Page, question: str) -> None:
    """Ask, once the answer before has ended and no sheet is open: until then the page takes no other question."""
    expect_end(page)
    expect(page.locator("dialog[open]")).to_have_count(0)
    turns = page.locator(".turn").count()
    box = page.get_by_label("Your question")
    box.fill(question)
    box.press("Enter")
    expect(page.locator(".turn")).to_have_count(turns + 1)


def expect_end(page: Page) -> None:
    """Wait for the end of all answers. What is drawn of one before may be drawn again."""
    expect(page.locator(".turn[aria-busy]")).to_have_count(0)


def asked(page: Page) -> Page:
    ask(page, "How often must the filter be cleaned?")
    expect(page.locator(".made")).to_have_text("smollm2:135m · 3 passages · 4.2 s")
    expect_end(page)
    return page


def test_empty_page_lists_the_documents(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.get_by_role("heading", name="Ask your documents.")).to_be_visible()
    expect(page.locator("#holdings")).to_contain_text("2 documents from LLM_docs are ready (1 not readable).")
    expect(page.get_by_label("Your question")).to_be_focused()
    page.get_by_role("button", name="3 documents").click()
    sheet = page.get_by_role("dialog", name="Documents")
    expect(sheet.get_by_role("list", name="Files", exact=True).get_by_role("listitem")).to_have_count(3)
    expect(sheet).to_contain_text("house/heating.pdfLLM_docs · 14 Mar 2026 · 12 pages")
    expect(sheet).to_contain_text("The PDF has no text, only pictures.")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_nothing_on_the_shares(open_page: OpenPage, server: Server) -> None:
    server.script.documents = []
    page = open_page()
    expect(page.locator("#holdings")).to_contain_text("There are no documents in LLM_docs yet.")
    server.script.sources = []
    page.reload()
    expect(page.locator("#holdings")).to_contain_text("No share with documents is connected yet.")


def test_answer_appears_as_it_is_written(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    ask(page, "pause in the middle")
    answer = page.locator(".answer")
    expect(answer).to_have_text("Clean the filter")
    expect(page.locator(".turn")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".progress")).to_contain_text("Writing")
    server.script.go_on.set()
    expect(answer).to_have_text(ANSWER)
    expect(answer.locator("strong")).to_have_text("every six months")
    expect(page.locator(".progress")).to_have_count(0)
    expect(page.locator(".turn")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("status").filter(has_text="1 citation.")).to_contain_text("Clean the filter")


def test_what_was_not_read_of_a_document_stands_beside_its_passage(open_page: OpenPage) -> None:
    page = asked(open_page())
    page.locator(".others summary").click()
    expect(page.locator(".unread")).to_have_text("4 of 15 pages have no text: 2-5.")


def test_citation_opens_the_passage_with_its_quote_marked(open_page: OpenPage) -> None:
    page = asked(open_page())
    citation = page.locator(".evidence").get_by_role("button")
    expect(citation).to_have_count(1)
    expect(citation).to_contain_text(re.compile("1.*heating.pdf.*page 3 · 14 Mar 2026 · LLM_docs/house", re.DOTALL))
    expect(citation).to_contain_text(QUOTE)
    citation.click()
    sheet = page.get_by_role("dialog", name="heating.pdf")
    expect(sheet.locator("mark")).to_have_text(QUOTE)
    expect(sheet.locator("mark")).to_be_in_viewport()
    assert sheet.locator(".page-text").text_content() == BEFORE + TEXT + AFTER
    expect(sheet.locator(".around")).to_have_count(2)
    expect(sheet.locator(".hint")).to_have_text("The same passage is in Letters/copies/heating (1).pdf.")
    sheet.get_by_role("button", name="Close the passage").click()
    expect(sheet).to_be_hidden()
    expect(citation).to_be_focused()


def test_marker_in_the_answer_opens_its_passage(open_page: OpenPage) -> None:
    page = asked(open_page())
    page.get_by_role("button", name="Passage 1, heating.pdf").click()
    expect(page.get_by_role("dialog").locator("mark")).to_have_text(QUOTE)


def test_invented_parts_are_marked_with_words(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "invented")
    expect(page.locator(".made")).to_contain_text("4.2 s")
    answer = page.locator(".answer")
    expect(answer.locator(".unsupported")).to_have_text(["September 2022", "Kowalski", "50 EUR"])
    expect(answer.locator("strong .unsupported")).to_have_attribute(
        "title", "“September 2022” is in none of the passages that were read."
    )
    expect(answer.locator("li")).to_have_text(
        [
            "The filter was last cleaned in September 2022 by Kowalski. not in the documents",
            "The pressure must stay between 1.5 and 2.0 bar. 1",
            "Two filters cost 20 + 20 = 50 EUR. does not add up",
        ]
    )
    expect(page.locator(".note")).to_have_text(NOTES["partly_supported"])
    expect_end(page)
    doubtful = "".join(answer.locator(".doubtful").all_text_contents())
    assert "last cleaned in" in doubtful and "pressure" not in doubtful and "six months" not in doubtful
    assert not re.search(r"[\ue000-\ue004]", answer.text_content() or "")


def test_each_sentence_opens_its_own_quote(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "invented")
    markers = page.locator(".answer").get_by_role("button")
    expect(markers).to_have_text(["1", "1"])
    for marker, quote in ((0, QUOTE), (1, "The brine pressure must stay between 1.5 and 2.0 bar.")):
        markers.nth(marker).click()
        expect(page.locator("#passage mark")).to_have_text(quote)
        page.keyboard.press("Escape")


def test_documents_that_do_not_say_offer_the_nearest(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "silent")
    expect(page.locator(".answer")).to_contain_text("The documents do not say")
    expect(page.get_by_role("heading", name="Nearest in the documents")).to_be_visible()
    expect(page.locator(".evidence").get_by_role("button")).to_contain_text(QUOTE)
    expect(page.locator(".note")).to_be_hidden()


def test_passages_that_are_not_cited_can_be_opened_and_may_be_gone(open_page: OpenPage) -> None:
    page = asked(open_page())
    page.get_by_text("2 more passages were read").click()
    page.locator(".others").get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("The passage is no longer there: its document was changed.")


def test_nothing_found(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "nothing of the kind")
    expect(page.locator(".answer")).to_have_text("Nothing in the documents answers this question.")
    expect(page.locator(".evidence")).to_be_hidden()
    page.get_by_role("button", name="Show the documents").click()
    expect(page.get_by_role("dialog", name="Documents")).to_be_visible()


@pytest.mark.parametrize(
    ("question", "message", "next_step", "kept"),
    [
        ("away", "The model does not answer.", "Check the model server on the desktop.", "The filter"),
        ("broken", "The answer broke off before its end.", "Ask again.", "The filter"),
        ("down", "The index does not answer.", "Wait a minute.", ""),
    ],
)
def test_failures_are_shown_with_a_next_step(
    open_page: OpenPage, server: Server, question: str, message: str, next_step: str, kept: str
) -> None:
    page = open_page()
    ask(page, question)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(message)
    expect(alert).to_contain_text(next_step)
    expect(page.locator(".answer")).to_have_text(kept)
    alert.get_by_role("button", name="Ask again").click()
    expect(page.get_by_role("alert")).to_have_count(2)
    assert server.script.asked == [question, question]


def test_service_gone(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    expect(page.locator("#holdings")).to_contain_text("2 documents")
    server.stop()
    ask(page, "anybody there?")
    expect(page.get_by_role("alert")).to_contain_text("T.A.R.S. cannot be reached.")
    expect(page.locator("#notice")).to_contain_text("Check that the desktop is on")


def test_share_unavailable_and_back(open_page: OpenPage, server: Server) -> None:
    server.script.sources = [Source(name="LLM_docs", available=False, detail="not mounted")]
    page = open_page()
    notice = page.locator("#notice")
    expect(notice).to_contain_text("LLM_docs is unavailable: not mounted.")
    expect(notice).to_contain_text("Check that the NAS is on")
    server.script.sources = [Source(name="LLM_docs", available=True, detail=None)]
    asked(page)
    expect(notice).to_be_empty()


def test_problems_with_single_files_are_shown(open_page: OpenPage, server: Server) -> None:
    server.script.sources = [Source(name="LLM_docs", available=True, detail="cannot read a/b.txt (Input/output error)")]
    note = "The file is dated 2300-01-01, which cannot be; 2026-05-04 is used instead."
    server.script.documents[0] = server.script.documents[0].model_copy(update={"note": note})
    page = open_page()
    expect(page.locator("#notice")).to_contain_text("LLM_docs: cannot read a/b.txt (Input/output error).")
    expect(page.locator("#notice")).to_contain_text("Everything else in it is read.")
    page.get_by_role("button", name="3 documents").click()
    expect(page.get_by_role("dialog", name="Documents")).to_contain_text(note)


@pytest.mark.parametrize("key", ["Escape", "button"])
def test_stopping_keeps_what_is_there(open_page: OpenPage, server: Server, key: str) -> None:
    page = open_page()
    ask(page, "an endless story")
    expect(page.locator(".answer")).to_contain_text("more and more")
    if key == "Escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Stop").click()
    expect(page.locator(".made")).to_have_text("Stopped.")
    expect(page.locator(".answer")).to_contain_text("more and more")
    expect(page.get_by_label("Your question")).to_be_focused()
    asked_before = page.locator(".turn").count()
    ask(page, "nothing")
    expect(page.locator(".turn")).to_have_count(asked_before + 1)
    wait_for(lambda: server.script.left == 1, "the end of the answer that nobody reads on")


def test_questions_of_this_session_stay(open_page: OpenPage) -> None:
    page = asked(open_page())
    ask(page, "nothing more")
    expect(page.locator(".turn")).to_have_count(2)
    links = page.get_by_role("navigation", name="This session").get_by_role("link")
    expect(links).to_have_text(["How often must the filter be cleaned?", "nothing more"])
    links.first.click()
    expect(page.get_by_role("heading", name="How often must the filter be cleaned?")).to_be_in_viewport()


def test_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type("How often must the filter")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("be cleaned?")
    expect(page.locator(".turn")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator(".made")).to_contain_text("4.2 s")
    expect_end(page)
    reached = []
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
        reached.append(page.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert reached[:4] == ["SUMMARY", "citation", "marker", "marker"]
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="heating.pdf")
    expect(sheet.locator("mark")).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
        assert page.evaluate("!document.activeElement.closest('.page, .top')"), "the focus left the open passage"
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.locator(".evidence .citation")).to_be_focused()


def test_last_question_comes_back_with_the_arrow(open_page: OpenPage) -> None:
    page = asked(open_page())
    page.get_by_label("Your question").focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Your question")).to_have_value("How often must the filter be cleaned?")


def test_nothing_from_a_document_becomes_markup(open_page: OpenPage, server: Server) -> None:
    server.script.documents[0] = server.script.documents[0].model_copy(update={"path": "<img src=x>.pdf"})
    page = asked(open_page())
    page.locator(".evidence").get_by_role("button").click()
    expect(page.locator("#passage mark")).to_be_visible()
    assert page.locator("main b, main img, dialog script, dialog img").count() == 0


@pytest.mark.parametrize(("width", "height"), [(360, 640), (768, 1024), (1920, 1080)])
def test_fits_every_width(open_page: OpenPage, width: int, height: int) -> None:
    page = open_page(width, height)
    expect(page.locator("#holdings")).to_contain_text("2 documents")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    asked(page)
    page.get_by_text("2 more passages were read").click()
    expect(page.locator(".others")).to_contain_text(LONG.rsplit("/", 1)[-1])
    assert page.evaluate(overflow) == 0
    expect(page.get_by_label("Your question")).to_be_in_viewport(ratio=1)
    page.locator(".evidence").get_by_role("button").click()
    expect(page.locator("#passage mark")).to_be_in_viewport()
    assert page.evaluate(overflow) == 0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible(open_page: OpenPage, server: Server, dark: bool, width: int) -> None:
    """WCAG 2.2 A and AA as axe-core checks them, contrast included, in every state of the page."""
    server.script.sources = [Source(name="LLM_docs", available=False, detail="not mounted")]
    page = open_page(width, dark=dark)
    expect(page.locator("#notice")).not_to_be_empty()
    check(page)
    asked(page)
    page.get_by_text("2 more passages were read").click()
    ask(page, "away")
    expect(page.get_by_role("alert")).to_be_visible()
    ask(page, "invented")
    expect(page.locator(".note").last).to_be_visible()
    ask(page, "nothing")
    expect(page.get_by_role("button", name="Show the documents")).to_be_visible()
    check(page)
    page.locator(".evidence").first.get_by_role("button").click()
    expect(page.locator("#passage mark")).to_be_visible()
    check(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show the documents").click()
    expect(page.locator("#library-files li")).to_have_count(3)
    check(page)


def check(page: Page) -> None:
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    assert results.violations_count == 0, results.generate_report()
