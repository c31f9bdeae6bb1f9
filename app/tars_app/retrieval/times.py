# SPDX-License-Identifier: GPL-3.0-or-later
"""The time that a question names, in English and German, by fixed rules.

A time that a question names is mostly that of what it asks for: "the gas bill of 2022" is in a document of today. Only
where the question is about what a document contained then ("what did the lease say last spring", "as of 2023", "before
it was raised") are the versions of that time meant; where it is about what changed, or which versions there are, all
those between two times, or all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from tars_app.kit.dates import EARLIEST_YEAR, MONTH, MONTHS, find_dates, first_day, iso_date, last_day

Kind = Literal["as_of", "between", "period", "latest"]


@dataclass(frozen=True)
class TimeInQuestion:
    """A time that a question names with the words `text`.

    `kind`: as_of: the versions at the end of the days `first` to `last`; between: those of all these days; period:
    documents of these days are preferred; latest: the latest documents are preferred, and there are no days. A
    `between` without `first` begins with the history.
    """

    kind: Kind
    text: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    first: date
    last: date


_SEASONS = {
    name: month
    for month, names in {
        3: ("spring", "frühling", "frühjahr"),
        6: ("summer", "sommer"),
        9: ("autumn", "herbst"),
        12: ("winter",),
    }.items()
    for name in names
}
"""The first month of each season, which lasts three."""
_SEASON = "|".join(_SEASONS)
_LAST = r"(?:last|previous|letzte[nrsm]?|vorige[nrsm]?|vergangene[nrsm]?)"
_THIS = r"(?:this|diese[nrsm]?)"
_UNITS = {"day": "day", "tag": "day", "week": "week", "woche": "week", "month": "month", "monat": "month"}
_UNITS |= {"year": "year", "jahr": "year"}
_UNIT = r"(?P<unit>day|week|month|year|tag|woche|monat|jahr)(?:s|en|e|n)?"
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "einem": 1, "einer": 1}
_NUMBERS |= {"zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "zehn": 10}
_NUMBER = rf"(?P<number>\d{{1,3}}|{'|'.join(_NUMBERS)})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{text})(?!\w)", re.IGNORECASE)


_SEASON_OF_YEAR = _pattern(rf"(?P<season>{_SEASON})(?: of)? (?P<year>(?:19|20)\d\d)(?:/\d\d(?:\d\d)?)?")
_LAST_SEASON = _pattern(rf"(?P<which>{_LAST}|{_THIS}) (?P<season>{_SEASON})")
_LAST_MONTH = _pattern(rf"(?P<which>{_LAST}|{_THIS}) (?P<month>{MONTH})")
_LAST_UNIT = _pattern(rf"(?P<which>{_LAST}|{_THIS}) {_UNIT}")
_AGO = _pattern(rf"{_NUMBER} {_UNIT} ago")
_VOR = _pattern(rf"vor {_NUMBER} {_UNIT}")
_DAYS = {"today": 0, "yesterday": 1, "heute": 0, "gestern": 1, "vorgestern": 2}
_DAY = _pattern(rf"(?P<day>{'|'.join(_DAYS)})")

EARLIEST = date(EARLIEST_YEAR, 1, 1)
_BOUND = re.compile(
    r"(?:\A|\W)(?P<word>since|after|before|until|till|up to|seit|ab|nach|vor|bis)\s+(?:the\s+|dem\s+|der\s+|zum\s+)?\Z",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s*(?:and|to|until|till|und|bis|-|\u2013)\s*\Z", re.IGNORECASE)
_RANGE_BEGINS = re.compile(r"(?:\A|\W)(?:between|from|zwischen|vom|von)\s*(?:the\s*)?\Z", re.IGNORECASE)
_AS_OF_BEFORE = re.compile(
    r"(?:\A|\W)(?:as (?:of|at)|as (?:it|they) (?:was|were|stood|read) (?:on|in|at)|stand(?: vom)?|nach dem stand vom)"
    r"\s*(?:the end of\s*|ende\s*|end of\s*)?\Z",
    re.IGNORECASE,
)
_CONTENT_THEN = re.compile(
    r"\bdid\b.*\b(?:say|state|read|specify|contain|mention|require|stipulate|promise|list|show|allow|permit)\b"
    r"|\b(?:sa(?:ys|id)|stated|mentioned|listed|specified|applied|valid)\b"
    r"|\bused to (?:say|state|read|be|cost)\b|\bbefore (?:it|they|the \w+|that) (?:was|were) \w+(?:ed|en)\b"
    r"|\b(?:stand|standen|sagten?|besagten?|schrieb|galt|galten)\b|\bwie lautete\w*\b"
    r"|\bbevor (?:er|sie|es|der|die|das)\b",
    re.IGNORECASE,
)
_CHANGE_CLAUSE = (
    r"\b(?:before (?:it|they|the \w+|that) (?:was|were|got) \w+(?:ed|en)|bevor (?:er|sie|es|der|die|das)\b[^,.;]*)"
)
_BEFORE_CHANGE = re.compile(_CHANGE_CLAUSE, re.IGNORECASE)
# "Before it was raised in 2025": the time of the change, before which is meant.
_BEFORE_CHANGE_IN = re.compile(rf"{_CHANGE_CLAUSE}\s*(?:(?:in|on|im|am|zum)\s+(?:the\s+)?)?\Z", re.IGNORECASE)
_PAST = re.compile(
    r"\b(?:was|were|did|had|war|waren|hatten?|kostete[nt]?|betrug(?:en)?|wurden?|gab|lautete[nt]?|zahlten?|nannten?"
    r"|verlangten?|galt(?:en)?|machten?|standen|hieß(?:en)?|besagten?|warteten?|endeten?|begann(?:en)?|ging(?:en)?"
    r"|durften?|mussten?|konnten?|brauchten?|lag(?:en)?|enthielt(?:en)?|sagten?|erlaubten?|liefen?)\b",
    re.IGNORECASE,
)
# Words that ask for a comparison, and are in no document themselves.
_COMPARING = (
    r"chang(?:e|es|ed|ing)|differs?|different|differences?|compared|developed|development|evolved"
    r"|over (?:the years|time)|geändert|verändert|veränderte[n]?|änderte[n]?|änderung(?:en)?|unterschied(?:e|en)?"
    r"|entwickelt|anders|im laufe der (?:zeit|jahre)"
)
_CHANGING = (
    r"raised|increased|reduced|lowered|replaced|adjusted|updated|more expensive|cheaper|than before|erhöht|gestiegen"
    r"|gesunken|gesenkt|angepasst|teurer|billiger|ersetzt|abgelöst|als (?:früher|vorher)"
)
# A question about changes of what is documented; "how do I change the filter?" and "when was the oil changed?" are not.
_CHANGE = re.compile(
    r"\A(?!\W*(?:when|who|where|how (?:do|can|should|to)|wann|wer|wo|wie (?:kann|soll|muss))\b)"
    r".*\b(?:did|has|have|had|was|were|is|are|what|which|how|wie|hat|haben|ist|sind|wurden?|welche\w*)\b"
    rf".*\b(?P<word>{_COMPARING}|{_CHANGING})\b",
    re.IGNORECASE | re.DOTALL,
)
_VERSIONS = re.compile(
    r"\b(?P<word>versions|revisions|(?:earlier|previous|older|former) version|history of|fassungen|versionen"
    r"|(?:frühere|ältere|vorige)[nrs]? (?:fassung|version)"
    r"|how (?:often|many times)(?= (?:has|have|was|were|did)\b)|wie oft(?= (?:hat|haben|wurden?)\b))\b",
    re.IGNORECASE,
)
_META = re.compile(
    rf"\b(?:{_COMPARING}|versions?|revisions|history of|fassung(?:en)?|versionen|how (?:often|many times)|wie oft)\b",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:compared (?:with|to)|than|gegenüber|(?:im vergleich|verglichen) (?:zu[mr]?|mit)|als)"
    r"\s+(?:in |im |dem jahr )?\Z",
    re.IGNORECASE,
)
_LATEST = re.compile(
    r"\b(?:latest|newest|most recent|current(?:ly)?|up[- ]to[- ]date|neueste\w*|aktuell\w*|jüngste\w*|derzeit\w*"
    r"|zuletzt|these days|as things stand|nowadays|by now|now|zurzeit|zur zeit|heutzutage|mittlerweile|inzwischen|jetzt"
    r"|(?:last|letzte[nrs]?)(?= (?:\w+ )?(?:bill|invoice|letter|statement|receipt|report|version|contract|lease|policy"
    r"|payslip|reading|notice|\w*(?:rechnung|brief|bescheid|bericht|vertrag|kontoauszug|police|ablesung))s?\b))\b",
    re.IGNORECASE,
)


def time_in(question: str, today: date) -> TimeInQuestion | None:
    """Return the time that a question names, None where it names none, or only the future."""
    spans = [span for span in _spans(question, today) if span.first <= today]
    history = _VERSIONS.search(question) or _CHANGE.search(question)
    if history and not _BEFORE_CHANGE.search(question):
        return _of_history(question, history["word"], spans, today)
    if spans:
        return _of_spans(question, spans, today)
    if match := _LATEST.search(question):
        return TimeInQuestion("latest", match[0])
    return None


def _of_spans(question: str, spans: list[_Span], today: date) -> TimeInQuestion | None:
    joined = _join(question, spans)
    span = joined if joined != spans[0] else _bounded(question, joined, today)
    text, first, last = question[span.start : span.end], span.first, min(span.last, today)
    if first > last:  # "after" a time that has not ended
        return None
    if _BEFORE_CHANGE_IN.search(question[: span.start]):
        return TimeInQuestion("as_of", text, EARLIEST, span.first - timedelta(days=1))
    if not (_AS_OF_BEFORE.search(question[: joined.start]) or _CONTENT_THEN.search(question)):
        return TimeInQuestion("period", text, first, last)
    several = joined != spans[0] or span.last > joined.last
    return TimeInQuestion("between" if several else "as_of", text, first, last)


def _of_history(question: str, word: str, spans: list[_Span], today: date) -> TimeInQuestion:
    """Return the time over which versions are compared: all of it, unless the question names one.

    "Between 2023 and 2024" compares the ends of both, as "in 2023" is the end of that year where a version is meant:
    what changed then are the changes of the days after the first one.
    """
    if not spans:
        return TimeInQuestion("between", word, None, today)
    joined = _join(question, spans)
    if joined != spans[0]:
        first, last, text = spans[0].last + timedelta(days=1), spans[1].last, question[joined.start : joined.end]
    elif _COMPARED.search(question[: joined.start]):
        first, last, text = joined.last + timedelta(days=1), today, question[joined.start : joined.end]
    else:
        span = _bounded(question, joined, today)
        first, last, text = span.first, span.last, question[span.start : span.end]
    last = min(last, today)
    return TimeInQuestion("between", text, min(first, last), last)


def is_past(question: str) -> bool:
    """Return whether a question is about a state that was, and not only about a document of then."""
    return bool(_PAST.search(question))


def without_time(question: str, time: TimeInQuestion) -> str:
    """Return the question without the words that name its time, for a search: no document contains "last spring".

    Dates and years of a period are kept, which documents do contain.
    """
    if time.kind == "period" and any(character.isdigit() for character in time.text):
        return question
    rest = question.replace(time.text, " ", 1)
    if time.kind == "between":
        rest = _META.sub(" ", rest)
    return rest if re.search(r"\w", rest) else question


def _join(question: str, spans: list[_Span]) -> _Span:
    """Return the first span; with the second one where they are the ends of a range: "between 2021 and May 2023"."""
    first = spans[0]
    if len(spans) > 1 and spans[1].last >= first.first:
        between = question[first.end : spans[1].start]
        begins = _RANGE_BEGINS.search(question[: first.start])
        if _RANGE.match(between) and begins:
            return _Span(first.start, spans[1].end, first.first, spans[1].last)
    return first


def _bounded(question: str, span: _Span, today: date) -> _Span:
    """Return the span with the word before it that makes it a bound: "since 2020", "before May 2023"."""
    match = _BOUND.search(question[: span.start])
    if not match:
        return span
    word = match["word"].lower()
    if word in ("since", "seit", "ab"):
        first, last = span.first, max(span.last, today)
    elif word in ("after", "nach"):
        first, last = span.last + timedelta(days=1), max(span.last, today) + timedelta(days=1)
    elif word in ("before", "vor"):
        first, last = EARLIEST, span.first - timedelta(days=1)
    else:
        first, last = EARLIEST, span.last
    return _Span(match.start("word"), span.end, first, last)


def _spans(question: str, today: date) -> list[_Span]:
    """Return the days, months, years, seasons and relative times of a question, in order and without overlap."""
    spans = [
        _Span(match.start(), match.end(), *days)
        for pattern, read in (
            (_SEASON_OF_YEAR, _season_of_year),
            (_LAST_SEASON, _last_season),
            (_LAST_MONTH, _last_month),
            (_LAST_UNIT, _last_unit),
            (_AGO, _ago),
            (_VOR, _ago),
            (_DAY, _day),
        )
        for match in pattern.finditer(question)
        if (days := read(match, today))
    ]
    for entry in find_dates(question, years=True):
        spans.append(_Span(entry.start, entry.end, first_day(entry.date), last_day(entry.date)))
    result: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not result or span.start >= result[-1].end:
            result.append(span)
    return result


Days = tuple[date, date]


def _season_of_year(match: re.Match[str], _: date) -> Days:
    return _season(int(match["year"]), match["season"])


def _season(year: int, name: str) -> Days:
    month = _SEASONS[name.lower()]
    end = date(year, month + 3, 1) if month < 10 else date(year + 1, 3, 1)
    return date(year, month, 1), end - timedelta(days=1)


def _last_season(match: re.Match[str], today: date) -> Days:
    """Return the season that has begun last ("this"), or the last one that is over ("last")."""
    over = re.match(_LAST, match["which"], re.IGNORECASE)
    seasons = (_season(year, match["season"]) for year in (today.year, today.year - 1, today.year - 2))
    return next(days for days in seasons if (days[1] < today if over else days[0] <= today))


def _last_month(match: re.Match[str], today: date) -> Days | None:
    over = re.match(_LAST, match["which"], re.IGNORECASE)
    number = MONTHS[match["month"].lower()]
    months = (iso_date(year, number) or "" for year in (today.year, today.year - 1, today.year - 2))
    return next((first_day(m), last_day(m)) for m in months if (last_day(m) < today if over else first_day(m) <= today))


def _last_unit(match: re.Match[str], today: date) -> Days:
    back = 1 if re.match(_LAST, match["which"], re.IGNORECASE) else 0
    return _back(back, match["unit"], today)


def _ago(match: re.Match[str], today: date) -> Days:
    number = match["number"]
    return _back(int(number) if number.isdigit() else _NUMBERS[number.lower()], match["unit"], today)


def _back(count: int, name: str, today: date) -> Days:
    """Return the day, calendar week, month or year that many of them before the one of today."""
    unit = _UNITS[name.lower()]
    if unit == "day":
        day = today - timedelta(days=count)
        return day, day
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + 7 * count)
        return monday, monday + timedelta(days=6)
    if unit == "month":
        months = 12 * today.year + today.month - 1 - count
        value = f"{months // 12:04}-{months % 12 + 1:02}"
    else:
        value = f"{today.year - count:04}"
    return first_day(value), last_day(value)


def _day(match: re.Match[str], today: date) -> Days:
    day = today - timedelta(days=_DAYS[match["day"].lower()])
    return day, day
