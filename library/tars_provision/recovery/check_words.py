# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets on paper: groups of four characters, each with a word that reveals a typing mistake and names its place.

The words have three letters, consonant, vowel, consonant, in the alphabet of proquints (arXiv:0901.4016): 1,024 words.
The word of the last group is another one than that of the same group in the middle, so missing groups are noticed.
"""

from __future__ import annotations

import hashlib

from tars_provision.errors import ProvisionError, message

GROUP = 4
SPACE = "␣"
"""How a space in a secret is printed."""

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


class TypingError(ProvisionError):
    """A typed secret does not have its check words."""


def groups(name: str, secret: str) -> list[tuple[str, str]]:
    """Return a secret in groups, each with its check word. `name` states which secret it is, such as `key`."""
    texts = [secret[start : start + GROUP] for start in range(0, len(secret), GROUP)]
    count = len(texts)
    return [
        (text.replace(" ", SPACE), _word(name, number, text, last=number == count))
        for number, text in enumerate(texts, 1)
    ]


def parse(name: str, typed: str) -> str:
    """Return the secret of typed groups and check words; a text without spaces is the secret itself, unchecked.

    Raises:
        TypingError: a check word does not belong to its group, or groups are missing; the message names the place.
    """
    words = typed.split()
    if len(words) < 2:
        return typed.strip()
    texts = [text.replace(SPACE, " ") for text in words[::2]]
    checks = [word.lower() for word in words[1::2]]
    expected = "groups of four characters, each followed by its check word of three letters"
    if len(texts) != len(checks):
        raise TypingError(message(f"the {name}", found=f"group {len(texts)} without a check word", expected=expected))
    for number, (text, check) in enumerate(zip(texts, checks, strict=True), 1):
        last = number == len(texts)
        if check == _word(name, number, text, last=last):
            continue
        if last and check == _word(name, number, text, last=False):
            raise TypingError(message(f"the {name}", found=f"{number} groups", expected="more groups after these"))
        raise TypingError(
            message(
                f"the {name}, group {number}",
                found=f"{text} {check}, which do not belong together",
                expected="the group and the word of the sheet",
                next_step="Compare this group, also capital letters, and digits with similar letters (0 O, 1 l I)",
            )
        )
    return "".join(texts)


def _word(name: str, number: int, text: str, *, last: bool) -> str:
    digest = hashlib.sha256(f"{name}:{number}:{'last' if last else ''}:{text}".encode()).digest()
    value = int.from_bytes(digest[:2], "big")
    return _CONSONANTS[value >> 12] + _VOWELS[value >> 10 & 3] + _CONSONANTS[value >> 6 & 15]
