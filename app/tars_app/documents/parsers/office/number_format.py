# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a value of a spreadsheet as its number format does (ECMA-376 part 1, 18.8.31).

What a format leaves to the settings of the computer (the short date) is shown in ISO 8601. Of conditions, fractions and
exponents the plain number is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

_LOCAL_DATES = frozenset({"mm-dd-yy", "m/d/yy h:mm", "m/d/yyyy", "m/d/yyyy h:mm"})
_SECTIONS = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])+|(?<=;)(?=;|\Z)')
_NUMBER_TOKENS = re.compile(
    r'"([^"]*)"|\\(.)|[_*].|\[\$([^\]-]*)(?:-([^\]]*))?\]|\[[^\]]*\]|([#0?][#0?.,]*|\.[#0?]+)|(.)'
)
_DATE_TOKENS = re.compile(
    r'"([^"]*)"|\\(.)|_.|\*.|\[([hms]+)\]|\[\$[^\]]*\]|\[[^\]]*\]|(AM/PM|A/P|y+|m+|d+|h+|s+(?:\.0+)?)|(.)',
    re.IGNORECASE,
)
_COMMA_LOCALES = frozenset({"407", "C07", "807", "413", "40C", "410", "40A", "C0A", "415", "406", "41D", "414", "40B"})
_GERMAN_LOCALES = frozenset({"407", "C07", "807"})
_LOCALE = re.compile(r"\[\$[^\]-]*-(?:[0-9A-F]*?)([0-9A-F]{3})(?:,[^\]]*)?\]", re.IGNORECASE)
_ENGLISH_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_GERMAN_MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)
_ENGLISH_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GERMAN_DAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MOST_DECIMALS = 30
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)
_EXACT_INTEGERS = 2**53


def show(value: object, code: str = "General") -> str:
    """Return a value as text: of a number format such as `0.00%`, or `General`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, code)
    if isinstance(value, date | time | timedelta):
        return _moment(value, code)
    return str(value)


@dataclass
class _Shown:
    """The parts of a number format: what stands before and after the number, and how it is written."""

    before: str = ""
    pattern: str = ""
    after: str = ""
    locale: str = ""
    percent: bool = False

    def add(self, text: str) -> None:
        if self.pattern:
            self.after += text
        else:
            self.before += text

    @property
    def comma(self) -> bool:
        """Whether decimals follow a comma: by the locale, else where the euro sign follows the number."""
        return self.locale in _COMMA_LOCALES if self.locale else "€" in self.after


def _number(value: float, code: str) -> str:
    sections = _SECTIONS.findall(code)
    section, magnitude = (sections[0] if sections else "General"), Decimal(str(value))
    if not magnitude.is_finite():
        return str(value)
    if magnitude < 0 and len(sections) > 1:
        section, magnitude = sections[1], -magnitude
    elif magnitude == 0 and len(sections) > 2:
        section = sections[2]
    shown = _read(section)
    if shown is None:
        return _general(value)
    if not shown.pattern:
        return (shown.before + shown.after).strip()
    digits = _digits(magnitude * 100 if shown.percent else magnitude, shown)
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return f"{sign}{shown.before}{digits}{shown.after}".strip()


def _read(section: str) -> _Shown | None:
    """Return the parts of a format of numbers; None for General and for what is not shown here."""
    shown = _Shown()
    for match in _NUMBER_TOKENS.finditer(section):
        quoted, escaped, currency, locale, pattern, other = match.groups()
        if pattern:
            if shown.pattern:
                return None
            shown.pattern = pattern
        elif other:
            if other in "/EeGg@?<>=":
                return None
            shown.percent = shown.percent or other == "%"
            shown.add(other)
        else:
            shown.locale = (locale or shown.locale).upper()[-3:]
            shown.add(quoted or escaped or currency or (" " if match[0].startswith("_") and shown.pattern else ""))
    return shown


def _digits(number: Decimal, shown: _Shown) -> str:
    pattern = shown.pattern.rstrip(",")
    number = number.scaleb(-3 * (len(shown.pattern) - len(pattern)))
    whole, _, decimals = pattern.partition(".")
    decimals = re.sub(r"[^#0?]", "", decimals)[:_MOST_DECIMALS]
    grouping = "," if "," in whole else ""
    with localcontext(_EXACT):
        text = f"{number:{grouping}.{len(decimals)}f}"
    optional = len(decimals) - len(decimals.rstrip("#?"))
    for _ in range(optional):
        text = text[:-1] if text.endswith("0") else text
    text = text.rstrip(".") if decimals else text
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    head, point, tail = text.partition(".")
    text = sign + head.zfill(whole.count("0")) + point + tail
    return text.translate(str.maketrans(",.", ".,")) if shown.comma else text


def _general(value: float) -> str:
    """Return a number with up to 11 digits, and integers with all of theirs."""
    if value == int(value) and abs(value) < _EXACT_INTEGERS:
        return str(int(value))
    return f"{value:.11g}"


def _moment(value: date | time | timedelta, code: str) -> str:
    if isinstance(value, timedelta):
        return _duration(value, code)
    section = (_SECTIONS.findall(code) or [""])[0]
    has_pattern = any(match[4] for match in _DATE_TOKENS.finditer(section))
    if section in _LOCAL_DATES or section.upper().startswith(("[$-F800]", "[$-F400]")) or not has_pattern:
        return _iso(value, section)
    german = (match := _LOCALE.search(section)) is not None and match[1].upper() in _GERMAN_LOCALES
    tokens = [match for match in _DATE_TOKENS.finditer(section)]
    names = [(match[4] or match[3] or "").lower() for match in tokens]
    twelve = any(name in ("am/pm", "a/p") for name in names)
    pieces = []
    for position, match in enumerate(tokens):
        if name := names[position]:
            minutes = name[0] == "m" and _is_minutes(names, position)
            pieces.append(_field(value, name, minutes, twelve, german))
        else:
            pieces.append(match[1] or match[2] or match[5] or "")
    return "".join(pieces).strip()


def _iso(value: date | time, section: str) -> str:
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes") if "h" in section.lower() or value.time() != time() else _day(value)
    return value.isoformat() if isinstance(value, date) else value.isoformat("seconds")


def _day(value: datetime) -> str:
    return value.date().isoformat()


def _is_minutes(names: list[str], position: int) -> bool:
    """Return whether "m" stands for minutes: after hours or before seconds."""
    before = next((name for name in reversed(names[:position]) if name), "")
    after = next((name for name in names[position + 1 :] if name), "")
    return before.startswith("h") or after.startswith("s")


def _field(value: date | time, name: str, minutes: bool, twelve: bool, german: bool) -> str:
    moment = value if isinstance(value, datetime) else None
    day = value if isinstance(value, date) else date(1900, 1, 1)
    clock = moment.time() if moment else value if isinstance(value, time) else time()
    if name in ("am/pm", "a/p"):
        return "PM" if clock.hour >= 12 else "AM"
    number = {
        "y": day.year if len(name) > 2 else day.year % 100,
        "m": clock.minute if minutes else day.month,
        "d": day.day,
        "h": (clock.hour % 12 or 12) if twelve else clock.hour,
        "s": clock.second,
    }[name[0]]
    if name[0] == "d" and len(name) > 2:
        text = (_GERMAN_DAYS if german else _ENGLISH_DAYS)[day.weekday()]
        return text if len(name) > 3 else text[:2] if german else text[:3]
    if name[0] == "m" and not minutes and len(name) > 2:
        text = (_GERMAN_MONTHS if german else _ENGLISH_MONTHS)[day.month - 1]
        return text if len(name) > 3 else text[:3]
    return f"{number:02}" if len(name) > 1 else str(number)


def _duration(value: timedelta, code: str) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    minutes = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}"
    return f"{minutes}:{seconds % 60:02}" if "s" in code.lower() else minutes
