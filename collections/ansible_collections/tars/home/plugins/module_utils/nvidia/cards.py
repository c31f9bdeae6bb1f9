# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's cards on the PCI bus, and which branches of the driver serve them.

A branch is the first number of a driver's version (580 of 580.95.05). Sources: pci.ids for the numbers of the chips;
NVIDIA's driver installation guide, "Kernel Modules" (open modules from Turing on) and its deprecation schedule (580 is
the last branch for Maxwell, Pascal and Volta); Ollama's docs/gpu (compute capability 5.0, driver 550, and 570 for
capabilities 5.0 to 6.2, which are Maxwell and Pascal).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

BUS = "/sys/bus/pci/devices"
VENDOR = 0x10DE
DISPLAY = 0x03
"""Base class of display controllers. A card's sound and USB functions have others."""


@dataclass(frozen=True)
class Card:
    """A display controller of NVIDIA's. `slot` is domain:bus:device.function, `driver` what holds it in the kernel."""

    slot: str
    device: int
    driver: Optional[str] = None


@dataclass(frozen=True)
class Generation:
    """What serves a generation of chips: branches from `first` to `last` (None: no end is known) in a flavour of the
    kernel's part, the preferred one first.
    """

    name: str
    first: int
    last: Optional[int]
    flavours: Tuple[str, ...]


TOO_OLD = Generation("older than Maxwell", 999, 0, ())
BOTH = ("open", "proprietary")
# The first number of a row, and what the numbers from there to the next row's are.
GENERATIONS: Tuple[Tuple[int, Generation], ...] = (
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


def read(bus: str = BUS) -> List[Card]:
    """The machine's cards in the order of their slots; none where there is no such bus."""
    cards = []
    for slot in sorted(os.listdir(bus)) if os.path.isdir(bus) else []:
        folder = os.path.join(bus, slot)
        if _number(folder, "vendor") == VENDOR and _number(folder, "class") >> 16 == DISPLAY:
            link = os.path.join(folder, "driver")
            driver = os.path.basename(os.readlink(link)) if os.path.islink(link) else None
            cards.append(Card(slot, _number(folder, "device"), driver))
    return cards


def _number(folder: str, name: str) -> int:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return int(file.read(), 16)
    except (OSError, ValueError):
        return 0


def generation(device: int) -> Generation:
    """What a chip with this PCI number belongs to."""
    return [found for first, found in GENERATIONS if first <= device][-1]


def common(cards: Sequence[Card], minimum: int) -> Generation:
    """What serves all the cards at once, from the branch `minimum` on. `first` above `last`, or no flavour: nothing."""
    found = [generation(card.device) for card in cards]
    lasts = [one.last for one in found if one.last is not None]
    flavours = tuple(flavour for flavour in BOTH if all(flavour in one.flavours for one in found))
    names = " and ".join(dict.fromkeys(one.name for one in found))
    return Generation(names, max([minimum, *(one.first for one in found)]), min(lasts) if lasts else None, flavours)


def described(cards: Sequence[Card]) -> str:
    """Cards for a message: slot, PCI number, generation, and who holds them."""
    return ", ".join(
        f"{card.slot} [10de:{card.device:04x}] ({generation(card.device).name}, "
        f"{'held by ' + card.driver if card.driver else 'held by no driver'})"
        for card in cards
    )
