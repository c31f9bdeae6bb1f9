# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nas: its options are those of the modules that it calls."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


def shape(options: dict[str, Any]) -> dict[str, Any]:
    """Names, types, choices and defaults of options, without their descriptions."""
    return {
        name: {key: option[key] for key in ("type", "elements", "required", "choices", "default") if key in option}
        | {"options": shape(option.get("suboptions") or option.get("options") or {})}
        for name, option in options.items()
    }


@pytest.mark.parametrize(
    "variable, module, option",
    [
        ("nas_shares", "dsm_share", "shares"),
        ("nas_exports", "dsm_nfs", "exports"),
        ("nas_users", "dsm_account", "users"),
        ("nas_groups", "dsm_account", "groups"),
        ("nas_permissions", "dsm_permission", "shares"),
        ("nas_snapshots", "dsm_snapshot", "shares"),
        ("nas_packages", "dsm_package", "packages"),
        ("nas_tasks", "dsm_task", "tasks"),
        ("nas_firewall_sections", "dsm_firewall", "sections"),
    ],
)
def test_the_role_has_the_options_of_the_module(root: Path, variable: str, module: str, option: str) -> None:
    collection = root / "collections/ansible_collections/tars/home"
    specs = yaml.safe_load((collection / "roles/nas/meta/argument_specs.yml").read_text())["argument_specs"]
    source = (collection / "plugins/modules" / f"{module}.py").read_text()
    documented = re.search(r'DOCUMENTATION = r"""(.*?)"""', source, re.DOTALL)
    assert documented is not None
    module_options = yaml.safe_load(documented.group(1))["options"][option]
    for entry in ("main", "verify"):
        assert shape(specs[entry]["options"][variable]["options"]) == shape(module_options["suboptions"])
