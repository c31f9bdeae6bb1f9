# SPDX-License-Identifier: GPL-3.0-or-later
"""What nvidia-smi is asked, and what its answers mean."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

FIELDS = ("name", "driver_version", "power.limit", "memory.total")
"""What is asked of a card; watts and MiB."""

FAILURES = (
    ("mismatch", "driver/library version mismatch"),
    ("silent", "couldn't communicate with the nvidia driver"),
    ("lost", "gpu is lost"),
    ("lost", "unable to determine the device handle"),
    ("none", "no devices were found"),
)
"""How nvidia-smi says what is wrong, without regard to case; seen in issue threads of the drivers 450 to 610."""


def command(program: str) -> List[str]:
    return [program, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]


def gpus(csv: str) -> List[Dict[str, Any]]:
    """The cards in the answer to `command`: name, driver, watts, MiB. An error's text has none."""
    cards = []
    for line in csv.splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(FIELDS):
            name, driver, watts, mib = values
            cards.append({"name": name, "driver": driver, "power_limit_w": number(watts), "memory_mib": number(mib)})
    return cards


def failure(text: str) -> Optional[str]:
    """Which failure the text tells of, by its name in FAILURES; None for an answer, or an error that is not known."""
    lower = text.lower()
    return next((name for name, words in FAILURES if words in lower), None)


def number(text: str) -> Optional[float]:
    """A number, or None where the card does not tell (`[N/A]`)."""
    try:
        return float(text)
    except ValueError:
        return None
