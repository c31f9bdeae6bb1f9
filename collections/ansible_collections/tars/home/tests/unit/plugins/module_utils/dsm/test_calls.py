# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of DSM calls is complete: what is called is in it, and what is in it is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.tars.home.plugins.module_utils.dsm.calls import REGISTRY

PLUGINS = Path(__file__).parents[5] / "plugins"
SOURCES = [
    path
    for path in [*PLUGINS.glob("module_utils/dsm/**/*.py"), *PLUGINS.glob("modules/dsm_*.py")]
    if path != PLUGINS / "module_utils/dsm/calls.py"
]


def names(path: Path) -> Iterator[str]:
    """Yield every name and attribute that a file uses."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_every_call_of_the_registry_is_used() -> None:
    used = {name for path in SOURCES for name in names(path)}
    assert set(REGISTRY) - used == set()


def test_no_source_makes_a_call_beside_the_registry() -> None:
    # By its types the client takes nothing but a Call; here nobody makes one.
    makers = [
        path.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Call"
    ]
    assert makers == []


def test_no_source_names_an_api_beside_the_registry() -> None:
    named = {path.name for path in SOURCES if re.search(r'"SYNO\.[A-Za-z.]+"', path.read_text())}
    assert named == {"errors.py"}


def test_no_two_names_stand_for_the_same_call() -> None:
    assert len(set(REGISTRY.values())) == len(REGISTRY)
