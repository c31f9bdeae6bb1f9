# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented options of the dsm_* modules are those of their argument specifications."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.doc_fragments.dsm import ModuleDocFragment

PACKAGE = "ansible_collections.tars.home.plugins.modules"
COLLECTION = Path(__file__).parents[4]
NAMES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("dsm_*.py"))


class TakenError(Exception):
    """Carries the argument spec out of a module's main()."""


def shape(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "choices": option.get("choices"),
            "default": option.get("default"),
            "options": shape(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_documented_options_are_the_taken_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{PACKAGE}.{name}")

    def take(self: AnsibleModule, argument_spec: dict[str, Any], supports_check_mode: bool) -> None:
        assert supports_check_mode
        raise TakenError(argument_spec)

    monkeypatch.setattr(AnsibleModule, "__init__", take)
    with pytest.raises(TakenError) as taken:
        module.main()
    documented = yaml.safe_load(module.DOCUMENTATION)
    fragment = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    options = {key: {**fragment.get(key, {}), **own} for key, own in {**fragment, **documented["options"]}.items()}
    assert shape(options) == shape(taken.value.args[0])


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_return_values_are_yaml(name: str) -> None:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    assert yaml.safe_load(module.EXAMPLES)
    for value in yaml.safe_load(module.RETURN).values():
        assert {"description", "returned", "type"} <= set(value)
