# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Docker Engine a machine has, whether it can be adopted, and the changes that complete it.

Docker Engine comes from the distribution (docker.io), from Docker's repository (docker-ce), or in ways that this
project does not support. The packages of the first two exclude each other: docker-ce and docker-ce-cli conflict with
docker.io, containerd.io with containerd and runc, docker-compose-plugin with docker-compose (docker/docker-ce-packaging
deb/common/control, docker/containerd-packaging debian/control). Installed packages are therefore never exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.errors import ResourceError
from ..system.apt_sources import Source, key_files, place

SOURCES = ("distribution", "docker")
ENGINES = {"docker.io": "distribution", "docker-ce": "docker"}
DOCKERS_OWN = ("docker-ce", "docker-ce-cli", "containerd.io")
"""Packages of Docker's repository that those of the distribution would displace."""

DISTRIBUTIONS_OWN = ("docker-cli", "containerd", "runc", "docker-compose")
"""Packages of the distribution that those of Docker's repository would displace."""

OF_INTEREST = (*ENGINES, *DOCKERS_OWN[1:], *DISTRIBUTIONS_OWN, "podman-docker")

LABEL = "Docker CE"
"""The label in the Release files of Docker's repository and of its mirrors."""


class InstallationError(ResourceError):
    """The present Docker cannot be adopted or completed. The message names it and the next step."""


@dataclass(frozen=True)
class Family:
    """The names of one publisher's packages: the engine with its command, and the two plugins."""

    engine: tuple[str, ...]
    compose: str
    buildx: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names."""
        return (*self.engine, self.compose, self.buildx)


@dataclass(frozen=True)
class Repository:
    """Docker's repository: address and release, and the own entry for it with its key's file."""

    uri: str
    release: str
    entry: str
    key: str

    @property
    def key_url(self) -> str:
        """Return where the key is fetched."""
        return f"{self.uri.rstrip('/')}/gpg"

    @property
    def text(self) -> str:
        """Return the content of the own entry."""
        return f"Types: deb\nURIs: {self.uri}\nSuites: {self.release}\nComponents: stable\nSigned-By: {self.key}\n"


@dataclass(frozen=True)
class Goal:
    """The desired installation: whose packages on a machine without Docker, their names, and further packages.

    A family is None where the distribution, `platform` in messages, lacks packages of the plugins.
    """

    source: str
    families: Mapping[str, Family | None]
    platform: str
    repository: Repository
    helpers: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return every package that may be installed."""
        families = [family for family in self.families.values() if family]
        return list(dict.fromkeys([*(name for family in families for name in family.names), *self.helpers]))


@dataclass(frozen=True)
class State:
    """What a machine has.

    Attributes:
        installed, held: packages, and those that apt-mark holds.
        unpacked: packages whose installation has not ended, because it still runs or was interrupted.
        plugins: `compose` and `buildx`, as far as docker finds their programs.
        dockerd, owner: path of a daemon, and the package it belongs to.
        snap: file of a snap.
        rootless: unit files of users who run a daemon of their own.
        enabled: whether root's daemon starts at boot.
        entry: text of the own entry in apt's sources; None if the file does not exist.
        key: whether the own entry's key exists.
        sources: the other entries in apt's sources.
        labels: label of each entry whose lists were downloaded, by file:line.
        lost_keys: keyrings named in apt's sources that do not exist.
    """

    installed: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    unpacked: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    dockerd: str = ""
    owner: str = ""
    snap: str = ""
    rootless: tuple[str, ...] = ()
    enabled: bool = False
    entry: str | None = None
    key: bool = False
    sources: tuple[Source, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    lost_keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """`fetch` or `write` or `remove` of a file (`subject`), or `install` of packages (`names`)."""

    kind: str
    subject: str = ""
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.subject or ', '.join(self.names)}"


def choose(state: State, goal: Goal) -> tuple[str, list[str]]:
    """Return whose Docker is used (one of SOURCES), and its missing packages in the order of the family.

    Raises:
        InstallationError: the present Docker can neither be used nor be completed without removing packages.
    """
    _refuse_other_kinds(state)
    engine = next((name for name in ENGINES if name in state.installed | state.unpacked), None)
    if engine is None and state.dockerd:
        owner = f"comes from the package {state.owner}" if state.owner else "does not belong to a package"
        raise InstallationError(
            f"{state.dockerd} {owner}; expected docker.io or docker-ce. Next: stop and remove it, then run again; "
            "images and containers in /var/lib/docker remain and are used by the new one."
        )
    source = ENGINES[engine] if engine else goal.source
    if engine is None and state.installed & set(DOCKERS_OWN):
        # Parts of Docker's may be installed for something else (Kubernetes uses containerd.io): the rest fits them.
        source = "docker"
    elif engine is None and source == "docker" and (present := _named(state.installed, DISTRIBUTIONS_OWN)):
        raise InstallationError(
            f"The distribution's {', '.join(present)} would be displaced by Docker's packages, and other software may "
            "need them. Next: use the distribution's Docker (source: distribution), or apt-get remove "
            f"{' '.join(present)}, then run again."
        )
    return source, _completion(state, goal, goal.families.get(source), bool(engine))


def _refuse_other_kinds(state: State) -> None:
    if state.snap:
        raise InstallationError(
            f"Docker is installed as a snap ({state.snap}), which reads another daemon.json and sees little of the "
            "file system. Next: save the data of its containers, snap remove docker, then run again."
        )
    if "podman-docker" in state.installed:
        raise InstallationError(
            "The package podman-docker makes podman answer as docker; expected Docker Engine. Next: apt-get remove "
            "podman-docker, which keeps podman and its containers, then run again."
        )
    if state.rootless and not state.enabled:
        raise InstallationError(
            f"Docker runs rootless here ({', '.join(state.rootless)}), and no docker.service of root starts at boot, "
            "which the services need. Next: install docker-ce or docker.io and systemctl enable docker.service to use "
            "both, or dockerd-rootless-setuptool.sh uninstall as that user, then run again."
        )


def _completion(state: State, goal: Goal, family: Family | None, engine: bool) -> list[str]:
    """Return the missing packages. A present plugin is not installed again, even if it is not from a package."""
    if family is None:
        if engine and {"compose", "buildx"} <= state.plugins:
            return []
        prefix = "docker.io is installed, and " if engine else ""
        suffix = "; first apt-get remove docker.io, which keeps images and containers." if engine else "."
        raise InstallationError(
            f"{prefix}{goal.platform} has no packages of the compose and buildx plugins. Next: use Docker's own "
            f"packages (source: docker){suffix}"
        )
    present = state.installed | {getattr(family, plugin) for plugin in state.plugins}
    missing = [name for name in family.names if name not in present]
    if blocked := _named(state.held, missing):
        raise InstallationError(
            f"{', '.join(blocked)}: not installed and held by apt-mark. Next: apt-mark unhold {' '.join(blocked)}, "
            "then run again."
        )
    return missing


def _named(among: frozenset[str], names: Sequence[str]) -> list[str]:
    return [name for name in names if name in among]


def owners(state: State, repository: Repository) -> list[Source]:
    """Return the owner's entries that provide Docker's packages for the release, from Docker or from a mirror."""
    return [
        source
        for source in state.sources
        if source.suite == repository.release
        and (state.labels.get(source.entry) == LABEL or place(source.uri) == place(repository.uri))
    ]


def plan(state: State, goal: Goal) -> list[Change]:
    """Return the changes: the own entry in apt's sources where the owner has none, and the missing packages.

    Raises:
        InstallationError: see `choose`; or the owner's entry names a keyring that does not exist.
    """
    source, missing = choose(state, goal)
    repository = goal.repository
    theirs = owners(state, repository)
    needed = source == "docker" and bool(missing)
    changes = []
    if theirs:
        if needed:
            _require_keys(state, theirs, repository)
        if state.entry is not None:
            changes.append(Change("remove", repository.entry))
    elif needed or state.entry is not None:
        if not state.key:
            changes.append(Change("fetch", repository.key))
        if state.entry != repository.text:
            changes.append(Change("write", repository.entry))
    missing += [name for name in goal.helpers if name not in state.installed]
    return [*changes, Change("install", names=tuple(missing))] if missing else changes


def _require_keys(state: State, theirs: Sequence[Source], repository: Repository) -> None:
    """Refuse an entry without its keyring: apt would only report that the repository is not signed."""
    for source in theirs:
        for path in key_files([source]):
            if path in state.lost_keys:
                raise InstallationError(
                    f"{source.entry} names the keyring {path}, which does not exist. Next: curl -fsSL "
                    f"{repository.key_url} -o {path}, or remove the entry, then run again."
                )


def predict(state: State, changes: Sequence[Change], goal: Goal) -> State:
    """Return the state after the changes."""
    for change in changes:
        if change.kind == "fetch":
            state = replace(state, key=True)
        elif change.kind == "write":
            state = replace(state, entry=goal.repository.text)
        elif change.kind == "remove":
            state = replace(state, entry=None)
        else:
            state = replace(state, installed=state.installed | set(change.names))
    return state


def show(state: State, goal: Goal) -> dict[str, Any]:
    """Return the state as return values."""
    engine = next((name for name in ENGINES if name in state.installed), None)
    return {
        "source": ENGINES[engine] if engine else goal.source,
        "packages": [name for name in goal.names if name in state.installed],
        "sources": [source.entry for source in owners(state, goal.repository)],
    }


def diff(before: State, after: State, goal: Goal) -> list[dict[str, str]]:
    """Return what diff mode shows: the own entry, and the packages."""
    entries = (before.entry or "", after.entry or "")
    packages = ["".join(f"{name}\n" for name in goal.names if name in state.installed) for state in (before, after)]
    pairs = [(goal.repository.entry, *entries), ("packages", *packages)]
    return [{"before_header": name, "after_header": name, "before": b, "after": a} for name, b, a in pairs if b != a]


def warnings(state: State, goal: Goal) -> list[str]:
    """Return that another publisher's packages were adopted, if so."""
    source = show(state, goal)["source"]
    if source == goal.source:
        return []
    return [
        f"Docker is used as it is installed, from the source {source}; the desired source is {goal.source}. To "
        "exchange it, remove its packages and run again; images and containers remain."
    ]
