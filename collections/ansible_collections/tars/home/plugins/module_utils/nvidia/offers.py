# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers that apt offers, and the choice among them.

Three archives name it differently: Debian has one branch (nvidia-driver, and the kernel module by itself), Ubuntu a
package for each branch and flavour with modules that are built and signed for its kernels, and NVIDIA's repository has
every branch under the two names nvidia-open and cuda-drivers (NVIDIA's driver installation guide).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .cards import Generation

LONG_TERM = 580
"""The branch that NVIDIA maintains longest (until August 2028), used where it is offered. It supports every generation
that Ollama supports."""

OPEN_IS_DEFAULT = 560
"""From this branch on, NVIDIA recommends the open flavour for the chips that both support."""

PATTERN = (
    "^(nvidia-driver|nvidia-open|nvidia-open-kernel-dkms|cuda-drivers|nvidia-driver-[0-9]+(-server)?(-open)?"
    "|linux-modules-nvidia-[0-9]+(-server)?(-open)?-.*)$"
)
"""Pattern of the names to search in apt's lists."""

DEBIAN_EXTRAS = ("nvidia-smi", "libcuda1", "nvidia-persistenced")
"""Packages that Debian's nvidia-driver does not depend on."""

UBUNTU = re.compile(r"nvidia-driver-(\d+)(-server)?(-open)?$")

PIN = """\
# Written by the role tars.home.nvidia: the driver stays on its branch unless nvidia_branch names another.
Package: *nvidia* cuda-drivers* libcuda1 libcudadebugger1 libnvcuvid1 libnvoptix1
Pin: version {branch}.*
Pin-Priority: 1000
"""
"""apt's preference. It matches no version of another form, so that nvidia-container-toolkit is not affected."""


@dataclass(frozen=True)
class Choice:
    """A driver: its branch, its flavour, and its packages."""

    branch: int
    flavour: str
    packages: tuple[str, ...]


def parse_search(text: str) -> list[str]:
    """Return the names in the output of `apt-cache search --names-only`, without transitional packages."""
    lines = [line.partition(" - ") for line in text.splitlines()]
    return [name for name, _, about in lines if name and "transitional" not in about.lower()]


def parse_madison(text: str) -> dict[str, list[str]]:
    """Return the versions of each package in the output of `apt-cache madison`."""
    versions: dict[str, list[str]] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and not fields[2].endswith("Sources") and fields[1] not in versions.get(fields[0], []):
            versions.setdefault(fields[0], []).append(fields[1])
    return versions


def branch(version: str) -> int | None:
    """Return the branch of a driver's version, with or without epoch and revision; None for other versions."""
    match = re.match(r"(?:\d+:)?(\d{3})\.\d", version)
    return int(match.group(1)) if match else None


def candidates(offers: Mapping[str, Sequence[str]], kernels: Sequence[str]) -> list[Choice]:
    """Return every offered driver. `kernels` are the suffixes of the kernel's metapackages, behind linux-image-."""
    choices: list[Choice] = []
    for name, flavour in (("nvidia-open", "open"), ("cuda-drivers", "proprietary")):
        choices += [Choice(number, flavour, (name,)) for number in _branches(offers, name)]
    nvidias = {choice.branch for choice in choices}
    for number in _branches(offers, "nvidia-driver"):
        # NVIDIA's repository has a package of this name too, which does not fit Debian's other packages.
        if number not in nvidias:
            choices.append(Choice(number, "proprietary", ("nvidia-driver", "nvidia-kernel-dkms", *DEBIAN_EXTRAS)))
            if number in _branches(offers, "nvidia-open-kernel-dkms"):
                choices.append(Choice(number, "open", ("nvidia-driver", "nvidia-open-kernel-dkms", *DEBIAN_EXTRAS)))
    for name in offers:
        match = UBUNTU.match(name)
        if match:
            suffix = name[len("nvidia-driver-") :]
            built = [f"linux-modules-nvidia-{suffix}-{kernel}" for kernel in kernels]
            packages = (name, *(package for package in built if package in offers))
            choices.append(Choice(int(match.group(1)), "open" if match.group(3) else "proprietary", packages))
    return choices


def _branches(offers: Mapping[str, Sequence[str]], name: str) -> list[int]:
    numbers = [branch(version) for version in offers.get(name, ())]
    return list(dict.fromkeys(number for number in numbers if number is not None))


def serves(choice: Choice, needed: Generation) -> bool:
    """Return whether a driver supports the cards."""
    above = needed.last is not None and choice.branch > needed.last
    return needed.first <= choice.branch and not above and choice.flavour in needed.flavours


def choose(
    choices: Iterable[Choice], needed: Generation, desired: int | None, installed: Mapping[str, str]
) -> Choice | None:
    """Return the driver to install: of the desired branch, else the installed one, the long-term one, or the newest.

    `installed` maps packages to versions. An installed driver that supports the cards is kept, with its flavour.
    """
    fit = [choice for choice in choices if serves(choice, needed) and desired in (None, choice.branch)]

    def rank(choice: Choice) -> tuple[bool, ...]:
        usual = (choice.flavour == "open") == (choice.branch >= OPEN_IS_DEFAULT)
        return (
            branch(installed.get(choice.packages[0], "")) == choice.branch,
            all(package in installed for package in choice.packages),
            choice.branch == LONG_TERM,
            usual,
            "-server" in choice.packages[0],
        )

    return max(fit, key=lambda choice: (*rank(choice)[:3], choice.branch, *rank(choice)[3:]), default=None)
