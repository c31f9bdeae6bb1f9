#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_models
short_description: Have models in an Ollama server
description:
  - Pulls the models of the list that the server does not hold yet, and reads back that they are there.
  - A model that is there is left as it is, also where its name means a newer one upstream. Models not in the list stay.
  - A broken pull goes on where it was with the next run.
attributes:
  check_mode:
    support: full
    description: Reports which models would be pulled; all of them where the server does not run yet.
  diff_mode:
    support: full
    description: Shows the models before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  models:
    description: Models by name; without a tag, C(latest) is meant.
    type: list
    elements: str
    required: true
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
"""

RETURN = r"""
pulled:
  description: The models that were, or in check mode would be, pulled.
  returned: success
  type: list
  elements: str
  sample: ["llama3.1:8b"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils import jobs, ollama


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "models": {"type": "list", "elements": "str", "required": True},
            **ollama.SERVER,
        },
        required_one_of=[("url", "container")],
        mutually_exclusive=[("url", "container")],
        supports_check_mode=True,
    )
    wanted = module.params["models"]
    url = ollama.address(module.run_command, module.get_bin_path("docker"), module.params)
    if not url:
        if module.check_mode:
            module.exit_json(changed=bool(wanted), pulled=wanted)
        module.fail_json(
            msg=f"Container {module.params['container']} does not run. Next: docker logs {module.params['container']}"
        )
    try:
        missing = ollama.missing(wanted, ollama.tags(url))
        result = {"changed": bool(missing), "pulled": missing}
        result["diff"] = {
            "before": "".join(f"{name}\n" for name in wanted if name not in missing),
            "after": "".join(f"{name}\n" for name in wanted),
        }
        if missing and not module.check_mode:
            line = ollama.pull(url, missing[0], jobs.SLICE_S * 2)
            still = ollama.missing(wanted, ollama.tags(url))
            if line is None and missing[0] in still:
                module.fail_json(
                    msg=f"The server says it pulled {missing[0]}, but does not list it. Next: ask {url}/api/tags"
                )
            if still:
                result["pending"] = [line or f"pulled {missing[0]}"]
    except ollama.OllamaError as error:
        module.fail_json(
            msg=f"{error}. Next: check the name in Ollama's library and the machine's way out, then run again."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
