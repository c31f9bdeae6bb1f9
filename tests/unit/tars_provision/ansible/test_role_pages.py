# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles' READMEs say is what the roles take."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tars_provision.ansible import role_pages
from tars_provision.project import ROOT


@pytest.fixture(scope="module")
def documented() -> dict[str, dict[str, role_pages.Entry]]:
    return role_pages.documented()


def test_the_readmes_match_the_argument_specs() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in role_pages.files().items() if path.read_text() != text]
    assert not stale, f"{', '.join(stale)}: out of date; run `{role_pages.REGENERATE}`"


def test_the_documented_defaults_are_the_real_ones(documented: dict[str, dict[str, role_pages.Entry]]) -> None:
    wrong = []
    for name, points in documented.items():
        taken = defaults(role_pages.COLLECTION / "roles" / name)
        documented_defaults: dict[str, Any] = {}
        for entry in points.values():
            documented_defaults |= {option: spec.get("default") for option, spec in entry["options"].items()}
        for option, value in taken.items():
            if option not in documented_defaults:
                wrong.append(f"{option} has a default and is not documented")
            # A computed default is described in words.
            elif "{{" not in str(value) and (value or None) != (documented_defaults[option] or None):
                wrong.append(f"{option} is {value!r} and documented as {documented_defaults[option]!r}")
    assert not wrong, "\n".join(wrong)


def defaults(role: Path) -> dict[str, Any]:
    path = role / "defaults/main.yml"
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def test_markup_tables_and_nested_options_come_out_as_markdown() -> None:
    option: dict[str, Any] = {"type": "list", "elements": "dict", "default": [], "description": ["As V(a|b)."]}
    option["options"] = {"port": {"type": "int", "required": True, "description": "See O(other)."}}
    main: dict[str, Any] = {"short_description": "Short", "options": {"base_things": option}}
    page = role_pages.readme(
        "base", {"main": main, "verify": {"short_description": "Compare", "options": main["options"]}}
    )
    assert "| `base_things` | list of dict | `[]` | As `a\\|b`. |" in page
    assert "| `base_things[].port` | int | required | See `other`. |" in page
    assert "## `tasks_from: verify`\n\nCompare.\n\nIts variables are those of `main`." in page
