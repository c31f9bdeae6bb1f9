# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories of the driver and the container toolkit: in apt's sources, and an own file for missing ones.

The owner's entry is used as it is, with its own key: apt refuses all work when two entries of one address and suite
name different keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..system.apt_sources import Source, checked_command, place

FILE = "/etc/apt/sources.list.d/tars-nvidia.sources"
KEYS = "/etc/apt/keyrings"
DISTRIBUTIONS = ("Debian", "Ubuntu")
"""The origin in the Release files of the distributions' own archives."""

FORMAT = "$(SOURCESENTRY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(ORIGIN)\t$(FILENAME)\t$(SIGNED_BY)"
"""The fields of `apt-get indextargets`. The key comes last: one that is embedded in the source has several lines."""


@dataclass(frozen=True)
class Target:
    """One list of packages that apt keeps. `entry` is file and line of its source, `file` the list itself."""

    entry: str
    uri: str
    suite: str
    component: str
    origin: str
    file: str
    signed_by: str


@dataclass(frozen=True)
class Repository:
    """A desired flat repository: a name for the file of its key, its address, and the address of its key."""

    name: str
    uri: str
    key_url: str

    @property
    def key(self) -> str:
        """Return the file of its key."""
        ending = "gpg" if self.key_url.endswith(".gpg") else "asc"
        return f"{KEYS}/tars-{self.name}.{ending}"


def command() -> list[str]:
    """Return the command that lists the targets whose lists were downloaded."""
    return ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]


def refresh_command(keys: Sequence[str]) -> list[str]:
    """Return the command that downloads the lists of the own file alone. If apt refuses it, it is removed again."""
    return checked_command(FILE, keys, ["true"])


def parse(output: str) -> list[Target]:
    """Return the targets in the output of `command`; a field that apt does not know stays $(NAME) and becomes empty."""
    rows = [line.split("\t") for line in output.splitlines()]
    return [Target(*("" if value.startswith("$(") else value for value in row)) for row in rows if len(row) == 7]


def own(target: Target) -> bool:
    """Return whether a target is of the own file."""
    return target.entry.startswith(FILE)


def text(
    targets: Sequence[Target], sources: Sequence[Source], components: Sequence[str], repositories: Sequence[Repository]
) -> str:
    """Return the content of the own file; empty if the other sources have everything.

    Args:
        targets: the lists that apt has downloaded.
        sources: the entries of all files, also those whose lists were not downloaded yet.
        components: components that the distribution's own archives need.
        repositories: repositories that apt's sources need.
    """
    others = [target for target in targets if not own(target)]
    stanzas = [_stanza(archive, missing) for archive, missing in _archives(others, components).items() if missing]
    for repository in absent(sources, repositories):
        stanzas.append(f"Types: deb\nURIs: {repository.uri}\nSuites: /\nSigned-By: {repository.key}\n")
    return "\n".join(["# Written by the role tars.home.nvidia.\n" + stanzas[0], *stanzas[1:]]) if stanzas else ""


def keys(sources: Sequence[Source], repositories: Sequence[Repository]) -> dict[str, str]:
    """Return the key files of the own entries, with the address of each key."""
    return {repository.key: repository.key_url for repository in absent(sources, repositories)}


def absent(sources: Sequence[Source], repositories: Sequence[Repository]) -> list[Repository]:
    """Return the repositories that no entry of the owner has."""
    present = {place(source.uri) for source in sources if not source.entry.startswith(FILE)}
    return [repository for repository in repositories if place(repository.uri) not in present]


def _archives(others: Sequence[Target], components: Sequence[str]) -> dict[tuple[str, str, str], list[str]]:
    """Return the missing components of each suite of the distribution's archives."""
    present: dict[tuple[str, str, str], list[str]] = {}
    for target in others:
        if target.origin in DISTRIBUTIONS:
            present.setdefault((target.uri, target.suite, target.signed_by), []).append(target.component)
    return {
        archive: [component for component in components if component not in names]
        for archive, names in present.items()
        if "main" in names
    }


def _stanza(archive: tuple[str, str, str], components: Sequence[str]) -> str:
    uri, suite, signed_by = archive
    key = f"Signed-By: {signed_by}\n" if signed_by else ""
    return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {' '.join(components)}\n{key}"
