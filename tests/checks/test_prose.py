# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of the repository: none of the words in banned_words.yml, outside their standard meaning."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKS = Path(__file__).parent


def load_prose() -> ModuleType:
    """Load prose.py, which also runs as a program of its own."""
    specification = importlib.util.spec_from_file_location("tars_checks_prose", CHECKS / "prose.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


prose = load_prose()


def test_no_banned_words() -> None:
    lines = [finding for name, text in prose.tracked() for finding in prose.findings(name, text)]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "the wished state"),
        ("a.py", "WISHES = 1"),
        ("a.py", "def with_unborn() -> None: ..."),
        ("a.md", "what dockerd\nsaid"),
        ("a.md", "Make room on it."),
        ("a.yml", "- name: Have the models"),
        ("a.py", "# the name\n# is no\n# port"),
        ("a.py", 'f"{value} is "\n"no port"'),
        ("a.md", "all is well"),
        ("a.md", "Twelve looks that change nothing"),
        ("a.md", "the program that looks after the interface"),
        ("a.py", "class Door:\n    pass"),
        ("a.py", "for one in values:\n    pass"),
        ("a.py", "def read(found: int) -> int: ..."),
        ("a.py", "values = [\n    each\n    for each in range(2)\n]"),
        ("a.yml", "description: Who may reach the ports"),
        ("a.py", '"""The next round reads it."""'),
    ],
)
def test_a_banned_word_is_found(name: str, text: str) -> None:
    assert prose.findings(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "there is no such user; the file is no longer needed"),
        ("a.md", "IPv6 as well as IPv4, a well-known port, well below the limit"),
        ("a.md", "look up the name, look for the file, a file that looks like a share"),
        ("a.md", "the dishwasher is in the boiler room"),
        ("a.md", "Have you restarted it?"),
        ("a.md", "Who serviced the boiler? Who may park in the yard?"),
        ("a.md", "stubborn, killed, still, skill, border, outdoors, mushroom"),
        ("a.py", "names = [one for one in values]\nround(2.5)\nround_trip = 1"),
        ("a.md", "found 'x', expected a port; each of them, one by one"),
    ],
)
def test_the_standard_meaning_is_accepted(name: str, text: str) -> None:
    assert prose.findings(name, text) == []
