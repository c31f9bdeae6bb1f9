# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that is built on this machine from sources that the controller sends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..resource.converge import Pending, Probe, Resource
from ..system import files, jobs
from ..system.process import attempt, run
from .images import ImageError


@dataclass(frozen=True)
class Build:
    """The build of an image.

    Attributes:
        name, tag: the image's name; its tag is taken from the sources and the build arguments.
        build_args: build arguments by name.
        secrets: files on this machine by the ID of the secret. Absent files are left out.
        archive: tar archive of the sources on this machine, empty while it was not sent.
    """

    name: str
    tag: str
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    archive: str = ""
    run: jobs.Run = attempt

    @property
    def image(self) -> str:
        """Return the image's full name."""
        return f"{self.name}:{self.tag}"

    @property
    def query(self) -> list[str]:
        """Return the command that exits with 0 if the image is present."""
        return ["docker", "image", "inspect", "--format={{.Id}}", self.image]

    @property
    def command(self) -> list[str]:
        """Return `docker build` of a tar archive on its standard input."""
        command = ["docker", "build", "--progress=plain", f"--tag={self.image}"]
        command += [f"--build-arg={key}={value}" for key, value in sorted(self.build_args.items())]
        secrets = {key: path for key, path in self.secrets.items() if os.path.exists(path)}
        command += [f"--secret=id={key},src={path}" for key, path in sorted(secrets.items())]
        return [*command, "-"]

    @property
    def job(self) -> jobs.Job:
        """Return the job that builds the image. It opens the archive and removes it, so that none is left behind."""
        unit = "tars-build-" + self.image.replace(":", "-")
        archive = f"{jobs.LOG_FOLDER}/{unit}.tar"
        command = ("sh", "-c", 'rm -f "$0" && exec "$@"', archive, *self.command)
        return jobs.Job(unit, command, (("DOCKER_BUILDKIT", "1"),), archive)

    def read(self) -> frozenset[str]:
        """Return the image's name if it is present, otherwise nothing."""
        present = bool(shutil.which("docker")) and self.run(self.query)[0] == 0
        return frozenset({self.image} if present else ())

    def write(self, changes: Sequence[Change]) -> Pending | None:
        """Build the image; return Pending while the build runs, or `needs_archive` while the sources were not sent.

        Raises:
            ImageError: the build failed.
        """
        job = self.job
        try:
            if jobs.state(self.run, job) != "running":
                if not self.archive:
                    return Pending({"needs_archive": True})
                files.make_folder(jobs.LOG_FOLDER, 0o700)
                # Out of the task's temporary folder: the job outlives it.
                shutil.move(self.archive, str(job.stdin))
                jobs.begin(self.run, job)
            if jobs.attend(self.run, [job]):
                line = "".join(jobs.tail(job, 1))[:160]
                return Pending({"pending": [f"building {self.image}: {line}"], "units": [job.unit]})
        except jobs.JobError as error:
            raise ImageError(
                f"Building {self.image}: {error}\nNext: correct the sources on the controller, then run again."
            ) from error
        self._remove_superseded()
        return None

    def _remove_superseded(self) -> None:
        tags = run(["docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}", self.name])
        used = run(["docker", "ps", "--all", "--format={{.Image}}"])
        old = superseded(tags, used, self.image)
        if old:
            run(["docker", "image", "rm", *old], timeout_s=300)

    def resource(self) -> Resource[frozenset[str], Change]:
        """Return the image as a resource; its state are the names of the present images."""
        return Resource(
            read=self.read,
            plan=lambda state: [] if self.image in state else [Change(self.image)],
            predict=lambda state, changes: state | {change.image for change in changes},
            write=self.write,
            show=lambda state: {"image": self.image},
            diff=lambda before, after: {"before": "\n".join(before), "after": "\n".join(after)},
            refused="docker build reported success, but the image does not exist.",
            advice=f"Next: read its output in {self.job.log}",
            probe=Probe(self.query, lambda status, output: None if status else frozenset({self.image})),
        )


@dataclass(frozen=True)
class Change:
    """The build of an image."""

    image: str

    def __str__(self) -> str:
        return f"build {self.image}"


def superseded(tags: str, used: str, image: str) -> list[str]:
    """Return earlier images of a name to remove: one a line in `tags`, without those of containers and the new one."""
    return sorted(set(tags.split()) - set(used.split()) - {image})
