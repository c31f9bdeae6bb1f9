#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_models
short_description: Have models in an Ollama server
description:
  - Pulls the models of the list that the server does not hold yet, and reads back that they are there. A broken pull
    goes on where it was with the next run.
  - With O(record), the digest a model has when it is first met is written down, and a model that has another one later
    fails; a tag upstream may have moved. A model that is there is otherwise left as it is.
  - With O(folder), every file of a model that was pulled is compared with the SHA-256 it is named by. The server does
    so only while it pulls.
attributes:
  check_mode:
    support: full
    description: Reports which models would be pulled and deleted; all of them where the server does not run yet.
  diff_mode:
    support: full
    description: Shows the models with their digests before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  models:
    description: Models by name; without a tag, C(latest) is meant.
    type: list
    elements: str
    required: true
  exclusive:
    description: Whether models that are not in the list are deleted.
    type: bool
    default: false
  unload:
    description: Whether models that are not in the list are dropped from memory.
    type: bool
    default: false
  record:
    description: YAML file on the controller with the digest of each model. Is created.
    type: path
  recorded:
    description: What O(record) holds. Filled in by the action plugin.
    type: dict
    default: {}
  folder:
    description: The server's store on this machine, with C(blobs) and C(manifests) in it.
    type: path
  verify:
    description: Which models' files are compared with their SHA-256, those just pulled or all of the list. A gigabyte
      takes a second or two.
    type: str
    choices: [pulled, all]
    default: pulled
  examine:
    description: Models whose files are to be compared now. Filled in by the action plugin.
    type: list
    elements: str
    default: []
  url:
    description: Address of the server, such as V(http://127.0.0.1:11434).
    type: str
  container:
    description: Name of the container the server runs in. Docker tells its address, so no port has to be published.
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
pulled:
  description: The models that were, or in check mode would be, pulled.
  returned: success
  type: list
  elements: str
  sample: ["llama3.1:8b"]
deleted:
  description: The models that were, or in check mode would be, deleted.
  returned: success
  type: list
  elements: str
  sample: []
digests:
  description: The digest of each model of the list that is there.
  returned: success
  type: dict
  sample: {"llama3.1:8b": "46e0c10c039e019119339687c3c1757cc81b9da49709a3b3924863ba87ca666e"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.ollama import api as ollama
from ansible_collections.tars.home.plugins.module_utils.ollama import store as ollama_store
from ansible_collections.tars.home.plugins.module_utils.system import jobs


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ollama.SERVER,
            "models": {"type": "list", "elements": "str", "required": True},
            "exclusive": {"type": "bool", "default": False},
            "unload": {"type": "bool", "default": False},
            "record": {"type": "path"},
            "recorded": {"type": "dict", "default": {}},
            "folder": {"type": "path"},
            "verify": {"type": "str", "choices": ["pulled", "all"], "default": "pulled"},
            "examine": {"type": "list", "elements": "str", "default": []},
        },
        required_one_of=[("url", "container")],
        mutually_exclusive=[("url", "container")],
        supports_check_mode=True,
    )
    wanted = list(dict.fromkeys(module.params["models"]))
    if module.params["examine"]:
        examine(module)
    url = ollama.address(module.run_command, module.get_bin_path("docker"), module.params)
    if not url:
        if module.check_mode:
            module.exit_json(changed=bool(wanted), pulled=wanted, deleted=[], digests={})
        module.fail_json(
            msg=f"Container {module.params['container']} does not run. Next: docker logs {module.params['container']}"
        )
    try:
        module.exit_json(**converge(module, url, wanted))
    except ollama.OllamaError as error:
        module.fail_json(
            msg=f"{error}. Next: check the name in Ollama's library and the machine's way out, then run again."
        )


def converge(module: AnsibleModule, url: str, wanted: list) -> dict:
    """Delete, unload, and pull one model for a while; the action plugin calls again while something is pending."""
    recorded, exclusive = module.params["recorded"], module.params["exclusive"]
    before = ollama.held(ollama.tags(url))
    plan = ollama.plan(wanted, before, recorded, exclusive)
    refuse_moved(module, plan, before)
    idle = forgotten(module, url, wanted)
    result = {"changed": bool(plan.pull or plan.delete or idle), "pulled": plan.pull, "deleted": plan.delete}
    after = ollama.outcome(before, plan)
    if not module.check_mode:
        for name in plan.delete:
            ollama.delete(url, name)
        for name in idle:
            ollama.unload(url, name)
        line = ollama.pull(url, plan.pull[0], jobs.SLICE_S * 2) if plan.pull else None
        after = ollama.held(ollama.tags(url))
        left = ollama.plan(wanted, after, recorded, exclusive)
        refuse_moved(module, left, after)
        undone = left.delete + (plan.pull[:1] if line is None and plan.pull[:1] == left.pull[:1] else [])
        if undone:
            module.fail_json(
                msg=f"The server says it is done, but {', '.join(undone)} is as before. Next: ask {url}/api/tags"
            )
        if left.pull:
            result["pending"] = [line or f"pulled {plan.pull[0]}"]
    result["diff"] = {"before": lines(before), "after": lines(after)}
    here = {
        name: after.get(ollama.full_name(name)) for name in wanted if name not in plan.pull or not module.check_mode
    }
    result["digests"] = {name: digest for name, digest in here.items() if digest}
    return result


def refuse_moved(module: AnsibleModule, plan: ollama.Plan, here: dict) -> None:
    """Fail where a model is not the one that was recorded."""
    recorded = module.params["recorded"]
    if plan.moved:
        which = "; ".join(f"{name} was {recorded[name]}, is {here[ollama.full_name(name)]}" for name in plan.moved)
        module.fail_json(
            msg=f"A tag moved: {which}. Next: if the new model is wanted, delete its line in {module.params['record']}."
        )


def forgotten(module: AnsibleModule, url: str, wanted: list) -> list:
    """Models in memory that nobody wants there."""
    if not module.params["unload"]:
        return []
    return [name for name in ollama.loaded(url) if name not in map(ollama.full_name, wanted)]


def examine(module: AnsibleModule) -> None:
    """Compare the files of models with their names, and end."""
    for name in module.params["examine"]:
        try:
            found = ollama_store.damaged(module.params["folder"], name)
        except ollama_store.StoreError as error:
            found = [str(error)]
        if found:
            module.fail_json(
                msg=f"{name}: {'; '.join(found)}. Next: look at the disk's health (smartctl), remove the model (ollama "
                f"rm {name}) and run again to pull it."
            )
    module.exit_json(changed=False)


def lines(models: dict) -> str:
    return "".join(f"{name} {digest}\n" for name, digest in sorted(models.items()))


if __name__ == "__main__":
    main()
