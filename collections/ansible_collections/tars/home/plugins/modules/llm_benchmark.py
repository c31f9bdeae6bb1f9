#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: llm_benchmark
short_description: Measure how fast an Ollama server answers
description:
  - Loads the model from disk, warms up, then lets it answer O(epochs) times, each to another fixed prompt of the same
    length, with a fixed seed and temperature 0. This is the method of Ollama's own benchmark.
  - Reports the time to the first token, prefill and decode in tokens per second, and how much of the model lies in the
    GPU's memory, and compares with the last run in O(history) by a permutation test.
  - Fails where the model is slower than O(floor_tokens_per_s), slower than the card's memory allows, or, with O(gpu),
    not wholly in the GPU's memory. A silent fall-back to the processor fails by that name.
  - The run is added to O(history) before anything fails.
attributes:
  check_mode:
    support: full
    description: Measures nothing.
  diff_mode:
    support: none
    description: Nothing is changed.
  idempotent:
    support: full
    description: Never reports a change; the model stays loaded, as after any question.
options:
  model:
    description: The model by its name in Ollama's library. The server must hold it.
    type: str
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
  num_ctx:
    description: Size of the context in tokens. It decides about memory, so measure with what is used.
    type: int
    default: 4096
  prompt_tokens:
    description: Length of the prompts in tokens, about.
    type: int
    default: 512
  output_tokens:
    description: Longest answer in tokens.
    type: int
    default: 128
  seed:
    description: Seed of the answers.
    type: int
    default: 1
  epochs:
    description: How many answers are measured; at least two.
    type: int
    default: 6
  warmups:
    description: How many answers are not counted before.
    type: int
    default: 1
  gpu:
    description: Whether the model is meant to lie wholly in a GPU's memory.
    type: bool
    default: false
  floor_tokens_per_s:
    description: Slowest mean decode, in tokens per second, that passes.
    type: float
    default: 20.0
  memory_bandwidth_gb_s:
    description:
      - Bandwidth of the GPU's memory in GB/s. Not given, it is looked up by the card's name, for a few cards.
      - Every weight is read once for a token, so decode is at most bandwidth by weights. Published measurements reach
        0.58 of that and more; slower than 0.8 of 0.58 fails.
    type: float
  history:
    description: File on the controller, one JSON object a line, that the run is added to. Is created.
    type: path
    required: true
  step:
    description: Which part of the course a call is. Filled in by the action plugin.
    type: str
    choices: [load, answer]
    default: load
  number:
    description: Number of the prompt. Filled in by the action plugin.
    type: int
    default: 0
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Measure the chat model
  tars.home.llm_benchmark:
    container: tars-ollama-1
    model: llama3.1:8b
    num_ctx: 8192
    gpu: true
    history: "{{ inventory_dir }}/recorded/benchmark.jsonl"
"""

RETURN = r"""
run:
  description: The run as it was added to O(history), with each epoch and the summary of all.
  returned: when measured
  type: dict
  sample: {"model": "llama3.1:8b", "summary": {"decode_tps": {"mean": 57.1, "sd": 0.2}}}
comparison:
  description: What changed since the last run of the same model and lengths, in words.
  returned: when measured
  type: str
  sample: "decode 57.1 tok/s, 3.1 % slower than on 2026-11-01 (p = 0.002)"
objections:
  description: Why the run does not pass.
  returned: when measured
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.nvidia import smi as nvidia_smi
from ansible_collections.tars.home.plugins.module_utils.ollama import api as ollama
from ansible_collections.tars.home.plugins.module_utils.ollama import benchmark as llm_benchmark


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ollama.SERVER,
            "model": {"type": "str", "required": True},
            "num_ctx": {"type": "int", "default": 4096},
            # Not the tokens that are secrets.
            "prompt_tokens": {"type": "int", "default": 512, "no_log": False},
            "output_tokens": {"type": "int", "default": 128, "no_log": False},
            "seed": {"type": "int", "default": 1},
            "epochs": {"type": "int", "default": 6},
            "warmups": {"type": "int", "default": 1},
            "gpu": {"type": "bool", "default": False},
            "floor_tokens_per_s": {"type": "float", "default": 20.0, "no_log": False},
            "memory_bandwidth_gb_s": {"type": "float"},
            "history": {"type": "path", "required": True},
            "step": {"type": "str", "choices": ["load", "answer"], "default": "load"},
            "number": {"type": "int", "default": 0},
        },
        required_one_of=[("url", "container")],
        mutually_exclusive=[("url", "container")],
        supports_check_mode=True,
    )
    if module.params["epochs"] < 2:
        module.fail_json(msg=f"epochs is {module.params['epochs']}; a spread needs at least 2, a comparison 6.")
    if module.check_mode:
        module.exit_json(changed=False)
    url = ollama.address(module.run_command, module.get_bin_path("docker"), module.params)
    if not url:
        name = module.params["container"]
        module.fail_json(msg=f"Container {name} does not run. Next: docker logs {name}")
    try:
        module.exit_json(changed=False, **(load if module.params["step"] == "load" else answer)(module, url))
    except ollama.OllamaError as error:
        module.fail_json(msg=f"{error}. Next: see that the server runs and holds the model (ollama list), then again.")


def load(module: AnsibleModule, url: str) -> dict:
    """What is measured on what, and how long it takes from disk."""
    model = module.params["model"]
    found = llm_benchmark.identity(url, model)
    llm_benchmark.unload(url, model)
    seconds = llm_benchmark.load(url, model, module.params["num_ctx"])
    return {"identity": found, "load_s": seconds, "resident": llm_benchmark.resident(url, model), "gpus": cards(module)}


def cards(module: AnsibleModule) -> list:
    """The machine's NVIDIA cards; none without their driver's tool."""
    program = module.get_bin_path("nvidia-smi")
    if program is None:
        return []
    return nvidia_smi.gpus(module.run_command(nvidia_smi.command(program))[1])


def answer(module: AnsibleModule, url: str) -> dict:
    """One answer, measured."""
    params = module.params
    text = llm_benchmark.prompt(params["prompt_tokens"], params["number"])
    measured = llm_benchmark.measure(
        url, params["model"], text, params["num_ctx"], params["output_tokens"], params["seed"]
    )
    return {"answer": measured}


if __name__ == "__main__":
    main()
