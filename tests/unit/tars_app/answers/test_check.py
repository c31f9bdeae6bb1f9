# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer is checked sentence by sentence while it arrives, and each sentence is given quotes with its figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.answers.check import AnswerCheck, quotes_of, sentences_of
from tars_app.answers.grounding import Evidence
from tars_app.answers.quotes import LONGEST_QUOTE, Place, Quotable
from tars_app.answers.schemas import Support
from tars_app.answers.sources import Source, read_source

HEATING = (
    "The boiler was installed in October 2019 by Brandt Heating.\n\n"
    "The gauge should show between 1.2 and 1.8 bar while the system is cold.\n\n"
    "## Service\n\nBrandt Heating services the boiler every September. The contract number is BH-20417."
)
INVOICES = [
    ("one.txt", "Rechnung RE-2024-00815\nKunde Jane Doe\nDatum 03.05.2024\nGesamtbetrag: 1.284,20 EUR"),
    ("two.txt", "Rechnung RE-2024-00816\nKunde John Roe\nGesamtbetrag: 99,00 EUR"),
]
PHONES = [("phones.txt", "Plumber Weber: 0761 555 0199\nElectrician Huber: 0761 555 0142")]


def checked(question: str, answer: str, passages: list[tuple[str, str]] | None = None) -> AnswerCheck:
    check = AnswerCheck(Evidence(question, passages or [("heating.md", HEATING)]))
    for character in answer:
        check.add(character)
    check.finish()
    return check


def marks(check: AnswerCheck) -> list[list[tuple[str, str]]]:
    return [[(part.text, part.reason) for part in sentence.event().unsupported] for sentence in check.checked]


def test_the_header_of_a_passage_supports_an_answer_and_is_not_quoted() -> None:
    mail = [("mail.eml\nSubject: Invoice RE-2024-118 of Brandt Heating", "Please pay 80 EUR by Friday.")]
    check = checked("What does invoice RE-2024-118 cost?", "Invoice RE-2024-118 of Brandt Heating costs 80 EUR.", mail)
    assert marks(check) == [[]]
    quotes = quotes_of("What does it cost?", check, Quotable(check.evidence.sources, [1.0]))
    assert [quote.text for quote, _ in quotes] == ["Please pay 80 EUR by Friday."]


def test_an_invented_date_is_marked_at_its_place() -> None:
    answer = "The boiler was last serviced in September 2022. It shows 1.2 to 1.8 bar [1]."
    check = checked("When was the boiler last serviced?", answer)
    first, second = [sentence.event() for sentence in check.checked]
    [part] = first.unsupported
    assert answer[part.start : part.end] == part.text == "September 2022" and part.kind == "date"
    assert answer[second.start : second.end] == "It shows 1.2 to 1.8 bar [1]." and second.unsupported == []
    assert check.support == "unsupported"


def test_an_amount_with_a_currency_that_no_passage_names_is_marked() -> None:
    passages = [("insurance.txt", "Excess: 150 for each claim.\nThe policy renews every year on 1 March.")]
    check = checked("What did the insurance cost last year?", "The insurance cost £150 last year.", passages)
    assert marks(check) == [[("£150", "absent")]] and check.support == "unsupported"


@pytest.mark.parametrize(
    ("question", "answer", "support"),
    [
        ("Who services the boiler?", "Brandt Heating services the boiler every September.", "supported"),
        ("Who services the boiler?", "Brandt Heating services it, for 120 EUR.", "partly_supported"),
        ("Who services the boiler?", "Miller services the boiler.", "unsupported"),
        ("Who services the boiler?", "It is Kowalski.", "unsupported"),
        ("Who services the boiler?", "The documents do not say.", "supported"),
        ("Was the boiler serviced in 2022?", "No document mentions a service in 2022.", "supported"),
        ("Wer wartet den Kessel?", "Der Kessel wird von Brandt Heating gewartet.", "supported"),
        ("Wer wartet den Kessel?", "Der Kessel wird von Kowalski gewartet.", "unsupported"),
        ("How old is the boiler?", "From 2019 to 2024 are 5 years.", "unsupported"),
    ],
)
def test_support_of_an_answer(question: str, answer: str, support: Support) -> None:
    assert checked(question, answer).support == support


def test_the_amount_of_another_invoice_is_not_taken() -> None:
    question = "Wie hoch ist der Betrag der Rechnung RE-2024-00815?"
    wrong = checked(question, "Der Betrag der Rechnung RE-2024-00815 ist 99,00 EUR.", INVOICES)
    assert marks(wrong) == [[("99,00 EUR", "other")]] and wrong.support == "unsupported"
    right = checked(question, "Der Betrag der Rechnung RE-2024-00815 ist 1284,20 €.", INVOICES)
    assert marks(right) == [[]]


def test_the_rows_of_one_list_belong_to_their_own_identifiers() -> None:
    passages = [("list.txt", "RE-1001: 20,00 EUR\nRE-1002: 30,00 EUR\nRE-1003: 40,00 EUR")]
    question = "What is the amount of invoice RE-1002?"
    assert marks(checked(question, "It is 30,00 EUR.", passages)) == [[]]
    assert marks(checked(question, "It is 40,00 EUR.", passages)) == [[("40,00 EUR", "other")]]


def test_the_number_of_another_person_is_not_taken() -> None:
    question = "What is the telephone number of Weber?"
    assert marks(checked(question, "Weber has 0761 555 0199.", PHONES)) == [[]]
    assert marks(checked(question, "Weber has 0761 555 0142.", PHONES)) == [[("0761 555 0142", "other")]]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("Rent and heating are 900 + 150 = 1,050 EUR.", []),
        ("Rent and heating are 900 EUR + 150 EUR = 1,100 EUR.", [("1,100 EUR", "calculation")]),
        ("Rent is 900 EUR and heating 150 EUR, in total 1,050 EUR.", []),
        ("Rent is 900 EUR and heating 150 EUR, in total 1,060 EUR.", [("1,060 EUR", "absent")]),
        ("Rent is 900 EUR, a difference of 750 EUR to heating at 150 EUR.", []),
        ("Rent is 900 EUR. Heating is 150 EUR. Together they are 1,050 EUR.", []),
        ("Rent is 900 EUR and heating 150 EUR, and the deposit 1,050 EUR.", [("1,050 EUR", "absent")]),
    ],
)
def test_calculations_are_done_again(answer: str, wrong: list[tuple[str, str]]) -> None:
    passages = [("lease.txt", "The rent is 900 EUR a month. Heating is 150 EUR a month.")]
    assert [
        part for sentence in marks(checked("How much are rent and heating?", answer, passages)) for part in sentence
    ] == wrong


def test_each_sentence_is_quoted_with_its_figures() -> None:
    question = "How is the boiler looked after?"
    answer = "The pressure is 1.2 to 1.8 bar. The contract number is BH-20417."
    check = checked(question, answer)
    quotes = quotes_of(question, check, Quotable(check.evidence.sources, [1]))
    assert [(quote.text, numbers) for quote, numbers in quotes] == [
        ("The gauge should show between 1.2 and 1.8 bar while the system is cold.", [1]),
        ("The contract number is BH-20417.", [2]),
    ]


def test_the_quote_of_an_amount_is_not_the_heading_without_it() -> None:
    question = "What is the amount of invoice RE-2024-00815?"
    check = checked(question, "The amount of invoice RE-2024-00815 is 1,284.20 EUR.", INVOICES)
    [(quote, numbers)] = quotes_of(question, check, Quotable(check.evidence.sources, [1, 1]))
    assert quote.source == 1 and "RE-2024-00815" in quote.text and "1.284,20 EUR" in quote.text and numbers == [1]


def test_the_quote_of_a_long_row_keeps_the_figure() -> None:
    row = "gas bill of the house " + "; ".join(f"meter reading number {i} of the house" for i in range(12))
    passages = [("row.txt", f"{row}; balance 84,20 EUR paid")]
    check = checked("What is the gas bill of the house?", "The gas bill of the house is 84,20 EUR.", passages)
    [(quote, _)] = quotes_of("What is the gas bill of the house?", check, Quotable(check.evidence.sources, [1]))
    assert "84,20 EUR" in quote.text and len(quote.text) <= LONGEST_QUOTE


def test_an_unsupported_sentence_is_given_what_fits_the_question() -> None:
    question = "When was the boiler last serviced?"
    check = checked(question, "The boiler was last serviced in September 2022.")
    [(quote, _), *_] = quotes_of(question, check, Quotable(check.evidence.sources, [1]))
    assert "services the boiler every September" in quote.text


def test_every_one_of_fifteen_invoices_is_quoted_with_its_amount() -> None:
    """Number and amount stand on separate short lines, as on a form."""
    numbers = {f"RE-2024-{1000 + i}": f"{100 + 13 * i}.{10 + i} EUR" for i in range(15)}
    passages = [
        (f"{number}.txt", f"Invoice\n{number}\nTotal\n{amount}\nThank you") for number, amount in numbers.items()
    ]
    for number, amount in numbers.items():
        question = f"What is the total of invoice {number}?"
        for answer in (
            f"The total is {amount}.",
            f"The total of invoice {number} is {amount}.",
            "The total is 1.23 EUR.",
        ):
            check = checked(question, answer, passages)
            quotes = quotes_of(question, check, Quotable(check.evidence.sources, [1] * len(passages)))
            assert amount in quotes[0][0].text and number in quotes[0][0].text + answer, (answer, quotes)


@given(st.text(st.sampled_from('ab12 .!?\n[]"-*#:BÄ'), max_size=200), st.integers(1, 9))
def test_sentences_in_the_stream_are_those_of_the_whole_answer(answer: str, step: int) -> None:
    check = AnswerCheck(Evidence("Why?", [("heating.md", HEATING)]))
    sent = [s for i in range(0, len(answer), step) for s in check.add(answer[i : i + step])]
    sent += check.finish()
    assert check.text == answer.strip()
    assert [(s.start, s.end) for s in sent] == sentences_of(answer.strip())
    assert [s.number for s in sent] == list(range(1, len(sent) + 1)) and sent == check.checked


@given(st.text(st.sampled_from("ab1 .\nX"), min_size=1, max_size=900), st.data())
def test_quotes_hold_every_place_that_fits(text: str, data: st.DataObject) -> None:
    words = [i for i, character in enumerate(text) if not character.isspace()]
    if not words:
        return
    needed = [
        [Place(1, start, start + 1)] for start in data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=3))
    ]
    quotes = Quotable([Source(1, "", text)], [1.0]).find("a", "b", needed)
    assert all(quote.text == text[quote.start : quote.start + len(quote.text)] for quote in quotes)
    assert all(0 < len(quote.text) <= LONGEST_QUOTE for quote in quotes)
    held = [place for [place] in needed if any(0 <= place.start - q.start < len(q.text) for q in quotes)]
    alphanumeric = [place for [place] in needed if text[place.start].isalnum()]
    assert all(place in held for place in alphanumeric)


def test_what_was_read_of_a_forgotten_document_is_not_kept() -> None:
    text = "The canary sings at noon, 4711 times."
    assert read_source(1, "canary.txt", text, 7).figures is read_source(2, "canary.txt", text, 7).figures
    before = read_source(1, "canary.txt", text, 7).figures
    assert read_source(1, "other.txt", "Nothing.", 8).figures == []
    assert read_source(1, "canary.txt", text, 8).figures is not before
