# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS's profile: what it makes of the spec, and that its roles ask for what the modules take."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

SITE = {
    "hosts": {"xps8950": {"address": "10.77.0.10"}, "ds1515plus": {"address": "10.77.0.20"}},
    "machines": {"client": {"address": "10.77.0.30"}},
    "shares": {
        "LLM_docs": {
            "volume": "/volume1",
            "description": "Documents",
            "clients": {"xps8950": {"access": "ro", "mount": "/srv/docs"}, "client": {"access": "rw"}},
        },
        "quiet": {"volume": "/volume2", "description": None, "clients": {}},
    },
}


@pytest.fixture(scope="module")
def filters(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "site_shares", root / "roles/ds1515plus/filter_plugins/site_shares.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shares_of_the_spec(filters: ModuleType) -> None:
    assert filters.site_shares(SITE) == [
        {"name": "LLM_docs", "volume": "/volume1", "description": "Documents"},
        {"name": "quiet", "volume": "/volume2", "description": ""},
    ]


def test_clients_are_known_by_their_addresses(filters: ModuleType) -> None:
    assert filters.site_exports(SITE, "all_to_admin") == [
        {
            "share": "LLM_docs",
            "rules": [
                {"client": "10.77.0.10", "access": "ro", "squash": "all_to_admin"},
                {"client": "10.77.0.30", "access": "rw", "squash": "all_to_admin"},
            ],
        },
        {"share": "quiet", "rules": []},
    ]


def shape(options: dict[str, Any]) -> dict[str, Any]:
    """Names, types, choices and defaults of options, without their words."""
    return {
        name: {key: option[key] for key in ("type", "elements", "required", "choices", "default") if key in option}
        | {"options": shape(option.get("suboptions") or option.get("options") or {})}
        for name, option in options.items()
    }


@pytest.mark.parametrize("module, option", [("dsm_share", "shares"), ("dsm_nfs", "exports")])
def test_the_role_asks_for_what_the_module_takes(root: Path, module: str, option: str) -> None:
    collection = root / "collections/ansible_collections/tars/home"
    specs = yaml.safe_load((collection / "roles/nas_shares/meta/argument_specs.yml").read_text())["argument_specs"]
    source = (collection / "plugins/modules" / f"{module}.py").read_text()
    documented = re.search(r'DOCUMENTATION = r"""(.*?)"""', source, re.DOTALL)
    assert documented is not None
    theirs = yaml.safe_load(documented.group(1))["options"][option]
    for entry in ("main", "verify"):
        ours = specs[entry]["options"][f"nas_shares_{option}"]
        assert shape(ours["options"]) == shape(theirs["suboptions"])
