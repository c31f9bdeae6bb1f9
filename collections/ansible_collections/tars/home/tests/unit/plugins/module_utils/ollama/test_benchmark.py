# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements of a benchmark come to."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.ollama import benchmark as llm_benchmark
from ansible_collections.tars.home.plugins.plugin_utils import benchmark

GIB = 2**30


def answers(*decode: float) -> list[dict[str, float]]:
    return [{"ttft_s": 0.3, "prefill_tps": 900.0, "decode_tps": d, "client_decode_tps": d} for d in decode]


def run(*decode: float, **more: Any) -> dict[str, Any]:
    base = {
        "time": "2026-11-22T10:00:00+00:00",
        "host": "xps8950",
        "model": "llama3.1:8b",
        "num_ctx": 8192,
        "prompt_tokens": 512,
        "output_tokens": 128,
        "identity": {"digest": "a" * 64, "quantisation": "Q4_K_M", "ollama": "0.12.6", "weights_bytes": 4_900_000_000},
        "resident": {"size_bytes": 6 * GIB, "size_vram_bytes": 6 * GIB},
        "summary": benchmark.summary(answers(*decode)),
        "answers": answers(*decode),
    }
    return {**base, **more}


STEADY = (57.0, 57.2, 56.9, 57.1, 57.3, 57.0)
SLOWER = (51.0, 51.4, 50.9, 51.2, 51.1, 51.3)


def test_a_summary_holds_mean_and_spread() -> None:
    decode = benchmark.summary(answers(1, 2, 3))["decode_tps"]
    assert decode == {"mean": 2, "sd": 1, "min": 1, "max": 3}


def test_the_permutation_test_is_exact() -> None:
    # Of the 20 ways to split 1..6 in threes, only two are as far apart as {1,2,3} and {4,5,6}.
    assert benchmark.p_value([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)
    assert benchmark.p_value([1, 2, 3], [1, 2, 3]) == 1
    assert benchmark.p_value(STEADY, SLOWER) == pytest.approx(2 / 924)


def test_large_samples_are_drawn() -> None:
    assert benchmark.p_value([float(n) for n in range(20)], [n + 100.0 for n in range(20)]) == 0


def test_a_significant_change_differs_from_noise() -> None:
    assert "no earlier run" in benchmark.compare(run(*STEADY), [])
    assert "10.4 % slower than on 2026-11-22 (p = 0.002)" in benchmark.compare(run(*SLOWER), [run(*STEADY)])
    assert "no significant change" in benchmark.compare(run(*reversed(STEADY)), [run(*STEADY)])


def test_only_like_is_compared_with_like() -> None:
    other = [run(*SLOWER, num_ctx=4096), run(*SLOWER, model="mistral:7b"), run(*SLOWER, host="other")]
    assert "no earlier run" in benchmark.compare(run(*STEADY), other)


def test_a_moved_tag_is_named() -> None:
    old = run(*STEADY)
    old["identity"] = {**old["identity"], "digest": "b" * 64}
    assert f"digest was {'b' * 64}, is {'a' * 64}" in benchmark.compare(run(*STEADY), [old])


def test_another_driver_is_named() -> None:
    card = {"name": "NVIDIA GeForce RTX 3060"}
    old, new = ([{**card, "driver": version}] for version in ("550.163.01", "570.86.15"))
    line = benchmark.compare(run(*STEADY, gpus=new), [run(*STEADY, gpus=old)])
    assert line.endswith("driver was 550.163.01, is 570.86.15")
    assert "driver" not in benchmark.compare(run(*STEADY), [run(*STEADY)])


def test_a_good_run_has_no_objection() -> None:
    assert benchmark.objections(run(*STEADY), 20, 360, gpu=True, container="ollama") == []


def test_a_fall_back_to_the_processor_is_caught_by_name() -> None:
    half = run(*STEADY, resident={"size_bytes": 6 * GIB, "size_vram_bytes": 2 * GIB})
    assert "fall-back to the processor" in benchmark.objections(half, 20, 360, gpu=True, container="ollama")[0]
    # Where no GPU is meant to be used, it is accepted.
    assert benchmark.objections(half, 20, None, gpu=False, container="ollama") == []
    on_cpu = run(9.0, 9.1, resident={"size_bytes": 6 * GIB, "size_vram_bytes": 0})
    names = [line.split(":")[0] for line in benchmark.objections(on_cpu, 20, 360, gpu=True, container="ollama")]
    assert names == ["fall-back to the processor", "too slow", "slower than the memory allows"]


@pytest.mark.parametrize(
    ("bandwidth", "size", "decode"),
    [(448, 4.92, 70.94), (760, 4.92, 106.40), (936, 4.92, 111.74)],
)
def test_published_speeds_pass(bandwidth: float, size: float, decode: float) -> None:
    """Llama 3 8B Q4_K_M on the RTX 3070, 3080 and 3090."""
    good = run(decode, decode)
    good["identity"] = {**good["identity"], "weights_bytes": int(size * 1e9)}
    assert benchmark.objections(good, 20, bandwidth, gpu=True, container="ollama") == []
    bad = copy.deepcopy(good)
    bad["summary"]["decode_tps"]["mean"] = 0.4 * bandwidth / size
    assert "slower than the memory allows" in benchmark.objections(bad, 20, bandwidth, gpu=True, container="ollama")[0]


def test_bandwidth_is_known_by_name_and_can_be_given() -> None:
    cards = [{"name": "NVIDIA GeForce RTX 3060 Ti"}]
    assert benchmark.bandwidth(None, cards) == 448
    assert benchmark.bandwidth(512.0, cards) == 512
    assert benchmark.bandwidth(None, [{"name": "another"}]) is None
    assert benchmark.bandwidth(None, []) is None


def test_prompts_are_fixed_and_differ_from_the_first_word_on() -> None:
    assert llm_benchmark.prompt(100, 3) == llm_benchmark.prompt(100, 3)
    assert llm_benchmark.prompt(100, 3).split()[0] != llm_benchmark.prompt(100, 4).split()[0]
    assert len(llm_benchmark.prompt(130, 3).split()) == pytest.approx(100, abs=12)
