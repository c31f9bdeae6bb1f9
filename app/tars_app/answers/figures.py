# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the figures of a text: numbers, amounts, dates, times, codes and telephone numbers, in English and German."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import Literal

from tars_app.answers.dates import DATE_WORDS, Date, clock_at, date_at, spoken_clock_at, year
from tars_app.answers.units import Unit, currency_before, unit_after
from tars_app.kit.dates import MONTH
from tars_app.kit.language import Language, fold, language
from tars_app.kit.numerals import GERMAN_BEGINNINGS, NUMBER_WORDS, german_number, number_word
from tars_app.kit.text import words

Kind = Literal["number", "amount", "date", "time", "code", "telephone", "name"]


@dataclass(frozen=True)
class Figure:
    """A figure and what it may mean. `text` stands from character `start` up to `end` of the text.

    `values` are the numbers that it may be, in `unit`; `dates` the dates; `key` is a code, or digits of a telephone
    number, without separators. A `weak` one ("a month", "step 1") supports others, and needs no support. `recurring`
    marks a date without a year that comes again ("every September"), `label` the number of a section or page, `field`
    a number that stands alone, as in a table, whose unit may be elsewhere. `ordinal` is a place in an order ("third",
    "1st"), `counted` the beginning of the noun of which a small number gives the count ("three cats").
    """

    kind: Kind
    text: str
    start: int
    end: int
    values: frozenset[Decimal] = frozenset()
    unit: Unit | None = None
    dates: tuple[Date, ...] = ()
    key: str = ""
    weak: bool = False
    recurring: bool = False
    label: bool = False
    field: bool = False
    ordinal: bool = False
    counted: str = ""


_HALVES = {"half": "0.5", "halbe": "0.5", "halben": "0.5", "halber": "0.5", "halbes": "0.5", "quarter": "0.25"}
# "The second floor" supports "2nd", and needs no support: "first" and "second" have other meanings too.
_ORDINALS = {
    name: Decimal(number)
    for number, names in enumerate(
        (
            "first ersten erste erster erstes",
            "second zweiten zweite zweiter zweites",
            "third dritten dritte dritter drittes",
            "fourth vierten vierte vierter viertes",
            "fifth fünften fünfte fünfter fünftes",
            "sixth sechsten sechste",
            "seventh siebten siebte",
            "eighth achten achte",
            "ninth neunten neunte",
            "tenth zehnten zehnte",
            "eleventh elften elfte",
            "twelfth zwölften zwölfte",
            "thirteenth dreizehnten",
            "fourteenth vierzehnten",
            "fifteenth fünfzehnten",
            "sixteenth sechzehnten",
            "seventeenth siebzehnten",
            "eighteenth achtzehnten",
            "nineteenth neunzehnten",
            "twentieth zwanzigsten",
        ),
        1,
    )
    for name in words(names)
}
_AND_A_HALF = re.compile(r"\s+and\s+a\s+half(?![^\W_])", re.IGNORECASE)
_CURRENCIES = frozenset(words("eur gbp usd chf jpy"))
_ARTICLES = frozenset(words("a an one ein eine einen einem einer eines per pro"))
_CLOCK_WORDS = frozenset({"a", "half", "quarter", "halb", "viertel"})
_WORDS = frozenset({*_CLOCK_WORDS, *NUMBER_WORDS, *DATE_WORDS, *_HALVES, *_ORDINALS, *_ARTICLES, "dozen", "dutzend"})
_BEGINNINGS = (*GERMAN_BEGINNINGS, "anderthalb")
# Where a figure may begin: a sign or digit, a word that has a digit or leads to one, or any other word (see _WORDS).
_TOKEN = re.compile(
    r"(?<![^\W_])(?:[€£$¥]\s?(?=\d)|[+(](?=[\d(])|(?:(?<=\s)|(?<=\()|(?<![\s\S]))[-\u2212](?=\d)|\d"
    r"|(?=[^\W\d_]++(?:[-/._:][^\W\d_]*+)*+\d|[A-ZÄÖÜ]{1,4}[ \u00a0]\d|[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d"
    r"|[\w.+-]++@|www\.|https?:)[^\W\d_]"
    r"|(?P<word>[^\W\d_]++))"
)
_WORD = re.compile(r"[^\W\d_]+")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:https?://|www\.)[^\s<>()\"]+[\w/]", re.IGNORECASE)
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_CARD = re.compile(r"\d{4}(?:[ -]\d{4}){2,}(?!\d)")
_PHONE = re.compile(r"(?:\+\d|\(\+?\d|0)[\d\s/().-]*\d(?![\w])|\(?\d{3}\)?[\s-]\d{3}-\d{4}(?!\d)")
_PHONE_GAP = re.compile(r"[^\d+]{4,}|\s-\s|\n")
_CODE = re.compile(r"[^\W_]+(?:[-/._:][^\W_]+)*")
_SPACED_CODE = re.compile(
    r"(?:(?P<letters>[A-ZÄÖÜ]{1,4})[ \u00a0](?P<digits>\d{3,}(?:[ /-]\d{2,})*)|(?P<short>[A-ZÄÖÜ]{2,4})[ \u00a0]\d\d)"
    r"(?![\w%]|[.,]\d|[ \u00a0]?[€%])"
)
_NO_CODES = frozenset(words("EUR USD GBP CHF JPY AG KG OHG UG IT TV EDV CA MAX MIN AM PM UM VON BIS"))
_PLATE = re.compile(r"[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d{1,4}(?!\w)")
_NUMBER = re.compile(
    r"(?P<sign>[-\u2212])?(?P<digits>\d{1,3}(?:(?P<mark>[.,'\u2019 \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?!\d)"
    r"(?:[.,]\d+)?"
    r"|\d+(?:[.,]\d+)?)(?:,(?:-|\u2013)+)?"
)
_RANGE_GAP = re.compile(r"\s*(?:and|to|or|und|bis|oder|[-\u2013])\s*")
_DAYS_GAP = re.compile(r"\.?\s*(?:and|to|until|und|bis(?: zum)?|[-\u2013])\s*")
_MOST_DAYS, _HOURS_OF_DAY = 31, 24
_MOST_COUNTED, _STEM = 20, 4
_COUNTED_NOUN = re.compile(r"[ \u00a0]+(?P<noun>[^\W\d_]{3,})")
_GOES_ON = re.compile(r"[\w@]|[-/._: ]\w")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ern)(?![^\W_])")
_MULTIPLIER = re.compile(
    r"[\s\u00a0]?(?P<name>thousand|million|billion|tausend|millionen|milliarden|milliarde|mio|mrd|tsd|k)\.?(?![^\W_])",
    re.IGNORECASE,
)
_FACTORS = {"thousand": 3, "tausend": 3, "tsd": 3, "k": 3, "million": 6, "millionen": 6, "mio": 6}
_DOZEN = re.compile(r"(?:a\s+|ein\s+)?(?:dozen|dutzend)(?![^\W_])", re.IGNORECASE)
_ARTICLE_GAP = re.compile(r"\s+(?:half\s+an?\s+|single\s+)?")
_DAY_OR_NUMBER = re.compile(r"\d\d\.\d\d\.")
_LABEL = re.compile(
    r"(?:§|(?<![^\W_])(?:sections?|chapter|pages?|part|figure|table|seite|kapitel|abschnitt|punkt|teil)"
    r"|(?:stra(?:ß|ss)e|gasse|allee|platz|weg|street|road|avenue|lane))\s*\Z",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[ \t]*(?:[|;,.)\n]|\Z|(?:for|each|per|a|an|pro|je|jeweils|für)(?![^\W_]))")
# An answer's own numbers: "passage 2", "step 1", "two steps".
_COUNTED = (
    "(?:passage|document|source|step|option|point|reason|thing|way|sentence)s?"
    "|textstellen?|dokumente?|quellen?|schritte?"
)
_REFERENCE = re.compile(rf"(?<![^\W_])(?:{_COUNTED})\s*\Z", re.IGNORECASE)
_COUNT = re.compile(rf"\s+(?:{_COUNTED})(?![^\W_])", re.IGNORECASE)
_ITEM = re.compile(rf"(?:(?<=\n)|(?<![\s\S]))[ \t]*(?:\d{{1,2}}[.)](?!\s*(?i:{MONTH}))|#+)[ \t]+")
_MARKER = re.compile(r"\[\d{1,2}\]")
_RECURRING = re.compile(
    r"(?<![^\W_])(?:every|each|yearly|annual(?:ly)?|jede[nrsm]?|(?:all)?j(?:ä|ae)hrlich\w*|jeweils)"
    r"(?![^\W_])[^.;\n]{0,40}\Z",
    re.IGNORECASE,
)


def figures(text: str, spoken: Language | None = None) -> list[Figure]:
    """Return the figures of a text, in order, without proper names. `spoken` is its language, if it is known.

    Numbers of list items and markers of passages ([1]) are not figures.
    """
    spoken = language(text) if spoken is None else spoken
    blank = _MARKER.sub(lambda match: " " * len(match[0]), text)
    blank = _ITEM.sub(lambda match: " " * len(match[0]), blank)
    read = list(_scan(blank, spoken))
    read = [_with_unit_of(figure, following, blank) for figure, following in zip_longest(read, read[1:])]
    return _with_days_of_ranges(read, blank)


def _with_unit_of(figure: Figure, following: Figure | None, text: str) -> Figure:
    """Return a figure with the unit of the next one where the two are a range: "1.2 to 1.8 bar", "8 to 12 Uhr"."""
    if following is None or following.weak or figure.kind not in ("number", "time") or figure.unit:
        return figure
    if not _RANGE_GAP.fullmatch(text[figure.end : following.start]):
        return figure
    is_hour = figure.text.isdecimal() and int(figure.text) <= _HOURS_OF_DAY
    if following.kind == "time" and (is_hour or figure.kind == "time"):
        times = {Decimal(60 * int(figure.text))} if is_hour else set(figure.values)
        if re.search(r"[ap]\.?m", following.text) and not re.search(r"[ap]\.?m", figure.text):
            times |= {(moment + 720) % 1440 for moment in times}
        return replace(figure, kind="time", values=frozenset(times))
    return replace(figure, unit=following.unit, kind=following.kind) if following.unit else figure


def _with_days_of_ranges(read: list[Figure], text: str) -> list[Figure]:
    """Return the figures, with a number at one end of a range of days as a date: "12 to 16 May", "July 15 to 29"."""
    result = list(read)
    for number, (first, second) in enumerate(pairwise(read)):
        if not _DAYS_GAP.fullmatch(text[first.end : second.start]):
            continue
        if first.kind == "number" and (day := _same_month(first, second)):
            result[number] = replace(first, kind="date", dates=(day,))
        elif second.kind == "number" and (day := _same_month(second, first)):
            result[number + 1] = replace(second, kind="date", dates=(day,))
    return result


def _same_month(number: Figure, dated: Figure) -> Date | None:
    """Return the day with this number in the month of a date that has a day."""
    whole = number.text.rstrip(".")
    if not dated.dates or number.unit or not (whole.isdecimal() and 1 <= int(whole) <= _MOST_DAYS):
        return None
    other = dated.dates[0]
    return Date(other.year, other.month, int(whole)) if other.month and other.day else None


def _scan(text: str, spoken: Language) -> Iterator[Figure]:
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() < position or ((word := match["word"]) and not _may_begin(word.lower())):
            continue
        if figure := _figure_at(text, match.start(), spoken):
            yield figure
            position = figure.end


@lru_cache(4096)
def _may_begin(word: str) -> bool:
    """Return whether a word without digits may begin a date, a number or a unit's article, or is a currency."""
    return word in _WORDS or word.startswith(_BEGINNINGS) or (len(word) == len("EUR") and word in _CURRENCIES)


def _figure_at(text: str, start: int, spoken: Language) -> Figure | None:
    first = text[start]
    if first.isalpha():
        return _word_figure(text, start)
    if first.isdecimal() and (dated := date_at(text, start)):
        return _date(text, start, *dated)
    if first.isdecimal() and (clock := clock_at(text, start)):
        return _make("time", text, start, clock[1], values=frozenset({Decimal(clock[0])}))
    return _telephone(text, start) or _number(text, start, spoken)


def _word_figure(text: str, start: int) -> Figure | None:
    """Return the figure that begins with a letter: a month, a spelled-out number, a currency, a code."""
    word_match = _WORD.match(text, start)
    if not word_match:
        return None
    word, end = word_match[0], word_match.end()
    lower = word.lower()
    if lower in _CLOCK_WORDS and (spoken := spoken_clock_at(text, start)):
        return _make("time", text, start, spoken[1], values=frozenset(map(Decimal, spoken[0])))
    following = text[end : end + 1]
    if lower in DATE_WORDS and (dated := date_at(text, start)):
        return _date(text, start, *dated)
    if word.isupper() and len(word) == 3 and (currency := currency_before(text, start)):
        amount = _number(text, currency[1], "", currency[0])
        if amount:
            return _make("amount", text, start, amount.end, values=amount.values, unit=currency[0])
    if following.isdecimal() or following in ("-", "/", ".", "_", "@", ":", " ", "\u00a0"):
        code = _code(text, start)
        if code:
            return code
    return _spelled(text, start, lower, end)


def _spelled(text: str, start: int, lower: str, end: int) -> Figure | None:
    if dozen := _DOZEN.match(text, start):
        return _make("number", text, start, dozen.end(), values=frozenset({Decimal(12)}))
    if lower in _HALVES:
        gap = _ARTICLE_GAP.match(text, end)
        unit = unit_after(text, end) or (unit_after(text, gap.end()) if gap else None)
        article = re.compile(r"\s+an?(?=\s)").match(text, end)
        if article and not unit:
            unit = unit_after(text, article.end())
        values = frozenset({Decimal(_HALVES[lower])})
        return _make(
            "number",
            text,
            start,
            unit[1] if unit else end,
            values=values,
            unit=unit[0] if unit else None,
            weak=not unit,
        )
    if lower in _ORDINALS:
        return _make("number", text, start, end, values=frozenset({_ORDINALS[lower]}), weak=True)
    spelled = number_word(text, start)
    if halves := _halves(text, lower, end, spelled):
        unit = unit_after(text, halves[1])
        values = frozenset({halves[0]})
        return _make(
            "number", text, start, unit[1] if unit else halves[1], values=values, unit=unit[0] if unit else None
        )
    if spelled and not (lower in _ARTICLES and spelled[0] == 1):
        value, stop = spelled
        unit = unit_after(text, stop)
        kind: Kind = "amount" if unit and unit[0].money else "number"
        values = frozenset({Decimal(value)})
        if unit is None and value < 2:
            return None
        return _make(kind, text, start, unit[1] if unit else stop, values=values, unit=unit[0] if unit else None)
    if lower in _ARTICLES and (unit := unit_after(text, end)):
        return _make("number", text, start, unit[1], values=frozenset({Decimal(1)}), unit=unit[0], weak=True)
    return None


def _halves(text: str, lower: str, end: int, spelled: tuple[int, int] | None) -> tuple[Decimal, int] | None:
    """Return the value of "two and a half", "anderthalb" or "zweieinhalb", and where it ends."""
    if lower.rstrip("e") == "anderthalb":
        return Decimal("1.5"), end
    if lower.endswith("einhalb") and (whole := german_number(lower.removesuffix("einhalb"))):
        return whole + Decimal("0.5"), end
    if spelled and (match := _AND_A_HALF.match(text, spelled[1])):
        return spelled[0] + Decimal("0.5"), match.end()
    return None


def _date(text: str, start: int, dates: tuple[Date, ...], end: int) -> Figure:
    recurring = all(date.year is None for date in dates) and bool(_RECURRING.search(text[max(0, start - 60) : start]))
    # "10.12." may be the tenth of December, and at the end of a sentence 10.12.
    either = _DAY_OR_NUMBER.fullmatch(text, start, end)
    values = frozenset({Decimal(text[start : end - 1])}) if either else frozenset()
    return _make("date", text, start, end, dates=dates, values=values, recurring=recurring)


def _telephone(text: str, start: int) -> Figure | None:
    match = _PHONE.match(text, start)
    if not match:
        return None
    gap = _PHONE_GAP.search(match[0])
    piece = match[0][: gap.start()] if gap else match[0]
    piece = piece.rstrip(" -./(")
    digits = re.sub(r"\D", "", piece.replace("(0)", ""))
    separated = re.search(r"\d[\s/()-]+\d", piece) or piece.startswith("+")
    if not 7 <= len(digits) <= 15 or not (separated or digits.startswith("0")) or re.fullmatch(r"0[.,]\d+", piece):
        return None
    return _make("telephone", text, start, start + len(piece), key=digits)


def _code(text: str, start: int) -> Figure | None:
    """Return the code, address or bank account number that begins at `start`."""
    if address := _ADDRESS.match(text, start):
        return _make("code", text, start, address.end(), key=address[0].lower())
    for pattern in (_IBAN, _CARD, _PLATE, _SPACED_CODE):
        if match := pattern.match(text, start):
            if pattern is _SPACED_CODE and (match["letters"] or match["short"]) in _NO_CODES:
                continue
            return _make("code", text, start, match.end(), key=squeeze(match[0]))
    match = _CODE.match(text, start)
    if not match or not _is_code(match[0]):
        return None
    return _make("code", text, start, match.end(), key=squeeze(match[0]))


_DIGIT_WORD = re.compile(r"\d+(?:-[^\W\d_]+)+")
_RANGE = re.compile(r"\d+(?:[.,]\d+)?(?:[-:]\d+(?:[.,]\d+)?)?")


def _is_code(token: str) -> bool:
    if not any(map(str.isdecimal, token)):
        return False
    if not any(map(str.isalpha, token)):
        return not _RANGE.fullmatch(token) and (token.count(".") > 1 or "/" in token or token.count("-") > 1)
    return not _DIGIT_WORD.fullmatch(token)


def _number(text: str, start: int, spoken: Language, unit: Unit | None = None) -> Figure | None:
    begin = start
    if unit is None and (currency := currency_before(text, start)):
        unit, begin = currency
    match = _NUMBER.match(text, begin)
    if not match:
        return None
    end = match.end()
    values = readings(match["digits"], spoken)
    if match["sign"]:
        values = frozenset(-value for value in values)
    if multiplier := _MULTIPLIER.match(text, end):
        scale = Decimal(10) ** _FACTORS.get(multiplier["name"].lower(), 9)
        values, end = frozenset(value * scale for value in values), multiplier.end("name")
    after = unit_after(text, end)
    if unit is None and after:
        unit, end = after
    elif ordinal := _ORDINAL.match(text, end):
        end = ordinal.end()
    elif unit is None and _GOES_ON.match(text, end) and (code := _code(text, start)) and code.end > end:
        return code
    single = year(match["digits"]) if unit is None and not match["sign"] and not multiplier else None
    kind: Kind = "date" if single else "amount" if unit and unit.money else "number"
    return _make(kind, text, start, end, values=values, unit=unit, dates=(single,) if single else ())


def readings(digits: str, spoken: Language) -> frozenset[Decimal]:
    """Return the numbers that digits with separators may be: 1,200 is 1200, and in German also 1.2."""
    if digits.isdecimal():
        return frozenset({Decimal(digits)})
    plain = re.sub(r"['\u2019 \u00a0\u202f]", "", digits)
    marks = [mark for mark in plain if mark in ".,"]
    if not marks:
        return frozenset({Decimal(plain)})
    if len(set(marks)) == 2:
        thousands, decimal = marks[0], marks[-1]
        return frozenset({Decimal(plain.replace(thousands, "").replace(decimal, "."))})
    as_thousands, as_decimal = Decimal(re.sub("[.,]", "", plain)), plain.replace(",", ".")
    if len(marks) > 1:
        return frozenset({as_thousands})
    whole, _, part = as_decimal.partition(".")
    if len(part) != 3 or len(whole) > 3 or whole.startswith("0"):
        return frozenset({Decimal(as_decimal)})
    if (spoken, marks[0]) in (("en", ","), ("de", ".")):
        return frozenset({as_thousands})
    return frozenset({as_thousands, Decimal(as_decimal)})


def squeeze(code: str) -> str:
    """Return a code in capitals without separators."""
    return re.sub(r"[\W_]", "", code).upper()


def _make(
    kind: Kind,
    text: str,
    start: int,
    end: int,
    *,
    values: frozenset[Decimal] = frozenset(),
    unit: Unit | None = None,
    dates: tuple[Date, ...] = (),
    key: str = "",
    weak: bool = False,
    recurring: bool = False,
) -> Figure:
    bare, label = kind == "number" and unit is None, False
    if bare and start > 1 and (text[start - 2].isalpha() or text[start - 2] == "§"):
        before = text[max(0, start - 14) : start]
        label = bool(_LABEL.search(before))
        weak = weak or bool(_REFERENCE.search(before))
    weak = weak or (bare and bool(_COUNT.match(text, end)))
    ordinal = bare and (
        text[start:end].lower() in _ORDINALS or (text[start].isdecimal() and bool(_ORDINAL.search(text, start, end)))
    )
    counts = bare and not ordinal and not label and all(value <= _MOST_COUNTED for value in values)
    noun = _COUNTED_NOUN.match(text, end) if counts else None
    return Figure(
        kind,
        text[start:end],
        start,
        end,
        values,
        unit,
        dates,
        key,
        weak,
        recurring,
        label,
        bool(_FIELD.match(text, end)),
        ordinal,
        fold(noun["noun"])[:_STEM] if noun else "",
    )


def digit_parts(text: str) -> frozenset[str]:
    """Return the runs of at least three digits in a text, except those that may be a year."""
    return frozenset(run for run in re.findall(r"\d{3,}", text) if not year(run))
