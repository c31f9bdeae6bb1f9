# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark against the real model server, run with plain Ansible."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ollama
import pytest

from .conftest import CHAT, Relay, Server

pytestmark = pytest.mark.integration


def benchmark(server: Server, folder: Path, **more: Any) -> tuple[int, str, list[dict[str, Any]]]:
    """Run the module in a playbook; return its exit code, its output, and the history."""
    history = folder / "history.jsonl"
    arguments = {"url": server.url, "model": CHAT, "num_ctx": 1024, "prompt_tokens": 40, "output_tokens": 24}
    task = {"tars.home.llm_benchmark": {**arguments, "epochs": 2, "history": str(history), **more}}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Measure", **task}]}]
    (folder / "play.yml").write_text(json.dumps(play))
    finished = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", folder / "play.yml"],
        env={**os.environ, "ANSIBLE_CONFIG": str(server.root / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        cwd=server.root,
        capture_output=True,
        text=True,
    )
    lines = history.read_text().splitlines() if history.exists() else []
    return finished.returncode, finished.stdout + finished.stderr, [json.loads(line) for line in lines]


@pytest.mark.usefixtures("models")
def test_the_speed_agrees_with_the_clock_and_the_server(server: Server, client: ollama.Client, tmp_path: Path) -> None:
    code, output, runs = benchmark(server, tmp_path, floor_tokens_per_s=0.01, epochs=6, output_tokens=96)
    assert code == 0, output
    (run,) = runs
    # The server's counters against the clock on this side: other programs may delay what is received of some answers.
    ratios = [answer["client_decode_tps"] / answer["decode_tps"] for answer in run["answers"]]
    assert any(ratio == pytest.approx(1, rel=0.05) for ratio in ratios), ratios
    assert len(run["answers"]) == 6
    assert run["identity"]["digest"] == next(m.digest for m in client.list().models if m.model == CHAT)
    assert run["load_s"] > 0
    assert run["resident"]["size_bytes"] > 0
    assert all(answer["prompt_tokens"] > 20 for answer in run["answers"]), "the server answered from its cache"


@pytest.mark.usefixtures("models")
def test_the_speed_is_what_the_server_reported_over_the_same_requests(
    server: Server, relay: Relay, tmp_path: Path
) -> None:
    code, output, (run,) = benchmark(server, tmp_path, url=relay.url, floor_tokens_per_s=0.01, epochs=6)
    assert code == 0, output
    reported = [lines[-1] for lines in relay.answers("/api/generate") if lines[-1].get("eval_count")]
    assert len(reported) == run["warmups"] + 6
    reported = reported[run["warmups"] :]
    decode = [1e9 * end["eval_count"] / end["eval_duration"] for end in reported]
    prefill = [1e9 * end["prompt_eval_count"] / end["prompt_eval_duration"] for end in reported]
    assert run["summary"]["decode_tps"]["mean"] == pytest.approx(sum(decode) / 6, rel=0.05)
    assert run["summary"]["prefill_tps"]["mean"] == pytest.approx(sum(prefill) / 6, rel=0.05)
    assert [answer["output_tokens"] for answer in run["answers"]] == [end["eval_count"] for end in reported]


@pytest.mark.usefixtures("models")
def test_a_fallback_to_the_processor_is_reported_and_recorded(server: Server, tmp_path: Path) -> None:
    """This server has no GPU, which is a fallback if the spec requires one."""
    code, output, runs = benchmark(server, tmp_path, gpu=True, floor_tokens_per_s=0.01)
    assert code != 0
    assert "fall-back to the processor" in output
    assert "The memory bandwidth of no card is unknown" in " ".join(output.split())
    assert len(runs) == 1 and len(runs[0]["objections"]) == 1


@pytest.mark.usefixtures("models")
def test_a_speed_below_the_minimum_fails(server: Server, tmp_path: Path) -> None:
    code, output, runs = benchmark(server, tmp_path, floor_tokens_per_s=1e6)
    assert code != 0
    assert "too slow" in output
    assert runs


def test_a_missing_model_is_reported(server: Server, tmp_path: Path) -> None:
    code, output, runs = benchmark(server, tmp_path, model="absent:1b")
    assert code != 0
    assert "does not have absent:1b" in output
    assert runs == []
