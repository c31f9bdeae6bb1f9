# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of thing a question asks for, and whether passages contain any: a date, an amount, a name, a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tars_app.answers.figures import Figure
from tars_app.answers.names import names
from tars_app.answers.sources import Source
from tars_app.kit.language import COMMON_WORDS, fold
from tars_app.kit.sentences import Span

Asked = Literal["date", "money", "quantity", "person", "telephone", "secret", "code"]


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])", re.IGNORECASE)


_COST = _any_of(
    "cost(?:s|ed)?", "prices?", "priced", "totals?", "amounts?", "fees?", "premiums?", "rents?", "deposits?",
    "pay(?:s|able|ment|ments)?", "paid", "charges?", "charged", "invoices?", "bills?", "sums?", "balance", "owed?",
    "owes", "salary", "expensive", "spen[dt]", "due", "beträge?", "betrags?", "summe", "preise?", "kosten",
    "kostete?n?", "kostet",
    r"gesamt\w*", r"\w*miete", "kaution", r"\w*prämie", r"\w*beitr[aä]g\w*", "gebühr(?:en)?", r"be?zahl\w*", "zahlen",
    "rechnung(?:en)?", r"\w*betrag", r"\w*kosten", "teuer", "gehalt",
)  # fmt: skip
# Of these, a question for what something is asks for money; "the amount of salt" and "the charge lamp" do not.
_PRICE = _any_of(
    "cost(?:s|ed)?", "prices?", "fees?", "premiums?", "rents?", "deposits?", "pays?", "paid", "payments?", "salary",
    "balance", "owed?", "owes", "total(?= (?:price|cost|amount))",
    r"(?:total|amount|sum)(?= (?:of|on|for) (?:the |my |our )?(?:\w+ )?(?:invoice|bill|claim|loan|order))",
    "preise?", "kosten", "kostete?n?", "kostet", r"gesamt(?:betrag|kosten|preis|summe)",
    r"\w*miete", "kaution", r"\w*prämie", r"\w*beitrag", "gebühr(?:en)?", r"\w*betrag", "gehalt",
)  # fmt: skip
_LABELS = _any_of(
    "pin", "puk", "iban", "bic", "password", "passwort", "kennwort", "passphrase", "passcode", "vin", "wlan-schlüssel"
)
_TELEPHONE = _any_of(
    "phone",
    "telephone",
    "mobile",
    "cell",
    "tel",
    r"telefon\w*",
    "handynummer",
    "rufnummer",
    "durchwahl",
    r"fax\w*",
    "hotline",
)
_NUMBER = _any_of(
    "numbers?(?! of)", r"no\.?", "code", "id", r"\w*nummer", "nr", "kennzeichen", "aktenzeichen", "serial"
)
_WHICH = _any_of("what", "what's", "which", "welche[rnsm]?", "wie lautet", "was ist", "wie ist")
_PERIOD = "(?:date|day|year|month|datum|tag|jahr|monat)"
_WHEN = _any_of("when", "(?:since|until) when", "wann", "(?:seit|bis) wann")
_WHICH_PERIOD = _any_of(rf"(?:what|which|welche[rnsm]?) {_PERIOD}", "what (?:is|was) the (?:due )?date")
# "Call the service when the code returns" answers when, too.
_CONDITION = _any_of(
    "when", "whenever", "if", "once", "as soon as", "after", "before", "until", "daily", "weekly", "monthly", "yearly",
    "always", "wenn", "falls", "sobald", "nachdem", "bevor", "nach", "vor", "bis", "täglich", "wöchentlich",
    "monatlich", "jährlich", "immer",
)  # fmt: skip
_PAST = _any_of(
    "was", "were", "did", "had", "last", "wurde", "wurden", "war", "waren", "hat", "haben", "zuletzt", "letzte[nsrm]?"
)
_MANY = _any_of(
    "how many", "how much", "wie ?viele?", "how (?:tall|heavy|wide|deep|high|far|large)",
    "wie (?:hoch|schwer|breit|tief|weit|groß)",
)  # fmt: skip
_WHO = _any_of(
    "who", "whom", "who's", "wer", "wem", "wen", "which (?:company|person|firm|doctor|plumber)",
    "welche (?:firma|person)", "welcher (?:arzt|handwerker)",
)  # fmt: skip
_WHAT_COSTS = re.compile(r"was kost|wie (?:hoch|teuer)", re.IGNORECASE)
_AGENT = _any_of("by (?:the|an?)", "von (?:der|dem|einer|einem)", "durch (?:den|die|das|einen|eine)")
_SHORT = 6
"""Words of a question without a question word: "PIN of the bank card"."""


@dataclass(frozen=True)
class Question:
    """A question, and what it asks for; None for anything else. `past` asks when something happened."""

    text: str
    asked: Asked | None
    past: bool


def read_question(text: str) -> Question:
    """Return what a question asks for, in English or German."""
    return Question(text, _asked(text), bool(_PAST.search(text)))


def _asked(text: str) -> Asked | None:
    text = text.strip()
    many, which = bool(_MANY.search(text)), bool(_WHICH.search(text))
    rules: tuple[tuple[bool, Asked], ...] = (
        (bool(_WHEN.match(text) or _WHICH_PERIOD.search(text)), "date"),
        (bool(_WHO.match(text)), "person"),
        (bool(_LABELS.search(text)) and (which or len(text.split()) < _SHORT), "secret"),
        (bool(_TELEPHONE.search(text)) and (which or bool(_NUMBER.search(text))), "telephone"),
        (bool(_COST.search(text)) and (many or bool(_WHAT_COSTS.match(text))), "money"),
        (bool(_PRICE.search(text)) and which and not _NUMBER.search(text), "money"),
        (many, "quantity"),
        (bool(_NUMBER.search(text)) and which, "code"),
    )
    return next((asked for holds, asked in rules if holds), None)


def answers_kind(question: Question, sentence: str, entries: Sequence[Figure]) -> bool:
    """Return whether a sentence with these figures contains what the question asks for."""
    kinds = {figure.kind for figure in entries if not figure.weak}
    match question.asked:
        case "date":
            return "time" in kinds or any(_dated(question, figure) for figure in entries)
        case "money":
            return any(_amount(sentence, figure) for figure in entries)
        case "quantity":
            return bool(entries)
        case "person":
            return "name" in kinds
        case "telephone":
            return "telephone" in kinds or (
                bool(_TELEPHONE.search(sentence))
                and any(figure.kind == "number" and _long(figure) for figure in entries)
            )
        case "code":
            return bool(kinds & {"code", "telephone", "number"}) or any(_long(figure) for figure in entries)
    return True


def _dated(question: Question, figure: Figure) -> bool:
    """Return whether a date answers when: a schedule ("every September") is not an event."""
    if question.past:
        return bool(figure.dates) and not figure.recurring
    return bool(figure.dates) or (figure.unit is not None and figure.unit.dimension in ("time", "months"))


def _amount(sentence: str, figure: Figure) -> bool:
    if figure.kind == "amount":
        return True
    cents = "," in figure.text[-3:] or "." in figure.text[-3:]
    bare = figure.kind == "number" and figure.unit is None and not figure.weak
    return bare and (cents or bool(_COST.search(sentence)))


def _long(figure: Figure) -> bool:
    return figure.unit is None and sum(map(str.isdecimal, figure.text)) >= 3


def kind_is_missing(question: Question, sources: Sequence[Source]) -> bool:
    """Return whether the passages contain nothing of the kind that the question asks for."""
    if question.asked is None or question.asked == "quantity":
        return False
    if question.asked == "secret":
        label = _LABELS.search(question.text)
        return not (label and any(_labelled(label[0], source) for source in sources))
    read = [_sections(question, of_document) for of_document in _by_document(sources)]
    shared = any(section.overlap for of_text in read for section in of_text)
    event = question.asked == "date" and question.past

    def relevant(section: _Section, of_text: list[_Section]) -> bool:
        return not shared or section.overlap > 0 or (not event and any(other.overlap for other in of_text))

    return not any(section.holds and relevant(section, of_text) for of_text in read for section in of_text)


def are_about(question: Question, sources: Sequence[Source]) -> bool:
    """Return whether a passage, or its title, has any word of the question."""
    wanted = stems(question.text)
    return any(overlap(wanted, f"{source.title} {source.text}") for source in sources)


def _labelled(label: str, source: Source) -> bool:
    """Return whether a passage has the label, as a word, and a figure."""
    return bool(_any_of(re.escape(label)).search(f"{source.title} {source.text}")) and (
        bool(source.figures) or fold(label) in ("password", "passwort", "kennwort")
    )


@dataclass(frozen=True)
class _Section:
    """A section of a passage: how many words it shares with the question, and what it contains."""

    overlap: int
    holds: bool
    scheduled: bool


def _by_document(sources: Sequence[Source]) -> list[list[Source]]:
    """Return the passages of each document together: a section may go on in the next passage."""
    return [
        [source for source in sources if source.title == title] for title in dict.fromkeys(s.title for s in sources)
    ]


def _sections(question: Question, of_document: Sequence[Source]) -> list[_Section]:
    wanted, result = stems(question.text), []
    for source in of_document:
        for start, end in source.sections:
            within = source.figures_in(start, end)
            spans = [span for span in source.spans if start <= span.start < end]
            holds = any(_has_answer(question, source, span) for span in spans)
            shared = overlap(wanted, f"{source.title} {source.text[start:end]}")
            result.append(_Section(shared, holds, any(figure.recurring for figure in within)))
    if question.asked == "date" and question.past:
        # The section that fits the question best may have a schedule ("every September") instead of an event.
        best = max(section.overlap for section in result)
        top = [section for section in result if section.overlap == best]
        if best and any(section.scheduled for section in top) and not any(section.holds for section in top):
            return [_Section(best, False, True)]
    return result


def _has_answer(question: Question, source: Source, span: Span) -> bool:
    """Return whether a sentence of a passage may answer the question, also without a figure or name."""
    piece = source.text[span.start : span.end]
    if question.asked == "person":
        # "By the chimney sweep", or "the chimney sweep cleans the chimney", names nobody, but answers who.
        wanted = stems(question.text)
        if _AGENT.search(piece) or (len(wanted) > 1 and overlap(wanted, piece) > 1):
            return True
    if question.asked == "date" and not question.past and _CONDITION.search(piece):
        return True
    return bool(figures_that_answer(question, source, span))


def figures_that_answer(question: Question, source: Source, span: Span) -> list[Figure]:
    """Return the figures and names of a sentence of a passage that are of the kind that the question asks for."""
    if question.asked is None or question.asked == "secret":
        return []
    piece = source.text[span.start : span.end]
    entries = source.figures_in(span.start, span.end)
    if question.asked == "person":
        own = names(piece, source.spoken)
        entries = [replace(name, start=name.start + span.start, end=name.end + span.start) for name in own]
    return [figure for figure in entries if answers_kind(question, piece, [figure])]


def stems(text: str) -> set[str]:
    """Return the beginnings of a text's words, without those that are in every question."""
    folded = (fold(word) for word in re.findall(r"[^\W_]{2,}", text))
    return {_stem(word) for word in folded if word not in COMMON_WORDS}


def overlap(wanted: set[str], text: str) -> int:
    """Return how many of these beginnings of words a text has, the long ones also within a word ("Heizkessel")."""
    folded = fold(text)
    return sum(stem in folded and (len(stem) > 3 or _is_word(stem, folded)) for stem in wanted)


def _is_word(word: str, folded: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", folded) is not None


def _stem(word: str) -> str:
    return (word[2:] if word.startswith("ge") and len(word) > 6 else word)[:4]
