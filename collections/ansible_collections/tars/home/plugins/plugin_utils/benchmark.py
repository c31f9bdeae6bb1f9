# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation of a benchmark: a summary, a comparison with the last run, and objections."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = ("ttft_s", "prefill_tps", "decode_tps", "client_decode_tps")

MIN_BANDWIDTH_EFFICIENCY = 0.58
"""Lowest published decode rate divided by bandwidth / weight size: Llama 3 8B Q4_K_M (4.9 GB) on an RTX 3090,
112 of 191 tokens/s (XiongjieDai/GPU-Benchmarks-on-LLM-Inference); smaller cards reach up to 0.78."""

REQUIRED = 0.8
"""Share of that prediction below which the GPU's memory is not the limit."""

BANDWIDTH_GB_S = {
    "NVIDIA GeForce RTX 3060": 360.0,
    "NVIDIA GeForce RTX 3060 Ti": 448.0,
    "NVIDIA GeForce RTX 3070": 448.0,
    "NVIDIA GeForce RTX 3080": 760.0,
    "NVIDIA GeForce RTX 3090": 936.0,
}
"""Of the cards that were sold in this desktop, by the name in nvidia-smi."""

SIGNIFICANT = 0.05
_EXACT = 200_000
_SAMPLE = 20_000


def summary(answers: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return mean, standard deviation, minimum and maximum of each measure."""
    columns = {name: [answer[name] for answer in answers] for name in MEASURES}
    return {
        name: {
            "mean": statistics.fmean(values),
            "sd": statistics.stdev(values),
            "min": min(values),
            "max": max(values),
        }
        for name, values in columns.items()
    }


def p_value(before: Sequence[float], after: Sequence[float]) -> float:
    """Two-sided permutation test on the difference of the means; exact for small samples, else by 20 000 draws."""
    pool = [*before, *after]
    observed = abs(statistics.fmean(after) - statistics.fmean(before))
    total, size = math.fsum(pool), len(before)

    def difference(indices: Sequence[int]) -> float:
        part = math.fsum(pool[index] for index in indices)
        return abs(part / size - (total - part) / (len(pool) - size))

    if math.comb(len(pool), size) <= _EXACT:
        splits: Any = itertools.combinations(range(len(pool)), size)
    else:
        draw = random.Random(0)  # noqa: S311  # repeatable statistics
        splits = (draw.sample(range(len(pool)), size) for _ in range(_SAMPLE))
    # Sums in another order differ in their last bits.
    outcomes = [difference(split) >= observed * (1 - 1e-9) for split in splits]
    return sum(outcomes) / len(outcomes)


def comparable(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest earlier run of the same model name, context and lengths on the same machine."""
    same = ("host", "model", "num_ctx", "prompt_tokens", "output_tokens")
    return next((old for old in reversed(history) if all(old.get(key) == run[key] for key in same)), None)


def compare(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    """Return the change of the decode rate since the last comparable run, in words."""
    now = run["summary"]["decode_tps"]["mean"]
    line = f"decode {now:.1f} tok/s"
    old = comparable(run, history)
    if old is None:
        return f"{line}; there is no earlier run to compare with"
    p = p_value(*([answer["decode_tps"] for answer in entry["answers"]] for entry in (old, run)))
    change = 100 * (now / old["summary"]["decode_tps"]["mean"] - 1)
    if p < SIGNIFICANT:
        line += f", {abs(change):.1f} % {'faster' if change > 0 else 'slower'} than on {old['time'][:10]} (p = {p:.3f})"
    else:
        line += f"; no significant change since {old['time'][:10]} ({change:+.1f} %, p = {p:.3f})"
    before, after = ({**entry["identity"], "driver": driver(entry.get("gpus") or [])} for entry in (old, run))
    moved = [
        f"{key} was {before.get(key)}, is {after.get(key)}"
        for key in ("digest", "quantisation", "ollama", "driver")
        if before.get(key) != after.get(key)
    ]
    return "; ".join([line, *moved])


def driver(cards: Sequence[Mapping[str, Any]]) -> str:
    """Return the version of the cards' driver; `none` without a card."""
    return str(cards[0]["driver"]) if cards else "none"


def bandwidth(given: float | None, cards: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the bandwidth of the GPU's memory in GB/s: as given, else by the first card's name, else None."""
    return given or (BANDWIDTH_GB_S.get(str(cards[0]["name"])) if cards else None)


def objections(
    run: Mapping[str, Any], floor_tps: float, bandwidth_gb_s: float | None, *, gpu: bool, container: str | None
) -> list[str]:
    """Return the reasons why a run does not pass; empty if it passes.

    `floor_tps` is in tokens per second, `bandwidth_gb_s` in GB/s; `container` is the model server's, if it runs in one.
    """
    problems = []
    command = f"docker exec {container} " if container else ""
    decode = run["summary"]["decode_tps"]["mean"]
    resident = run["resident"] or {"size_bytes": 0, "size_vram_bytes": 0}
    away = resident["size_bytes"] - resident["size_vram_bytes"]
    if gpu and away > 0:
        problems.append(
            f"fall-back to the processor: of {run['model']}'s {resident['size_bytes'] / 1e9:.1f} GB only "
            f"{resident['size_vram_bytes'] / 1e9:.1f} GB lie in the GPU's memory. Next: see what else uses the "
            f"card ({command}nvidia-smi), or choose a smaller model or context"
        )
    if decode < floor_tps:
        problems.append(
            f"too slow: {run['model']} decodes {decode:.1f} tok/s, wanted at least {floor_tps:g}. Next: see whether it "
            f"runs on the GPU ({command}ollama ps), or lower floor_tokens_per_s"
        )
    if gpu and bandwidth_gb_s:
        predicted = MIN_BANDWIDTH_EFFICIENCY * bandwidth_gb_s * 1e9 / run["identity"]["weights_bytes"]
        if decode < REQUIRED * predicted:
            problems.append(
                f"slower than the memory allows: {decode:.1f} tok/s, while {bandwidth_gb_s:g} GB/s and "
                f"{run['identity']['weights_bytes'] / 1e9:.1f} GB of weights predict {predicted:.1f}; wanted at least "
                f"{REQUIRED * predicted:.1f}. Next: nvidia-smi -q -d CLOCK,POWER,PERFORMANCE shows what slows the card"
            )
    return problems
