# SPDX-License-Identifier: GPL-3.0-or-later
"""Where apt gets a driver and the container toolkit from: what there is, and what is to be added in one file.

An entry that the owner has is used as it is, with its own key: apt refuses all work when two entries of one address and
suite name different keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

FILE = "/etc/apt/sources.list.d/tars-nvidia.sources"
KEYS = "/etc/apt/keyrings"
DISTRIBUTIONS = ("Debian", "Ubuntu")
"""What the Release files of the distributions' own archives call themselves."""

FORMAT = "$(SOURCESENTRY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(ORIGIN)\t$(FILENAME)\t$(SIGNED_BY)"
"""What `apt-get indextargets` is asked for. The key comes last: one that stands in the source itself has lines."""


@dataclass(frozen=True)
class Target:
    """One list of packages that apt keeps. `entry` is the file and line that asks for it, `file` the list itself."""

    entry: str
    uri: str
    suite: str
    component: str
    origin: str
    file: str
    signed_by: str


@dataclass(frozen=True)
class Repository:
    """A flat repository to have: a name for its key's file, its address, and where its key is fetched."""

    name: str
    uri: str
    key_url: str

    @property
    def key(self) -> str:
        ending = "gpg" if self.key_url.endswith(".gpg") else "asc"
        return f"{KEYS}/tars-{self.name}.{ending}"


def command() -> List[str]:
    return ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]


def refresh_command() -> List[str]:
    """Fetches the lists of our own file alone, and fails where one cannot be had."""
    own = [f"Dir::Etc::sourcelist={FILE}", "Dir::Etc::sourceparts=-", "APT::Get::List-Cleanup=0"]
    options = [f"--option={option}" for option in (*own, "APT::Update::Error-Mode=any")]
    return ["apt-get", "--quiet", *options, "update"]


def parse(answer: str) -> List[Target]:
    """The answer to `command`; what apt does not know of an entry stays a $(NAME) and becomes empty."""
    rows = [line.split("\t") for line in answer.splitlines()]
    return [Target(*("" if one.startswith("$(") else one for one in row)) for row in rows if len(row) == 7]


def ours(target: Target) -> bool:
    return target.entry.startswith(FILE)


def text(targets: Sequence[Target], components: Sequence[str], repositories: Sequence[Repository]) -> str:
    """What our file is to hold, given what the others hold; empty when nothing is missing.

    `components` are those that the distribution's own archives are to have.
    """
    others = [target for target in targets if not ours(target)]
    stanzas = [_stanza(place, missing) for place, missing in _archives(others, components).items() if missing]
    for repository in _absent(others, repositories):
        stanzas.append(f"Types: deb\nURIs: {repository.uri}\nSuites: /\nSigned-By: {repository.key}\n")
    return "\n".join(["# Written by the role tars.home.nvidia.\n" + stanzas[0], *stanzas[1:]]) if stanzas else ""


def keys(targets: Sequence[Target], repositories: Sequence[Repository]) -> Dict[str, str]:
    """The key files that our entries need: path to where it is fetched."""
    others = [target for target in targets if not ours(target)]
    return {repository.key: repository.key_url for repository in _absent(others, repositories)}


def _absent(others: Sequence[Target], repositories: Sequence[Repository]) -> List[Repository]:
    there = {place(target.uri) for target in others}
    return [repository for repository in repositories if place(repository.uri) not in there]


def place(uri: str) -> str:
    """An address without what makes no difference to whose packages there are: scheme and final slash."""
    return uri.partition("://")[2].rstrip("/")


def _archives(others: Sequence[Target], components: Sequence[str]) -> Dict[Tuple[str, str, str], List[str]]:
    """For each suite of the distribution's archives, the components that it lacks."""
    found: Dict[Tuple[str, str, str], List[str]] = {}
    for target in others:
        if target.origin in DISTRIBUTIONS:
            found.setdefault((target.uri, target.suite, target.signed_by), []).append(target.component)
    return {
        where: [component for component in components if component not in present]
        for where, present in found.items()
        if "main" in present
    }


def _stanza(where: Tuple[str, str, str], components: Sequence[str]) -> str:
    uri, suite, signed_by = where
    key = f"Signed-By: {signed_by}\n" if signed_by else ""
    return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {' '.join(components)}\n{key}"
