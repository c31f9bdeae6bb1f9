# SPDX-License-Identifier: GPL-3.0-or-later
"""`nas facts`: compare a NAS, or a recording of one, with what the modules assume of DSM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision.commands.outcome import line
from tars_provision.nas_facts import recording, run, show


@dataclass(frozen=True)
class NasFacts:
    """Results of the twelve checks, and the recording if one was saved."""

    facts: list[run.Fact]
    inventory: Path
    saved: Path | None = None

    @property
    def exit_code(self) -> int:
        """1 if the NAS differs from an assumption, otherwise 0."""
        return 1 if any(fact.verdict == "differs" for fact in self.facts) else 0

    def as_data(self) -> dict[str, Any]:
        """Return the results as plain data."""
        saved = str(self.saved) if self.saved else None
        return {"facts": [asdict(fact) for fact in self.facts], "saved": saved}

    def show(self, console: Console) -> None:
        """Print a table on a terminal, lines elsewhere."""
        if console.is_terminal:
            console.print(show.table(self.facts), "")
        else:
            line(console, "\n".join(show.lines(self.facts)))
        line(console, show.sentence(self.facts, self.inventory))
        if self.saved:
            stand_ins = "names, addresses, serial numbers and texts are replaced; read it before you share it"
            line(console, f"{self.saved}: recorded; {stand_ins}")


def facts(inventory: Path, save: Path | None, replay: Path | None) -> NasFacts:
    """Ask the NAS of a site, or a recording, twelve read-only questions; save the answers if a file is given."""
    with show.progress(Console(stderr=True, emoji=False)) as progress:
        if replay is not None:
            return NasFacts(run.of_recording(replay, progress), inventory)
        results, calls = run.of_site(inventory, progress)
    if save:
        recording.save(save, calls)
    return NasFacts(results, inventory, save)
