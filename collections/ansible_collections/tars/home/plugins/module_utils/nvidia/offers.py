# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver apt offers, and which of them to take.

Three archives name it differently: Debian has one branch (nvidia-driver, and the kernel's part by itself), Ubuntu a
package for each branch and flavour with modules that are built and signed for its kernels, and NVIDIA's repository has
every branch under the two names nvidia-open and cuda-drivers (NVIDIA's driver installation guide).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .cards import Generation

LONG_TERM = 580
"""The branch that NVIDIA maintains longest (until August 2028), taken where it is offered. It serves every generation
that Ollama does."""

OPEN_IS_DEFAULT = 560
"""From this branch on NVIDIA suggests the open flavour for the chips that both serve."""

PATTERN = (
    "^(nvidia-driver|nvidia-open|nvidia-open-kernel-dkms|cuda-drivers|nvidia-driver-[0-9]+(-server)?(-open)?"
    "|linux-modules-nvidia-[0-9]+(-server)?(-open)?-.*)$"
)
"""Names to search apt's lists for."""

DEBIAN_EXTRAS = ("nvidia-smi", "libcuda1", "nvidia-persistenced")
"""What Debian's nvidia-driver does not bring by itself."""

UBUNTU = re.compile(r"nvidia-driver-(\d+)(-server)?(-open)?$")

PIN = """\
# Written by the role tars.home.nvidia: the driver stays on its branch until nvidia_branch says otherwise.
Package: *nvidia* cuda-drivers* libcuda1 libcudadebugger1 libnvcuvid1 libnvoptix1
Pin: version {branch}.*
Pin-Priority: 1000
"""
"""apt's preference. It touches no version of another form, so that nvidia-container-toolkit is left alone."""


@dataclass(frozen=True)
class Choice:
    """A driver to have: its branch, its flavour, and the packages that bring it."""

    branch: int
    flavour: str
    packages: Tuple[str, ...]


def parse_search(text: str) -> List[str]:
    """Names in the answer of `apt-cache search --names-only`, but for packages that only lead to another one."""
    lines = [line.partition(" - ") for line in text.splitlines()]
    return [name for name, _, about in lines if name and "transitional" not in about.lower()]


def parse_madison(text: str) -> Dict[str, List[str]]:
    """The versions of each package in the answer of `apt-cache madison`."""
    versions: Dict[str, List[str]] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and not fields[2].endswith("Sources") and fields[1] not in versions.get(fields[0], []):
            versions.setdefault(fields[0], []).append(fields[1])
    return versions


def branch(version: str) -> Optional[int]:
    """The branch of a driver's version, with or without what the packager put around it."""
    found = re.match(r"(?:\d+:)?(\d{3})\.\d", version)
    return int(found.group(1)) if found else None


def candidates(offers: Mapping[str, Sequence[str]], kernels: Sequence[str]) -> List[Choice]:
    """Every driver that is offered. `kernels` are the names behind linux-image- of the kernel's metapackages."""
    found: List[Choice] = []
    for name, flavour in (("nvidia-open", "open"), ("cuda-drivers", "proprietary")):
        found += [Choice(number, flavour, (name,)) for number in _branches(offers, name)]
    theirs = {choice.branch for choice in found}
    for number in _branches(offers, "nvidia-driver"):
        # NVIDIA's repository has a package of this name too, which is not to be mixed with Debian's other ones.
        if number not in theirs:
            found.append(Choice(number, "proprietary", ("nvidia-driver", "nvidia-kernel-dkms", *DEBIAN_EXTRAS)))
            if number in _branches(offers, "nvidia-open-kernel-dkms"):
                found.append(Choice(number, "open", ("nvidia-driver", "nvidia-open-kernel-dkms", *DEBIAN_EXTRAS)))
    for name in offers:
        match = UBUNTU.match(name)
        if match:
            suffix = name[len("nvidia-driver-") :]
            built = [f"linux-modules-nvidia-{suffix}-{kernel}" for kernel in kernels]
            packages = (name, *(package for package in built if package in offers))
            found.append(Choice(int(match.group(1)), "open" if match.group(3) else "proprietary", packages))
    return found


def _branches(offers: Mapping[str, Sequence[str]], name: str) -> List[int]:
    numbers = [branch(version) for version in offers.get(name, ())]
    return list(dict.fromkeys(number for number in numbers if number is not None))


def serves(choice: Choice, needed: Generation) -> bool:
    """Whether a driver serves the cards."""
    above = needed.last is not None and choice.branch > needed.last
    return needed.first <= choice.branch and not above and choice.flavour in needed.flavours


def choose(
    found: Iterable[Choice], needed: Generation, wanted: Optional[int], installed: Mapping[str, str]
) -> Optional[Choice]:
    """The driver to have: the branch that is wanted, else the one that is installed, the long-term one, the newest.

    `installed` maps packages to versions. A driver that is installed and serves the cards is kept, flavour and all.
    """
    fit = [choice for choice in found if serves(choice, needed) and wanted in (None, choice.branch)]

    def rank(choice: Choice) -> Tuple[bool, ...]:
        usual = (choice.flavour == "open") == (choice.branch >= OPEN_IS_DEFAULT)
        return (
            branch(installed.get(choice.packages[0], "")) == choice.branch,
            all(package in installed for package in choice.packages),
            choice.branch == LONG_TERM,
            usual,
            "-server" in choice.packages[0],
        )

    return max(fit, key=lambda choice: (*rank(choice)[:3], choice.branch, *rank(choice)[3:]), default=None)
