# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Docker a machine has, whether it can be adopted, and what it lacks.

Docker Engine comes from the distribution (docker.io), from Docker's repository (docker-ce), or in ways this project
cannot work with. The packages of the first two exclude each other: docker-ce and docker-ce-cli conflict with docker.io,
containerd.io with containerd and runc, docker-compose-plugin with docker-compose (docker/docker-ce-packaging
deb/common/control, docker/containerd-packaging debian/control). What is installed is therefore never exchanged.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

SOURCES = ("distribution", "docker")
ENGINES = {"docker.io": "distribution", "docker-ce": "docker"}
DOCKERS_OWN = ("docker-ce", "docker-ce-cli", "containerd.io")
"""Packages of Docker's repository that those of the distribution would displace."""
DISTRIBUTIONS_OWN = ("docker-cli", "containerd", "runc", "docker-compose")
"""Packages of the distribution that those of Docker's repository would displace."""
OF_INTEREST = (*ENGINES, *DOCKERS_OWN[1:], *DISTRIBUTIONS_OWN, "podman-docker")

PLUGIN_FOLDERS = tuple(f"/usr/{place}/docker/cli-plugins" for place in ("local/lib", "local/libexec", "lib", "libexec"))
"""Where docker looks for plugins of all users."""
LABEL = "Docker CE"
"""What the Release files of Docker's repository, and of its mirrors, call themselves."""
FORMAT = "$(SOURCESENTRY)\t$(REPO_URI)\t$(RELEASE)\t$(LABEL)\t$(SIGNED_BY)"
"""What `apt-get indextargets` is asked for. The key comes last: one that stands in the source itself has lines."""


class Refusal(Exception):
    """What is there cannot be adopted. The message names it and the next step."""


@dataclass(frozen=True)
class Family:
    """What one maker calls the engine with its command, and the two plugins."""

    engine: Tuple[str, ...]
    compose: str
    buildx: str

    @property
    def names(self) -> Tuple[str, ...]:
        return (*self.engine, self.compose, self.buildx)


@dataclass(frozen=True)
class Found:
    """What a machine has. `dockerd` is the path of a daemon and `owner` its package; `rootless` the unit files of users
    who run a daemon of their own; `enabled` whether that of root starts at boot.
    """

    installed: FrozenSet[str] = frozenset()
    held: FrozenSet[str] = frozenset()
    plugins: FrozenSet[str] = frozenset()
    dockerd: str = ""
    owner: str = ""
    snap: str = ""
    rootless: Tuple[str, ...] = ()
    enabled: bool = False


@dataclass(frozen=True)
class Source:
    """An entry of apt's sources, as apt reads it. `entry` is file:line; `signed_by` is empty, a path, or a key."""

    entry: str
    uri: str
    release: str
    label: str
    signed_by: str


def choose(found: Found, wanted: str, families: Mapping[str, Optional[Family]], platform: str) -> Tuple[str, List[str]]:
    """Whose Docker it is to be, and which packages of it are missing, in the order of the family.

    Raises:
        Refusal: what is there can neither be used as it is nor be completed without removing something of the owner's.
    """
    _refuse_other_kinds(found)
    engine = next((name for name in ENGINES if name in found.installed), None)
    if engine is None and found.dockerd:
        whose = f"comes from the package {found.owner}" if found.owner else "belongs to no package"
        raise Refusal(
            f"{found.dockerd} {whose}; docker.io or docker-ce is wanted. Next: stop and remove it, then run again; "
            "images and containers in /var/lib/docker stay and are found by the new one."
        )
    source = ENGINES[engine] if engine else wanted
    if engine is None and found.installed & set(DOCKERS_OWN):
        # Parts of Docker's are here, perhaps for something else (Kubernetes takes containerd.io): the rest fits them.
        source = "docker"
    elif engine is None and source == "docker" and (there := _named(found.installed, DISTRIBUTIONS_OWN)):
        raise Refusal(
            f"The distribution's {', '.join(there)} would be displaced by Docker's packages, and something may need "
            f"them. Next: take the distribution's Docker (docker.source: distribution in tars.yml), or apt-get remove "
            f"{' '.join(there)}, then run again."
        )
    family = families[source]
    missing = [] if family is None else _missing(found, family)
    if family is None and not (engine and {"compose", "buildx"} <= found.plugins):
        without = "docker.io is installed, and " if engine else ""
        raise Refusal(
            f"{without}{platform} has no packages of the compose and buildx plugins. Next: take Docker's own packages "
            "(docker.source: docker in tars.yml)"
            + ("; first apt-get remove docker.io, which keeps images and containers." if engine else ".")
        )
    if blocked := _named(found.held, missing):
        raise Refusal(
            f"{', '.join(blocked)} is not installed and held back by apt-mark hold. Next: apt-mark unhold "
            f"{' '.join(blocked)}, then run again."
        )
    return source, missing


def _refuse_other_kinds(found: Found) -> None:
    if found.snap:
        raise Refusal(
            f"Docker is installed as a snap ({found.snap}), which reads another daemon.json and sees little of the "
            "file system. Next: save what its containers hold, snap remove docker, then run again."
        )
    if "podman-docker" in found.installed:
        raise Refusal(
            "The package podman-docker makes podman answer as docker; Docker Engine is wanted. Next: apt-get remove "
            "podman-docker, which leaves podman and its containers alone, then run again."
        )
    if found.rootless and not found.enabled:
        raise Refusal(
            f"Docker runs rootless here ({', '.join(found.rootless)}), and no docker.service of root starts at boot, "
            "which the services need. Next: install docker-ce or docker.io and systemctl enable docker.service to have "
            "both, or dockerd-rootless-setuptool.sh uninstall as that user, then run again."
        )


def _missing(found: Found, family: Family) -> List[str]:
    """A plugin that is there is not installed again, whoever put it there."""
    present = found.installed | {getattr(family, plugin) for plugin in found.plugins}
    return [name for name in family.names if name not in present]


def _named(among: FrozenSet[str], names: Sequence[str]) -> List[str]:
    return [name for name in names if name in among]


def parse_sources(answer: str) -> List[Source]:
    """The answer of `apt-get indextargets` to FORMAT; what apt does not know of an entry stays a $(NAME)."""
    found: Dict[Source, None] = {}
    for line in answer.splitlines():
        fields = line.split("\t")
        if len(fields) == 5:
            found[Source(*("" if field.startswith("$(") else field for field in fields))] = None
    return list(found)


def place(uri: str) -> str:
    """An address without what makes no difference to whose packages there are: scheme and final slash."""
    return uri.partition("://")[2].rstrip("/")


def owners(sources: Sequence[Source], uri: str, release: str) -> List[Source]:
    """The entries that already bring Docker's packages for this release, from Docker or from a mirror.

    apt refuses all work when two entries of one address and release name different keys, so beside one of these there
    must be no other.
    """
    return [
        source
        for source in sources
        if source.release == release and (source.label == LABEL or place(source.uri) == place(uri))
    ]


def entry(theirs: Sequence[Source], present: bool, needed: bool) -> str:
    """What is to become of this project's own entry: `add`, `drop` or `leave`."""
    if theirs:
        return "drop" if present else "leave"
    return "add" if present or needed else "leave"


def refuse_unusable(theirs: Sequence[Source], repository: str) -> None:
    """Refuse an entry whose keyring is gone: apt would say only that the repository is not signed."""
    for source in theirs:
        for path in source.signed_by.replace(",", " ").split():
            if path.startswith("/") and not os.path.exists(path):
                raise Refusal(
                    f"{source.entry} names the keyring {path}, which is not there. Next: curl -fsSL {repository}/gpg "
                    f"-o {path}, or remove the entry, then run again."
                )
