# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project on this machine: read it, start it, and check the page that it serves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ..checks import http_probe
from ..resource.change import Change
from ..resource.converge import Pending, Probe, Resource
from ..system import jobs
from ..system.process import PROGRAMS, Finished, attempt
from .compose import (
    PROJECT_LABEL,
    ComposeError,
    Container,
    State,
    diff,
    parse_containers,
    parse_hashes,
    plan,
    predict,
    show,
    summary,
)

COMMAND_S = 300
"""Seconds that a command of docker may take."""

# `up --wait` ends at once for a container that is unhealthy or crashes repeatedly, even if the cause was just repaired.
_REPAIR = """
ids=$(for state in health=unhealthy status=restarting; do docker ps --all --quiet --filter "$state" --filter "$0"; done)
[ -z "$ids" ] || docker restart $ids
exec "$@"
"""
_SEPARATOR = "\x1e"
_PAGE = """
import ssl, sys, urllib.request as r
https = r.HTTPSHandler(context=ssl.create_default_context(cafile=sys.argv[2]))
r.build_opener(r.ProxyHandler({}), https).open(sys.argv[1], timeout=30).read(1)
"""
_SCRIPT = r"""
project=$1 file=$2 label=$3 page=$4 url=$5 ca=$6
[ -e "$file" ] && command -v docker >/dev/null || exit 1
hashes=$(docker compose "--project-name=$project" "--file=$file" config --hash '*') || exit 1
printf '%s\036' "$hashes"
ids=$(docker ps --all --quiet "--filter=label=$label=$project") || exit 1
[ -z "$ids" ] || docker inspect $ids
printf '\036'
[ -z "$url" ] || python3 -c "$page" "$url" "$ca" || exit 1
"""


def _run(command: Sequence[str]) -> Finished:
    return attempt(command, timeout_s=COMMAND_S)


@dataclass(frozen=True)
class Project:
    """A Compose project: its name, the folder with its compose.yaml, and the page that has to answer.

    `url` is empty where no page is checked; `ca` is the file with the only certificate authority trusted for it.
    `wait_s` are the seconds in which all services have to be healthy.
    """

    name: str
    folder: str
    wait_s: int = 300
    url: str = ""
    ca: str = ""
    run: jobs.Run = _run

    @property
    def file(self) -> str:
        """Return the Compose file."""
        return os.path.join(self.folder, "compose.yaml")

    @property
    def command(self) -> list[str]:
        """Return the start of every command of docker compose."""
        return ["docker", "compose", f"--project-name={self.name}", f"--file={self.file}"]

    def read(self) -> State:
        """Return the state; the page is only checked where all services are as described.

        Raises:
            ComposeError: docker compose refuses the file, or Docker does not answer.
        """
        if not shutil.which("docker", path=PROGRAMS) or not os.path.exists(self.file):
            return State(readable=False)
        status, output, errors = self.run([*self.command, "config", "--hash", "*"])
        if status != 0:
            raise ComposeError(
                f"{self.file}: docker compose refuses it: {errors.strip()}\nNext: correct what it names."
            )
        state = State(parse_hashes(output), self._containers())
        if plan(state, self.name) or not self.url:
            return state
        return State(state.hashes, state.containers, page=self._page())

    def _containers(self) -> list[Container]:
        label = f"--filter=label={PROJECT_LABEL}={self.name}"
        status, output, errors = self.run(["docker", "ps", "--all", "--quiet", label])
        if status != 0:
            raise ComposeError(f"docker ps failed: {errors.strip()}\nNext: systemctl status docker.service")
        # A container may vanish between the two calls; the output has the others.
        return parse_containers(self.run(["docker", "inspect", *output.split()])[1]) if output.split() else []

    def _page(self) -> str:
        answers, answer = http_probe.settled(self.url, self.ca)
        if answers:
            return ""
        return (
            f"{self.url}: found {answer}, expected an answer, with {self.ca} as the only trusted certificate "
            f"authority. All services of project {self.name} are healthy. Next: docker compose --project-name "
            f"{self.name} logs, for the service that publishes it; if the certificate is refused, run the whole role."
        )

    def write(self, changes: Sequence[Change]) -> Pending | None:
        """Start the project as a job; return Pending while it runs.

        Raises:
            ComposeError: there is no Compose file, or services are not healthy in time. Quotes the end of their logs.
        """
        before = self.read()
        if not before.readable:
            raise ComposeError(
                f"{self.file} or the docker command does not exist. Next: run the whole role, not a part of it."
            )
        up = ["up", "--detach", "--remove-orphans", "--wait", f"--wait-timeout={self.wait_s}"]
        repair = ("sh", "-c", _REPAIR, f"label={PROJECT_LABEL}={self.name}")
        # In the environment, so that the job of another configuration is not taken for this one.
        configuration = (("TARS_CONFIGURATION", ",".join(sorted(before.hashes.values()))),)
        job = jobs.Job(f"tars-compose-{self.name}", (*repair, *self.command, *up), configuration)
        failure = ""
        try:
            if not jobs.begin(self.run, job):
                return Pending({"pending": [jobs.EARLIER], "units": [job.unit]})
            if jobs.attend(self.run, [job]):
                return Pending({"pending": [summary(self._containers())], "units": [job.unit]})
        except jobs.JobError as error:
            failure = "\n".join(str(error).splitlines()[-3:])
        after = self._containers()
        left = plan(State(before.hashes, after), self.name)
        if left:
            raise ComposeError(
                f"Project {self.name}: {', '.join(str(change) for change in left)} failed, expected healthy services.\n"
                f"{failure}\n{self._logs(after)}\nNext: docker compose --project-name {self.name} logs, for the "
                "service named."
            )
        return None

    def _logs(self, containers: Sequence[Container]) -> str:
        """Return the end of the output of each container that does not work."""
        ends = []
        for container in containers:
            if not container.working:
                _, output, errors = self.run(["docker", "logs", "--tail=8", container.id])
                ends.append(f"{container.service} ({container.description}):\n{(output + errors).strip()}")
        return "\n".join(ends)

    def resource(self) -> Resource[State, Change]:
        """Return the project as a resource."""
        command = ["sh", "-c", _SCRIPT, "sh", self.name, self.file, PROJECT_LABEL, _PAGE, self.url, self.ca]
        return Resource(
            read=self.read,
            plan=lambda state: plan(state, self.name),
            predict=predict,
            write=self.write,
            show=show,
            diff=diff,
            refused="docker compose reported success, but services differ from the Compose file.",
            advice=f"Next: docker compose --project-name {self.name} ps --all",
            probe=Probe(command, parse_probe),
        )


def parse_probe(status: int, output: str) -> State | None:
    """Return the state from the output of the probe; None without a readable project, or where its page fails."""
    sections = output.split(_SEPARATOR)
    if status != 0 or len(sections) != 3:
        return None
    return State(parse_hashes(sections[0]), parse_containers(sections[1]))
