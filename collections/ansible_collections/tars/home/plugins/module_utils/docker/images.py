# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images by name, and the digests that are recorded for them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.errors import ResourceError


class ImageError(ResourceError):
    """An image cannot be pulled, or is not the recorded one. The message has the next step."""


@dataclass(frozen=True)
class Goal:
    """The images to pull, by name and exact version, with the digests that are recorded in the file `record`."""

    names: Sequence[str]
    recorded: Mapping[str, str] = field(default_factory=dict)
    record: str = ""


@dataclass(frozen=True)
class State:
    """The digest of each present image, and the names that were pulled in this run.

    `full` describes the file systems with too little free space, empty if there are none.
    """

    present: Mapping[str, str] = field(default_factory=dict)
    pulled: frozenset[str] = frozenset()
    full: str = ""


@dataclass(frozen=True)
class Change:
    """The pull of an image."""

    name: str

    def __str__(self) -> str:
        return f"pull {self.name}"


def plan(state: State, goal: Goal) -> list[Change]:
    """Return the pulls: of absent images, and of those without a record.

    A present image without a record may be older than what its tag means now: the digest that a pull returns counts.

    Raises:
        ImageError: there is too little free space, or an image is not the recorded one.
    """
    if state.full:
        raise ImageError(state.full)
    moved = [
        f"{name}: found {digest}, expected the recorded {goal.recorded[name]}: its tag was moved."
        for name, digest in sorted(state.present.items())
        if goal.recorded.get(name, digest) != digest
    ]
    if moved:
        raise ImageError(
            "\n".join(moved) + f"\nNext: to accept the new image, delete its line in {goal.record} and run again; "
            "otherwise use another tag for the recorded version, and remove the image with docker image rm."
        )
    done = state.pulled | set(goal.recorded)
    return [Change(name) for name in dict.fromkeys(goal.names) if name not in state.present or name not in done]


def predict(state: State, changes: Sequence[Change], goal: Goal) -> State:
    """Return the state after the changes. The digest of an image without a record is unknown until then."""
    names = [change.name for change in changes]
    known = {name: state.present.get(name) or goal.recorded.get(name, "") for name in names}
    return replace(state, present={**state.present, **known}, pulled=state.pulled | set(names))


def show(state: State, goal: Goal) -> dict[str, Any]:
    """Return the digests, and the names for a Compose file: with the digest where it is known."""
    present = {name: state.present[name] for name in goal.names if state.present.get(name)}
    known = {**goal.recorded, **present}
    return {
        "digests": present,
        "pinned": {name: f"{name}@{known[name]}" if name in known else name for name in goal.names},
    }


def diff(before: State, after: State) -> dict[str, str]:
    """Return the images as diff mode shows them."""
    return {"before": _listing(before), "after": _listing(after)}


def _listing(state: State) -> str:
    return "".join(f"{name}@{digest or '(known after the pull)'}\n" for name, digest in state.present.items())


def repository(name: str) -> str:
    """Return an image's repository as Docker writes it in digests: without tag, default registry and namespace.

    >>> repository("docker.io/library/postgres:17.6"), repository("host:5000/a/b:1")
    ('postgres', 'host:5000/a/b')
    """
    head, slash, last = name.partition("@")[0].rpartition("/")
    full = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/", "library/"):
        if full.startswith(prefix):
            full = full[len(prefix) :]
    return full


def query(names: Sequence[str]) -> list[str]:
    """Return the command whose output `digests` reads. It exits with 1 if one is absent, and prints the others."""
    row = '{"tags": {{json .RepoTags}}, "digests": {{json .RepoDigests}}}'
    return ["docker", "image", "inspect", f"--format={row}", *names]


def digests(output: str) -> dict[str, list[str]]:
    """Return the images in the output of `query`: tag -> its `repository@sha256:...` names."""
    images: dict[str, list[str]] = {}
    for line in output.splitlines():
        image = json.loads(line) if line.startswith("{") else {}
        for tag in image.get("tags") or []:
            images[tag] = list(image["digests"] or [])
    return images


def present(names: Sequence[str], output: str) -> dict[str, str]:
    """Return those of the images that are present, with their digest."""
    images = digests(output)
    return {name: digest for name in names if (digest := digest_of(name, images))}


def digest_of(name: str, images: Mapping[str, Sequence[str]]) -> str | None:
    """Return the digest (`sha256:...`) with which the local image of that name was pulled, None if it is absent."""
    own = repository(name)
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    for local, names in images.items():
        if repository(local) == own and local.rsplit("/", 1)[-1].partition(":")[2] == tag:
            for entry in names:
                if repository(entry) == own:
                    return entry.partition("@")[2]
    return None


def unit(name: str) -> str:
    """Return the systemd unit that pulls an image."""
    return "tars-pull-" + re.sub(r"[^A-Za-z0-9_.-]", "-", name)


def progress(name: str, output: Sequence[str]) -> str:
    """Return the progress of a `docker pull` in words, from its output: one line per layer and state."""
    layers, complete = set(), set()
    for line in output:
        match = re.match(r"([0-9a-f]{12}): (.*)", line)
        if match:
            layers.add(match[1])
            if match[2] in ("Pull complete", "Already exists"):
                complete.add(match[1])
    return f"pulling {name}: {len(complete)} of {len(layers)} layers" if layers else f"pulling {name}"
