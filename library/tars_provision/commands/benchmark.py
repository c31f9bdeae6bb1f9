# SPDX-License-Identifier: GPL-3.0-or-later
"""`benchmark`: measure the chat model and compare with earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision.ansible import report
from tars_provision.ansible.events import Result
from tars_provision.assistant import benchmark_history
from tars_provision.commands.outcome import line
from tars_provision.commands.play import run
from tars_provision.controller import setup


@dataclass(frozen=True)
class Measured:
    """Result of the playbook, and the measurement if there is one; `history` has the earlier runs as well."""

    result: Result
    measurement: dict[str, Any] | None
    history: list[benchmark_history.Run]
    picture: Path

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed or too slow, 130 cancelled."""
        return self.result.exit_code

    def as_data(self) -> dict[str, Any]:
        """Return the measurement as plain data, or the failed run without one."""
        return self.measurement or report.as_json(self.result)

    def show(self, console: Console) -> None:
        """Print the newest runs as a table, and draw all of them."""
        if self.measurement and self.history:
            benchmark_history.plot(self.history, self.picture)
            console.print(benchmark_history.table(self.history))
            line(console, f"{self.measurement['comparison']}\nThe picture: {self.picture}")
        report.summarise(self.result, console)


def benchmark(inventory: Path, console: Console, *, verbosity: int = 0) -> Measured:
    """Measure the chat model of a site that is ready for a run."""
    site = setup.ready(inventory)
    result = run("benchmark", site, inventory, console, keep=["comparison"], verbosity=verbosity)
    measurements = [dict(data) for _, data in result.results]
    history = benchmark_history.history(inventory)
    picture = benchmark_history.history_file(inventory).with_suffix(".png")
    return Measured(result, measurements[0] if measurements else None, history, picture)
