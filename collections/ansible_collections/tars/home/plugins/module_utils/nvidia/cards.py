# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA cards on the PCI bus, and the branches of the driver that support them.

A branch is the first number of a driver's version (580 of 580.95.05). Sources: pci.ids for the numbers of the chips;
NVIDIA's driver installation guide, "Kernel Modules" (open modules from Turing on) and its deprecation schedule (580 is
the last branch for Maxwell, Pascal and Volta); Ollama's docs/gpu (compute capability 5.0, driver 550, and 570 for
capabilities 5.0 to 6.2, which are Maxwell and Pascal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BUS = "/sys/bus/pci/devices"
VENDOR = 0x10DE
DISPLAY = 0x03
"""Base class of display controllers. A card's sound and USB functions have others."""

SCRIPT = f"""
for folder in "$1"/*; do
    read -r vendor <"$folder/vendor" && read -r class <"$folder/class" && read -r device <"$folder/device" || continue
    case $vendor in 0x{VENDOR >> 8:x}[Dd][Ee]) ;; *) continue ;; esac
    driver=$(readlink "$folder/driver") || driver=
    echo "$class $device ${{folder##*/}} ${{driver##*/}}"
done
"""
"""Prints class, number, slot and kernel driver of every device of NVIDIA below the folder in its argument."""


@dataclass(frozen=True)
class Card:
    """A display controller of NVIDIA. `slot` is domain:bus:device.function, `driver` the kernel driver bound to it."""

    slot: str
    device: int
    driver: str | None = None


@dataclass(frozen=True)
class Generation:
    """The drivers of a generation of chips: branches from `first` to `last` (None: no end is known), in flavours of the
    kernel module, the preferred one first.
    """

    name: str
    first: int
    last: int | None
    flavours: tuple[str, ...]


TOO_OLD = Generation("older than Maxwell", 999, 0, ())
BOTH = ("open", "proprietary")
# The first number of a row, and the generation of the numbers up to the next row.
GENERATIONS: tuple[tuple[int, Generation], ...] = (
    (0x0000, TOO_OLD),
    (0x1340, Generation("Maxwell or Pascal", 570, 580, ("proprietary",))),
    (0x1D80, Generation("Volta", 550, 580, ("proprietary",))),
    (0x1E00, Generation("Turing", 550, None, BOTH)),
    (0x2000, Generation("Ampere", 550, None, BOTH)),
    (0x2180, Generation("Turing", 550, None, BOTH)),
    (0x2200, Generation("Ampere", 550, None, BOTH)),
    (0x2300, Generation("Hopper", 550, None, BOTH)),
    (0x2400, Generation("Ampere", 550, None, BOTH)),
    (0x2600, Generation("Ada", 550, None, BOTH)),
    (0x2900, Generation("Blackwell or newer", 570, None, ("open",))),
)


def command(bus: str = BUS) -> list[str]:
    """Return the command whose output `parse` reads."""
    return ["sh", "-c", SCRIPT, "sh", bus]


def parse(output: str) -> tuple[Card, ...]:
    """Return the machine's cards in the order of their slots; none without such a bus."""
    rows = [line.split() for line in output.splitlines()]
    return tuple(
        Card(slot, int(device, 16), driver[0] if driver else None)
        for kind, device, slot, *driver in rows
        if int(kind, 16) >> 16 == DISPLAY
    )


def generation(device: int) -> Generation:
    """Return the generation of a chip by its PCI number."""
    return [entry for first, entry in GENERATIONS if first <= device][-1]


def common(cards: Sequence[Card], minimum: int) -> Generation:
    """Return the drivers for all the cards at once, from the branch `minimum` on.

    No driver serves all if `first` is above `last`, or without a flavour.
    """
    generations = [generation(card.device) for card in cards]
    lasts = [entry.last for entry in generations if entry.last is not None]
    flavours = tuple(flavour for flavour in BOTH if all(flavour in entry.flavours for entry in generations))
    names = " and ".join(dict.fromkeys(entry.name for entry in generations))
    first = max([minimum, *(entry.first for entry in generations)])
    return Generation(names, first, min(lasts) if lasts else None, flavours)


def described(cards: Sequence[Card]) -> str:
    """Return the cards in words: slot, PCI number, generation, and kernel driver."""
    return ", ".join(
        f"{card.slot} [10de:{card.device:04x}] ({generation(card.device).name}, "
        f"{'bound to ' + card.driver if card.driver else 'not bound to a driver'})"
        for card in cards
    )
