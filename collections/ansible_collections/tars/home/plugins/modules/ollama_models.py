#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_models
short_description: Pull and delete models of an Ollama server
description:
  - Pulls the models of the list that the server does not have yet. The next run continues an interrupted pull.
  - With O(record), the first digest of each model is recorded, and the module fails for a model with another digest,
    because its tag was moved. A present model is not pulled again.
  - With O(folder), every file of a pulled model is compared with the SHA-256 in its name. The server only does that
    while it pulls.
attributes:
  check_mode:
    support: full
    description: Reports which models would be pulled and deleted; all of them if the server does not run yet.
  diff_mode:
    support: full
    description: Shows the models with their digests before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  models:
    description: Models by name, by default with the tag C(latest).
    type: list
    elements: str
    required: true
  exclusive:
    description: Whether models that are not in the list are deleted.
    type: bool
    default: false
  unload:
    description: Whether models that are not in the list are removed from memory.
    type: bool
    default: false
  record:
    description: YAML file on the controller with the digest of each model. It is created if needed.
    type: path
  recorded:
    description: The content of O(record). Filled in by the action plugin.
    type: dict
    default: {}
  folder:
    description: The server's store on this machine, which contains C(blobs) and C(manifests).
    type: path
  verify:
    description: The models whose files are compared with their SHA-256, the pulled ones or all of the list. It takes
      one or two seconds per gigabyte.
    type: str
    choices: [pulled, all]
    default: pulled
  examine:
    description: Models whose files are compared in this call. Filled in by the action plugin.
    type: list
    elements: str
    default: []
  url:
    description: Address of the server, such as V(http://127.0.0.1:11434).
    type: str
  container:
    description: Name of the server's container. Its address comes from Docker, so no port has to be published.
    type: str
  port:
    description: The server's port in O(container).
    type: int
    default: 11434
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Pull the models
  tars.home.ollama_models:
    container: tars-ollama-1
    models: ["llama3.1:8b", nomic-embed-text]
    record: "{{ inventory_dir }}/recorded/models.yml"
    folder: /var/lib/tars/ollama
"""

RETURN = r"""
changes:
  description: The models that were, or in check mode would be, pulled, deleted and removed from memory.
  returned: success
  type: list
  elements: str
  sample: ["pull llama3.1:8b"]
digests:
  description: The digest of each model of the list that the server has.
  returned: success
  type: dict
  sample: {"llama3.1:8b": "46e0c10c039e019119339687c3c1757cc81b9da49709a3b3924863ba87ca666e"}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.ollama import api, store
from ansible_collections.tars.home.plugins.module_utils.ollama.models import Goal, State
from ansible_collections.tars.home.plugins.module_utils.ollama.server import Server
from ansible_collections.tars.home.plugins.module_utils.resource.change import Change
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, ensure


def resource(params: Mapping[str, Any], check_mode: bool = False) -> Resource[State, Change]:
    """Return the models as a resource."""
    names = list(dict.fromkeys(params["models"]))
    goal = Goal(names, params["recorded"], params["record"] or "", params["exclusive"], params["unload"])
    return Server(params, goal, check_mode).resource()


def run(module: Module) -> dict[str, Any]:
    """Compare the files of models, or ensure the models."""
    if not module.params["examine"]:
        return ensure(module, resource(module.params, module.check_mode))
    for name in module.params["examine"]:
        problems = store.damaged(module.params["folder"], name)
        if problems:
            raise store.StoreError(
                f"{name}: {'; '.join(problems)}. Next: check the disk's health (smartctl), remove the model (ollama rm "
                f"{name}) and run again to pull it."
            )
    return {"changed": False}


TASK = ModuleTask(
    {
        **api.SERVER,
        "models": {"type": "list", "elements": "str", "required": True},
        "exclusive": {"type": "bool", "default": False},
        "unload": {"type": "bool", "default": False},
        "record": {"type": "path"},
        "recorded": {"type": "dict", "default": {}},
        "folder": {"type": "path"},
        "verify": {"type": "str", "choices": ["pulled", "all"], "default": "pulled"},
        "examine": {"type": "list", "elements": "str", "default": []},
    },
    run,
    {"required_one_of": [("url", "container")], "mutually_exclusive": [("url", "container")]},
    resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
