# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed secrets: mistakes are named by their place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_provision.recovery.check_words import TypingError, groups, parse

SECRET = "aB3_xyzQ-09kLmNoPqRsTuVwXyZ12345"


def typed(secret: str, name: str = "key") -> str:
    return " ".join(f"{group} {word}" for group, word in groups(name, secret))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_what_is_printed_can_be_typed(secret: str) -> None:
    assert parse("key", typed(secret)) == secret


def test_capital_check_words_and_a_plain_secret_are_accepted() -> None:
    words = typed(SECRET).split()
    assert parse("key", " ".join(word.upper() if number % 2 else word for number, word in enumerate(words))) == SECRET
    assert parse("key", f" {SECRET}\n") == SECRET


@pytest.mark.parametrize("number", range(8))
def test_one_wrong_character_is_named_by_its_group(number: int) -> None:
    words = typed(SECRET).split()
    group = words[2 * number]
    words[2 * number] = ("x" if group[0] != "x" else "y") + group[1:]
    with pytest.raises(TypingError, match=rf"the key, group {number + 1}: "):
        parse("key", " ".join(words))


def test_swapped_missing_and_foreign_groups() -> None:
    words = typed(SECRET).split()
    with pytest.raises(TypingError, match="group 2: "):
        parse("key", " ".join([*words[:2], *words[4:6], *words[2:4], *words[6:]]))
    with pytest.raises(TypingError, match="found 7 groups; expected more groups"):
        parse("key", " ".join(words[:14]))
    with pytest.raises(TypingError, match="group 8 without a check word"):
        parse("key", " ".join(words[:15]))
    with pytest.raises(TypingError, match="the vault password, group 1: "):
        parse("vault password", typed(SECRET))


def test_a_wrong_group_is_almost_never_accepted() -> None:
    rng = random.Random(7)
    words, accepted = typed(SECRET).split(), 0
    for _ in range(2000):
        other = "".join(rng.choices("abcdefghijkmnopqrstuvwxyz23456789", k=4))
        try:
            parse("key", " ".join([other, *words[1:]]))
            accepted += other != words[0]
        except TypingError:
            pass
    assert accepted < 10
