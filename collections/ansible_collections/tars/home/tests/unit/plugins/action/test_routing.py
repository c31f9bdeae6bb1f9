# SPDX-License-Identifier: GPL-3.0-or-later
"""meta/runtime.yml leads every module that can run in Ansible's own process to an action plugin that does its work."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.tars.home.plugins.action import authority, dsm_address, dsm_info

COLLECTION = Path(__file__).parents[4]
PLUGINS = {"authority": authority, "dsm_address": dsm_address, "dsm_info": dsm_info}
RUNTIME = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())


def test_every_dsm_and_authority_module_has_an_action_plugin_with_its_task() -> None:
    redirects = {
        name: entry["redirect"].rpartition(".")[2] for name, entry in RUNTIME["plugin_routing"]["action"].items()
    }
    assert {name for name in redirects.values()} <= PLUGINS.keys()
    modules = [
        path.stem for pattern in ("dsm_*", "authority*") for path in COLLECTION.glob(f"plugins/modules/{pattern}.py")
    ]
    for name in modules:
        plugin = redirects.get(name, name)
        assert plugin in PLUGINS, f"add {name} to meta/runtime.yml"
        assert name in PLUGINS[plugin].ActionModule.tasks
    assert redirects.keys() <= set(modules)


def test_the_group_of_module_defaults_reaches_every_dsm_module() -> None:
    redirects = RUNTIME["plugin_routing"]["action"]
    assert set(RUNTIME["action_groups"]["dsm"]) == {
        redirects.get(path.stem, {"redirect": path.stem})["redirect"].rpartition(".")[2]
        for path in COLLECTION.glob("plugins/modules/dsm_*.py")
    }
