# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: which are installed according to dpkg, and installing missing ones with apt-get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..resource.converge import Pending, Probe, Resource
from . import jobs
from .process import attempt

ENVIRONMENT: tuple[tuple[str, str], ...] = (("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_SUSPEND", "1"))

LOCK_TIMEOUT_S = 600
"""Seconds to wait for another program's package lock (unattended upgrades hold it for minutes)."""


@dataclass(frozen=True)
class Install:
    """The installation of one package."""

    name: str

    def __str__(self) -> str:
        return f"install {self.name}"


def resource(names: Sequence[str], recommends: bool) -> Resource[frozenset[str], Install]:
    """Return packages, with or without those that they recommend, as a resource. Its state are the installed ones."""
    names = list(dict.fromkeys(names))
    # Without names dpkg-query would list all packages.
    command = query_command(names) if names else ["true"]
    return Resource(
        read=lambda: installed(attempt(command).output),
        plan=lambda current: plan(current, names),
        predict=predict,
        write=lambda changes: install([change.name for change in changes], recommends),
        show=lambda state: {},
        refused="apt-get succeeded, but the packages are not all installed.",
        advice=f"Next: read its output in {jobs.LOG_FOLDER}/tars-apt.log",
        probe=Probe(command, lambda status, output: installed(output)),
        diff=lambda before, after: diff(names, before, after),
    )


def plan(current: frozenset[str], desired: Sequence[str]) -> list[Install]:
    """Return the packages to install, in the order given."""
    return [Install(name) for name in desired if name not in current]


def predict(current: frozenset[str], changes: Sequence[Install]) -> frozenset[str]:
    """Return the installed packages after the changes."""
    return current | {change.name for change in changes}


def diff(names: Sequence[str], before: frozenset[str], after: frozenset[str]) -> Mapping[str, Any]:
    """Return which of the packages are installed before and after, one a line."""
    lists = {"before": before, "after": after}
    return {when: "".join(f"{name}\n" for name in names if name in state) for when, state in lists.items()}


def install(names: Sequence[str], recommends: bool) -> Pending | None:
    """Install packages as a job; Pending while it runs.

    Raises:
        JobError: apt-get failed.
    """
    job = jobs.Job("tars-apt", tuple(install_command(names, recommends)), ENVIRONMENT)
    try:
        if not jobs.begin(attempt, job):
            return Pending({"pending": [jobs.EARLIER], "units": [job.unit]})
        running = jobs.attend(attempt, [job])
    except jobs.JobError as error:
        raise jobs.JobError(
            f"Installing {', '.join(names)}: {error}\nNext: correct what apt-get names, then run again."
        ) from error
    return Pending({"pending": jobs.tail(job, 1) or ["apt-get starts"], "units": [job.unit]}) if running else None


def query_command(names: Sequence[str]) -> list[str]:
    """Return the command that lists the states of packages. It exits with 1 for unknown names, which it leaves out."""
    return ["dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Status}\\t${db:Status-Want}\\n", *names]


def installed(output: str) -> frozenset[str]:
    """Return the installed packages by dpkg-query's output."""
    return frozenset(name for name, status, _ in _rows(output) if status == "installed")


def unpacked(output: str) -> frozenset[str]:
    """Return the packages whose files are present, but whose installation has not ended, by dpkg-query's output."""
    ended = ("installed", "config-files", "not-installed")
    return frozenset(name for name, status, _ in _rows(output) if status not in ended)


def held(output: str) -> frozenset[str]:
    """Return the packages that apt-mark holds by dpkg-query's output, installed or not."""
    return frozenset(name for name, _, want in _rows(output) if want == "hold")


def _rows(output: str) -> list[list[str]]:
    return [fields for line in output.splitlines() if len(fields := line.split("\t")) == 3]


def install_command(names: Sequence[str], recommends: bool) -> list[str]:
    """Return the command that refreshes the package lists and installs packages, as one job.

    It fails rather than remove a package that conflicts: the owner decides about that.
    """
    options = f"--quiet --yes --option=DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"
    choice = "--install-recommends" if recommends else "--no-install-recommends"
    script = f'apt-get {options} update && exec apt-get {options} --no-remove {choice} install "$@"'
    return ["sh", "-c", script, "apt-get", *names]
