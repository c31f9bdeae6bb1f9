# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate the READMEs of the collection's roles from their argument specs, as ansible-doc reads them.

`python -m tars_provision.ansible.role_pages` writes them, and the list of roles in the collection's own README.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tars_provision.project import ROOT

COLLECTION = ROOT / "collections/ansible_collections/tars/home"
NAME = "tars.home"
REGENERATE = "python -m tars_provision.ansible.role_pages"
_INDEX = re.compile(r"(?<=<!-- roles -->\n).*?(?=<!-- end of roles -->)", re.DOTALL)
# O(option), V(value), C(code), M(module) and their like, as ansible-doc marks words up.
_MARKUP = re.compile(r"\b[OVCIBM]\(([^()]*)\)")
_HEAD = "| Variable | Value | Default | Meaning |\n|---|---|---|---|\n"

Entry = dict[str, Any]


def documented() -> dict[str, dict[str, Entry]]:
    """Return the entry points of every role of the collection, by the role's short name."""
    names = sorted(path.parents[1].name for path in COLLECTION.glob("roles/*/meta/argument_specs.yml"))
    shown = subprocess.run(
        [Path(sys.executable).with_name("ansible-doc"), "-t", "role", "-j", *(f"{NAME}.{name}" for name in names)],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=True,
        capture_output=True,
        text=True,
    )
    roles: dict[str, Any] = json.loads(shown.stdout)
    return {name: roles[f"{NAME}.{name}"]["entry_points"] for name in names}


def files() -> dict[Path, str]:
    """Return every generated file with what it should hold."""
    roles = documented()
    pages = {COLLECTION / "roles" / name / "README.md": readme(name, points) for name, points in roles.items()}
    own = COLLECTION / "README.md"
    rows = [f"| [{name}](roles/{name}/README.md) | {roles[name]['main']['short_description']} |\n" for name in roles]
    return {**pages, own: _INDEX.sub(f"| Role | For |\n|---|---|\n{''.join(rows)}", own.read_text())}


def readme(name: str, points: dict[str, Entry]) -> str:
    """Return the README of one role."""
    main = points["main"]
    parts = [
        "<!-- SPDX-License-Identifier: GPL-3.0-or-later -->",
        f"<!-- Generated from meta/argument_specs.yml by `{REGENERATE}`. -->",
        f"# {name}\n",
        f"{main['short_description']}.\n",
        *(f"{paragraph}\n" for paragraph in _paragraphs(main)),
        f"{_platforms(name)}\n",
        "## Variables\n",
        _table(main["options"]),
    ]
    described = {"main": main["options"]}
    for point, entry in points.items():
        if point != "main":
            heading = f"## `tasks_from: {point}`\n"
            parts += [heading, f"{' '.join([entry['short_description'] + '.', *_paragraphs(entry)])}\n"]
            same = [known for known, options in described.items() if options == entry["options"]]
            parts += [f"Its variables are those of `{same[0]}`.\n"] if same else [_table(entry["options"])]
            described[point] = entry["options"]
    return "\n".join(parts)


def _platforms(name: str) -> str:
    galaxy = yaml.safe_load((COLLECTION / "roles" / name / "meta/main.yml").read_text())["galaxy_info"]
    systems = [f"{system['name']} ({', '.join(system['versions'])})" for system in galaxy.get("platforms", ())]
    return f"For {' and '.join(systems)}." if systems else "Runs on the controller."


def _table(options: dict[str, Any]) -> str:
    return _HEAD + "".join(_rows("", options))


def _rows(path: str, options: dict[str, Any]) -> Iterator[str]:
    for name, option in options.items():
        meaning = " ".join(_paragraphs(option)).replace("|", "\\|")
        yield f"| `{path}{name}` | {_value(option)} | {_default(option)} | {meaning} |\n"
        below = f"{path}{name}[]." if option.get("type") == "list" else f"{path}{name}."
        yield from _rows(below, option.get("options", {}))


def _paragraphs(entry: Entry) -> list[str]:
    description = entry.get("description", [])
    lines = [description] if isinstance(description, str) else description
    return [_MARKUP.sub(r"`\1`", " ".join(line.split())) for line in lines]


def _value(option: Entry) -> str:
    kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
    return " or ".join(f"`{choice}`" for choice in option["choices"]) if "choices" in option else kind


def _default(option: Entry) -> str:
    if option.get("required"):
        return "required"
    return f"`{json.dumps(option['default'])}`" if "default" in option else "optional"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
