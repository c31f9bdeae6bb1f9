# SPDX-License-Identifier: GPL-3.0-or-later
"""`benchmark`: measure the chat model and compare with earlier runs."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from tars_provision.ansible.report import as_json as plain
from tars_provision.ansible.report import summarise
from tars_provision.assistant import benchmark_history
from tars_provision.commands.play import run
from tars_provision.controller import setup


def benchmark(inventory: Path, *, as_json: bool = False) -> int:
    """Measure the chat model, show what came of it and of earlier runs, and return the exit code."""
    setup.ready(inventory)
    console = Console(stderr=as_json)
    result = run("benchmark", inventory, console, keep=["comparison"])
    measured = [data for _, data in result.results]
    if as_json:
        click.echo(json.dumps(measured[0] if measured else plain(result), ensure_ascii=False))
        return result.exit_code
    runs = benchmark_history.history(inventory)
    if measured and runs:
        picture = benchmark_history.history_file(inventory).with_suffix(".png")
        benchmark_history.plot(runs, picture)
        console.print(benchmark_history.table(runs))
        console.print(f"{measured[0]['comparison']}\nThe picture: {picture}", highlight=False)
    summarise(result, console)
    return result.exit_code
