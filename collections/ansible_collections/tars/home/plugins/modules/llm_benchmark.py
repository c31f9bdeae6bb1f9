#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: llm_benchmark
short_description: Measure how fast an Ollama server answers
description:
  - Loads the model from disk, warms up, then requests O(epochs) answers, each to another fixed prompt of the same
    length, with a fixed seed and temperature 0. This is the method of Ollama's own benchmark.
  - Reports the time to the first token, prefill and decode in tokens per second, and how much of the model is in the
    GPU's memory, and compares with the last run in O(history) by a permutation test.
  - Fails if the model is slower than O(floor_tokens_per_s), slower than the card's memory allows, or, with O(gpu), not
    completely in the GPU's memory. An unnoticed fall-back to the processor is reported as such.
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
    description: The model by its name in Ollama's library. The server must have it.
    type: str
    required: true
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
  num_ctx:
    description: Size of the context in tokens. It determines the memory, so measure with the size that is used.
    type: int
    default: 4096
  prompt_tokens:
    description: Approximate length of the prompts in tokens.
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
    description: Number of measured answers; at least two.
    type: int
    default: 6
  warmups:
    description: Number of earlier answers that are not counted.
    type: int
    default: 1
  gpu:
    description: Whether the model must be completely in a GPU's memory.
    type: bool
    default: false
  floor_tokens_per_s:
    description: Slowest mean decode, in tokens per second, that passes.
    type: float
    default: 20.0
  memory_bandwidth_gb_s:
    description:
      - Bandwidth of the GPU's memory in GB/s. By default it is looked up by the card's name, which a few cards have.
      - Every weight is read once for a token, so decode is at most bandwidth divided by weights. Published values reach
        0.58 of that and more; slower than 0.8 of 0.58 fails.
    type: float
  history:
    description: File on the controller with one JSON object a line, to which the run is added. It is created if needed.
    type: path
    required: true
  step:
    description: The part of the benchmark of this call. Filled in by the action plugin.
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
  description: The change since the last run of the same model and lengths, in words.
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

import shutil
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.nvidia import smi
from ansible_collections.tars.home.plugins.module_utils.ollama import api, benchmark
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask
from ansible_collections.tars.home.plugins.module_utils.system.process import PROGRAMS, attempt


def run(module: Module) -> dict[str, Any]:
    """Measure one part of the benchmark: loading, or one answer."""
    params = module.params
    if params["epochs"] < 2:
        module.fail_json(msg=f"epochs: found {params['epochs']}, expected at least 2 for a spread, 6 for a comparison.")
    if module.check_mode:
        return {"changed": False}
    url = api.address(attempt, shutil.which("docker", path=PROGRAMS), params)
    if not url:
        name = params["container"]
        module.fail_json(msg=f"Container {name} does not run. Next: docker logs {name}")
    try:
        return {"changed": False, **(load if params["step"] == "load" else answer)(params, url)}
    except api.OllamaError as error:
        module.fail_json(
            msg=f"{error}. Next: check that the server runs and has the model (ollama list), then run again."
        )


def load(params: dict[str, Any], url: str) -> dict[str, Any]:
    """Load the model; return server, model, seconds it took, memory, and cards."""
    model = params["model"]
    identity = benchmark.identity(url, model)
    benchmark.unload(url, model)
    seconds = benchmark.load(url, model, params["num_ctx"])
    return {"identity": identity, "load_s": seconds, "resident": benchmark.resident(url, model), "gpus": cards()}


def cards() -> list[dict[str, Any]]:
    """Return the machine's NVIDIA cards; none without the driver's tool."""
    program = shutil.which("nvidia-smi", path=PROGRAMS)
    return smi.gpus(attempt(smi.command(program)).output) if program else []


def answer(params: dict[str, Any], url: str) -> dict[str, Any]:
    """Measure one answer."""
    text = benchmark.prompt(params["prompt_tokens"], params["number"])
    measured = benchmark.measure(url, params["model"], text, params["num_ctx"], params["output_tokens"], params["seed"])
    return {"answer": measured}


TASK = ModuleTask(
    {
        **api.SERVER,
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
    run,
    {"required_one_of": [("url", "container")], "mutually_exclusive": [("url", "container")]},
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
