# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of measurement and currencies, in English and German."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from tars_app.kit.text import words


@dataclass(frozen=True)
class Unit:
    """A unit: `factor` times the basic unit of its dimension."""

    dimension: str
    factor: Decimal = Decimal(1)
    money: bool = False


# dimension, factor, names. Names in capitals, or of one letter, are matched as they are written.
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("EUR", "1", "€ EUR euro euros"),
    ("EUR", "0.01", "cent cents ct"),
    ("GBP", "1", "£ GBP pound pounds pfund"),
    ("USD", "1", "$ USD dollar dollars"),
    ("CHF", "1", "CHF franc francs franken"),
    ("JPY", "1", "¥ JPY yen"),
    ("percent", "1", "% percent prozent"),
    ("time", "1", "s sec second seconds sek sekunde sekunden"),
    ("time", "60", "min mins minute minutes minuten"),
    ("time", "3600", "h hr hrs hour hours std stunde stunden"),
    ("time", "86400", "day days night nights tag tage tagen nacht nächte nächten"),
    ("time", "604800", "week weeks woche wochen"),
    ("months", "1", "month months monat monate monaten"),
    ("months", "12", "year years jahr jahre jahren"),
    ("length", "0.001", "mm millimetre millimetres millimeter"),
    ("length", "0.01", "cm centimetre centimetres centimeter zentimeter"),
    ("length", "1", "m metre metres meter meters metern"),
    ("length", "1000", "km kilometre kilometres kilometer kilometers"),
    ("mile", "1", "mile miles"),
    ("inch", "1", "inch inches zoll"),
    ("foot", "1", "ft foot feet"),
    ("area", "1", "m² m2 qm sqm quadratmeter quadratmetern"),
    ("volume", "0.001", "ml millilitre millilitres milliliter"),
    ("volume", "1", "l litre litres liter liters litern"),
    ("volume", "1000", "m³ m3 cbm kubikmeter kubikmetern"),
    ("mass", "1", "g gram grams gramm"),
    ("mass", "1000", "kg kilo kilos kilogram kilograms kilogramm"),
    ("mass", "1000000", "t ton tons tonne tonnes tonnen"),
    ("pressure", "1", "bar"),
    ("pressure", "0.001", "mbar hPa"),
    ("celsius", "1", "°C celsius"),
    ("fahrenheit", "1", "°F fahrenheit"),
    ("degree", "1", "° degree degrees grad"),
    ("energy", "0.001", "Wh"),
    ("energy", "1", "kWh kilowattstunde kilowattstunden"),
    ("energy", "1000", "MWh"),
    ("power", "1", "W watt watts"),
    ("power", "1000", "kW kilowatt kilowatts"),
    ("volt", "1", "V volt volts"),
    ("ampere", "1", "amp amps ampere"),
    ("speed", "1", "km/h"),
    ("data", "1", "MB"),
    ("data", "1000", "GB"),
    ("data", "1000000", "TB"),
)
_MONEY = frozenset({"EUR", "GBP", "USD", "CHF", "JPY"})
_UNITS = {
    name: Unit(dimension, Decimal(factor), dimension in _MONEY)
    for dimension, factor, names in _TABLE
    for name in words(names)
}
_AFTER = re.compile(r"[\s\u00a0\u202f-]?(?P<name>km/h|m[23²³]|°[CF]?|[€£$¥%]|[^\W\d_]+)(?![\w²³])")
# "30 working days" and "30 Urlaubstage" are days.
_KINDS = frozenset(
    words("working calendar business full further consecutive more weitere weiteren weiterer volle vollen")
)
_COMPOUND = re.compile(r"[A-ZÄÖÜ][a-zäöüß]+?(?P<name>tage|tagen|stunden|wochen|monate|jahre)")
_BEFORE = re.compile(r"(?P<sign>[€£$¥]|(?:EUR|GBP|USD|CHF|JPY)(?![A-Za-z]))[\s\u00a0\u202f]?")
_WORD = re.compile(r"[€£$¥%]|°C|[^\W\d_]{2,}")
_SHORTEST_COMPOUND = 6
_POWERS = {"square": "m²", "cubic": "m³"}
_METRES = re.compile(r"[ -]met(?:re|er)s?(?![^\W_])", re.IGNORECASE)
_HOURS = re.compile(r"[ -]hours?(?![^\W_])", re.IGNORECASE)
_DEGREES = re.compile(r"\s+(?i:celsius|c\b)")


def unit_after(text: str, start: int) -> tuple[Unit, int] | None:
    """Return the unit that follows a number which ends at `start`, and where the unit ends."""
    match = _AFTER.match(text, start)
    if match and match["name"] in _KINDS:
        match = _AFTER.match(text, match.end())
    if not match:
        return None
    name = match["name"]
    if name.lower() in _POWERS and (metres := _METRES.match(text, match.end())):
        return _UNITS[_POWERS[name.lower()]], metres.end()
    compound = _COMPOUND.fullmatch(name) if len(name) > _SHORTEST_COMPOUND else None
    unit = _lookup(name) or (_lookup(compound["name"]) if compound else None)
    if unit is None:
        return None
    if unit.dimension == "power" and (hours := _HOURS.match(text, match.end())):
        return _UNITS["kWh" if name.lower().startswith("kilo") else "Wh"], hours.end()
    if unit.dimension == "degree" and (celsius := _DEGREES.match(text, match.end())):
        return _UNITS["°C"], celsius.end()
    return unit, match.end()


def currency_before(text: str, start: int) -> tuple[Unit, int] | None:
    """Return the currency that begins at `start`, and where its amount may begin."""
    match = _BEFORE.match(text, start)
    return (_UNITS[match["sign"]], match.end()) if match else None


def dimensions(text: str) -> frozenset[str]:
    """Return the dimensions of the units that a text names, with or without a number."""
    return frozenset(unit.dimension for word in set(_WORD.findall(text)) if (unit := _lookup(word)))


def _lookup(name: str) -> Unit | None:
    if unit := _UNITS.get(name):
        return unit
    return _UNITS.get(name.lower()) if len(name) > 1 else None
