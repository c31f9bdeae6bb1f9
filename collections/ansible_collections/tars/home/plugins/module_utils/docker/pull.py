# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on this machine: read which are present, and pull those that are not."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..resource.converge import Pending, Probe, Resource
from ..system import disk_space, jobs
from ..system.process import attempt
from .images import Change, Goal, ImageError, State, diff, plan, predict, present, progress, query, show, unit

_SEPARATOR = "\x1e"


class Images:
    """The images of a goal, and the folders whose file systems need that many MiB of free space in every run."""

    def __init__(self, goal: Goal, folders: Sequence[str] = (), mib: int = 0, run: jobs.Run = attempt) -> None:
        """`run` runs a command."""
        self.goal, self.folders, self.mib, self.run = goal, folders, mib, run
        self.pulled: frozenset[str] = frozenset()

    @property
    def command(self) -> list[str]:
        """Return the command that reads the free space and the images."""
        script = f"{shlex.join(disk_space.query(self.folders))}; printf '\\036'; {shlex.join(query(self.goal.names))}"
        # An absent image or Docker is an error of inspect, and the answer: what it does not list has to be pulled.
        return ["sh", "-c", f"{script} 2>/dev/null || true"]

    def parse(self, status: int, output: str) -> State:
        """Return the state from the output of `command`."""
        free, _, inspected = output.partition(_SEPARATOR)
        full = disk_space.refusal(self.folders, self.mib, free)
        return State(present(self.goal.names, inspected), self.pulled, full)

    def read(self) -> State:
        """Return the state of this machine."""
        status, output, _ = self.run(self.command)
        return self.parse(status, output)

    def write(self, changes: Sequence[Change]) -> Pending | None:
        """Pull images side by side; return Pending while pulls still run.

        Raises:
            ImageError: a pull failed.
        """
        pulls = [jobs.Job(unit(change.name), ("docker", "pull", change.name)) for change in changes]
        try:
            for job in pulls:
                jobs.begin(self.run, job)
            running = jobs.attend(self.run, pulls)
        except jobs.JobError as error:
            raise ImageError(
                f"{error}\nNext: check that the registry (or mirror) has this version, then run again."
            ) from error
        if running:
            lines = [progress(job.command[-1], jobs.tail(job, 1000)) for job in running]
            return Pending({"pending": lines, "units": [job.unit for job in running]})
        self.pulled |= {change.name for change in changes}
        return None

    def resource(self) -> Resource[State, Change]:
        """Return the images as a resource."""
        return Resource(
            read=self.read,
            plan=lambda state: plan(state, self.goal),
            predict=lambda state, changes: predict(state, changes, self.goal),
            write=self.write,
            show=lambda state: show(state, self.goal),
            diff=diff,
            refused="docker pull reported success, but images have no digest.",
            advice="Next: docker image inspect, for the image named",
            probe=Probe(self.command, self.parse),
        )
