# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of an image as a file of the machine, such as a program without dependencies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..resource.converge import Probe, Resource
from ..resource.errors import ResourceError
from ..system import files
from ..system.probing import read_by
from ..system.process import ProcessError, run

UNKNOWN = "unknown"
"""Stands for the SHA-256 of a file that is not recorded and not copied yet."""

PULL_TIMEOUT_S = 900
"""Seconds that `docker create` may take: it pulls the image if it is absent."""


class ImageFileError(ResourceError):
    """The file cannot be copied out of the image, or is not the recorded one. The message has the next step."""


@dataclass(frozen=True)
class Goal:
    """The file `source` of an image as `path` of the machine, owned by root, with the permission bits `mode`.

    `recorded` has the SHA-256 of the file by image.
    """

    image: str
    source: str
    path: str
    mode: int
    recorded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """SHA-256 and permission bits of the file; both empty if it is absent. `copied` is whether this run copied it."""

    sha256: str = ""
    mode: int = 0
    copied: bool = False


@dataclass(frozen=True)
class Change:
    """The copy of the file out of its image."""

    goal: Goal

    def __str__(self) -> str:
        return f"copy {self.goal.source} of {self.goal.image} to {self.goal.path}"


def plan(state: State, goal: Goal) -> list[Change]:
    """Return the copy, if the file is absent, differs, or has no record.

    Raises:
        ImageFileError: the file in the image is not the recorded one.
    """
    expected = goal.recorded.get(goal.image, state.sha256 if state.copied else "")
    if state.copied and state.sha256 != expected:
        raise ImageFileError(
            f"{goal.source} of {goal.image}: found SHA-256 {state.sha256}, expected the recorded {expected}. Next: "
            "remove the image with docker image rm and run again. To accept the file, delete its line in the record."
        )
    return [] if expected and (state.sha256, state.mode) == (expected, goal.mode) else [Change(goal)]


def predict(state: State, changes: Sequence[Change]) -> State:
    """Return the state after the changes; the SHA-256 of a file without a record is unknown until then."""
    goals = [change.goal for change in changes]
    return State(goals[0].recorded.get(goals[0].image, UNKNOWN), goals[0].mode, copied=True) if goals else state


def probe(path: str) -> Probe[State]:
    """Return the command that reads the SHA-256 and the mode of the file."""
    script = 'if [ -e "$1" ]; then stat --format=%a -- "$1" && sha256sum -- "$1"; fi'
    return Probe(["sh", "-c", script, "sh", path], parse)


def parse(status: int, output: str) -> State | None:
    """Return the state by the output of the probe; None if the file cannot be read."""
    words = output.split()
    if status:
        return None
    return State(words[1], int(words[0], 8)) if len(words) >= 2 else State()


def write(changes: Sequence[Change]) -> None:
    """Copy the file. The image is pulled if it is absent.

    Raises:
        ImageFileError: docker failed.
    """
    for change in changes:
        goal = change.goal
        try:
            container = run(["docker", "create", "--quiet", goal.image], timeout_s=PULL_TIMEOUT_S).strip()
            try:
                _copy(container, goal)
            finally:
                run(["docker", "rm", "--volumes", container])
        except ProcessError as error:
            raise ImageFileError(f"{error}. Next: check the image's name and version, then run again.") from error


def _copy(container: str, goal: Goal) -> None:
    files.make_folder(os.path.dirname(goal.path))
    with tempfile.TemporaryDirectory(dir=os.path.dirname(goal.path), prefix=".tars-") as folder:
        copied = os.path.join(folder, "file")
        # A link is followed: the file counts.
        run(["docker", "cp", "--follow-link", f"{container}:{goal.source}", copied], timeout_s=120)
        with open(copied, "rb") as file:
            files.write_file(goal.path, file.read(), goal.mode, 0, 0)


def resource(goal: Goal) -> Resource[State, Change]:
    """Return the file as a resource."""
    reading = probe(goal.path)
    written: list[Change] = []

    def write_and_remember(changes: Sequence[Change]) -> None:
        write(changes)
        written.extend(changes)

    return Resource(
        read=lambda: replace(read_by(reading), copied=bool(written)),
        plan=lambda state: plan(state, goal),
        predict=predict,
        write=write_and_remember,
        show=lambda state: {"digests": {goal.image: state.sha256} if state.sha256 not in ("", UNKNOWN) else {}},
        diff=lambda before, after: {"before": f"{before.sha256}\n", "after": f"{after.sha256}\n"},
        refused="docker cp reported success, but the file differs from the one in the image.",
        advice=f"Next: check the disk that {goal.path} is on.",
        probe=reading,
    )
