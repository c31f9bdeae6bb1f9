# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of the desktop document is what they take."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

PACKAGE = "ansible_collections.tars.home.plugins.modules"
MODULES = Path(__file__).parents[4] / "plugins" / "modules"
# Actions without a module.
ACTIONS = {"backup_command", "os_release"}
NAMES = sorted({path.stem for path in MODULES.glob("[!_]*.py") if not path.stem.startswith("dsm_")} - ACTIONS)


class TakenError(Exception):
    """Carries the argument spec out of a module's main()."""


def shape(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "options": shape(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_documented_options_are_the_taken_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{PACKAGE}.{name}")

    def take(self: AnsibleModule, argument_spec: dict[str, Any], **rules: Any) -> None:
        assert rules["supports_check_mode"]
        raise TakenError(argument_spec)

    monkeypatch.setattr(AnsibleModule, "__init__", take)
    with pytest.raises(TakenError) as taken:
        module.main()
    assert shape(yaml.safe_load(module.DOCUMENTATION)["options"]) == shape(taken.value.args[0])


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_return_values_are_yaml(name: str) -> None:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    assert yaml.safe_load(module.EXAMPLES)[0]["name"]
    for value in yaml.safe_load(module.RETURN).values():
        assert {"description", "returned", "type"} <= set(value)
