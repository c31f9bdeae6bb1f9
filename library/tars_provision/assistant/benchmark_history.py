# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a site's benchmarks, as a table and as a picture. playbooks/benchmark.yml writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.table import Table

SHOWN = 10
"""Runs in the table: what fits a screen."""

PLOTTED = 30
"""Runs in the picture: more dates would not be legible."""

Run = dict[str, Any]


def history_file(inventory_dir: Path) -> Path:
    """Return the file with one run a line."""
    return inventory_dir / "recorded" / "benchmark.jsonl"


def history(inventory_dir: Path) -> list[Run]:
    """Return a site's runs, oldest first."""
    path = history_file(inventory_dir)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(runs: list[Run]) -> Table:
    """Return the newest runs, the last one at the bottom; with a model's usual name it fits 80 columns."""
    title = "Benchmark, in tokens per second"
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for heading in ("when", "model", "first", "prefill", "decode", "load", "GPU", ""):
        shown.add_column(heading, justify="left" if heading in ("when", "model", "") else "right", no_wrap=True)
    for run in runs[-SHOWN:]:
        measured = run["summary"]
        shown.add_row(
            run["time"][:16].replace("T", " "),
            f"{run['model']} {run['identity']['quantisation']}".strip(),
            f"{measured['ttft_s']['mean']:.2f} s",
            f"{measured['prefill_tps']['mean']:.0f}",
            f"{measured['decode_tps']['mean']:.1f} ± {measured['decode_tps']['sd']:.1f}",
            f"{run['load_s']:.1f} s",
            share(run),
            "[red]fails[/red]" if run["objections"] else "[green]ok[/green]",
        )
    return shown


def share(run: Run) -> str:
    """Return how much of the model lay in the GPU's memory."""
    resident = run["resident"]
    return f"{100 * resident['size_vram_bytes'] / resident['size_bytes']:.0f} %" if resident else "?"


def plot(runs: list[Run], path: Path) -> None:
    """Write a PNG with the decode speed of the newest runs, a line for each model; bars are one standard deviation."""
    from matplotlib.figure import Figure  # takes most of a second, which no other command need pay

    runs = runs[-PLOTTED:]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for model in sorted({run["model"] for run in runs}):
        mine = [(place, run["summary"]["decode_tps"]) for place, run in enumerate(runs) if run["model"] == model]
        places, means, spreads = zip(*((place, each["mean"], each["sd"]) for place, each in mine), strict=True)
        axes.errorbar(places, means, yerr=spreads, marker="o", capsize=3, label=model)
    axes.margins(y=0.15)
    axes.set(title="Decode speed", ylabel="tokens per second")
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(runs)), [run["time"][:10] for run in runs], rotation=45, ha="right")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
