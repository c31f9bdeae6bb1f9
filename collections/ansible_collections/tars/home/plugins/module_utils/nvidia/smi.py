# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries of nvidia-smi, and its output."""

from __future__ import annotations

from typing import Any

FIELDS = ("name", "driver_version", "power.limit", "memory.total")
"""The queried fields of a card, in watts and MiB."""

FAILURES = (
    ("mismatch", "driver/library version mismatch"),
    ("silent", "couldn't communicate with the nvidia driver"),
    ("lost", "gpu is lost"),
    ("lost", "unable to determine the device handle"),
    ("none", "no devices were found"),
)
"""Messages of nvidia-smi, in lower case; from issue threads of the drivers 450 to 610."""


def command(program: str) -> list[str]:
    """Return the command whose output `gpus` reads."""
    return [program, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]


def gpus(csv: str) -> list[dict[str, Any]]:
    """Return the cards in the output of `command`: name, driver, watts, MiB; none in an error message."""
    cards = []
    for line in csv.splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(FIELDS):
            name, driver, watts, mib = values
            cards.append({"name": name, "driver": driver, "power_limit_w": number(watts), "memory_mib": number(mib)})
    return cards


def failure(text: str) -> str | None:
    """Return the failure in the output, by its name in FAILURES; None without one, or for an unknown error."""
    lower = text.lower()
    return next((name for name, words in FAILURES if words in lower), None)


def number(text: str) -> float | None:
    """Return a number, or None where the card does not report one (`[N/A]`)."""
    try:
        return float(text)
    except ValueError:
        return None
