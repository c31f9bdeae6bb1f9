# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine on this machine: read what is installed, and install what is missing."""

from __future__ import annotations

import http.client
import os
from collections.abc import Sequence
from dataclasses import replace

from ansible.module_utils.urls import open_url

from ..resource.converge import Pending, Probe, Resource
from ..system import apt, apt_sources, files, jobs
from ..system.process import PROGRAMS, attempt
from .installation import (
    ENGINES,
    OF_INTEREST,
    Change,
    Goal,
    InstallationError,
    State,
    diff,
    plan,
    predict,
    show,
    warnings,
)

JOB = "tars-apt"
"""The unit that works with packages, of which one runs at a time."""

_SEPARATOR = "\x1e"
_SCRIPT = f"""
PATH={PROGRAMS}
entry=$1 key=$2 labels=$3; shift 3
next() {{ printf '\\036'; }}
"$@" 2>/dev/null; next
for folder in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do
    for plugin in compose buildx; do
        [ ! -x "$folder/docker/cli-plugins/docker-$plugin" ] || echo "$plugin"
    done
done; next
command -v dockerd; next
ls /var/lib/snapd/snaps/docker_*.snap 2>/dev/null; next
getent passwd | cut -d: -f6 | sort -u | while read -r home; do
    [ ! -e "$home/.config/systemd/user/docker.service" ] || echo "$home/.config/systemd/user/docker.service"
done; next
systemctl is-enabled docker.service 2>/dev/null; next
[ ! -e "$entry" ] || {{ echo present; cat "$entry"; }}; next
[ ! -e "$key" ] || echo present; next
{apt_sources.READ_SCRIPT}
next
[ "$labels" = always ] || [ -e "$entry" ] || exit 0
parts=$(mktemp -d) || exit 1
trap 'rm -r "$parts"' EXIT
for file in /etc/apt/sources.list.d/*; do
    [ "$file" = "$entry" ] || ln -s "$file" "$parts/"
done
listed=$(apt-get "--option=Dir::Etc::sourceparts=$parts" indextargets \\
    --format '$(SOURCESENTRY)\t$(LABEL)' 'Created-By: Packages') || exit 100
echo "$listed" | sed "s|^$parts|/etc/apt/sources.list.d|"
"""
"""Reads everything. The own entry is hidden from apt: it may be what keeps apt from reading its sources."""


def command(goal: Goal, labels: bool = False) -> list[str]:
    """Return the command that reads the state; with `labels`, always those of apt's sources."""
    query = apt.query_command(sorted({*goal.names, *OF_INTEREST}))
    own = [goal.repository.entry, goal.repository.key, "always" if labels else ""]
    return ["sh", "-c", _SCRIPT, "sh", *own, *query]


def parse(output: str, goal: Goal) -> State:
    """Return the state from the output of `command`, without `owner` and `lost_keys`.

    Raises:
        InstallationError: the output is incomplete.
    """
    sections = output.split(_SEPARATOR)
    if len(sections) != 10:
        raise InstallationError("The state of Docker's installation cannot be read: the output is incomplete.")
    packages, plugins, dockerd, snap, rootless, enabled, own, key, sources, labels = sections
    entries = apt_sources.parse_files(sources)
    rows = [line.split("\t") for line in labels.splitlines()]
    return State(
        installed=apt.installed(packages),
        held=apt.held(packages),
        unpacked=apt.unpacked(packages),
        plugins=frozenset(plugins.split()),
        dockerd=dockerd.strip(),
        snap=snap.partition("\n")[0],
        rootless=tuple(rootless.split()),
        enabled=enabled.strip() == "enabled",
        entry=own.partition("\n")[2] if own else None,
        key=bool(key.strip()),
        sources=tuple(source for source in entries if source.entry.rpartition(":")[0] != goal.repository.entry),
        labels={row[0]: row[1] for row in rows if len(row) == 2 and not row[1].startswith("$(")},
    )


def parse_probe(status: int, output: str, goal: Goal) -> State | None:
    """Return the state from the output of `command`; None without an engine, of which the module reads more."""
    if status != 0:
        return None
    state = parse(output, goal)
    return state if state.installed & set(ENGINES) else None


def read(goal: Goal, run: jobs.Run = attempt) -> State:
    """Return the state of this machine.

    Raises:
        InstallationError: apt cannot read its sources.
    """
    status, output, errors = run(command(goal, labels=True))
    if status != 0:
        raise InstallationError(
            f"apt cannot read its sources: {errors.strip()}\nNext: correct the entry that apt names, then run again."
        )
    state = parse(output, goal)
    owner = ""
    if state.dockerd and not state.installed & set(ENGINES):
        owner = run(["dpkg-query", "--search", state.dockerd])[1].partition(":")[0]
    keys = apt_sources.key_files(state.sources)
    return replace(state, owner=owner, lost_keys=frozenset(path for path in keys if not os.path.exists(path)))


def write(changes: Sequence[Change], goal: Goal, run: jobs.Run = attempt) -> Pending | None:
    """Make changes; return Pending while apt still works.

    Raises:
        InstallationError: the key cannot be fetched, or apt refuses the own entry (which is removed again) or a
        package.
    """
    own = goal.repository.entry
    names: tuple[str, ...] = ()
    for change in changes:
        if change.kind == "fetch":
            files.write_file(change.subject, _fetch(goal.repository.key_url))
        elif change.kind == "write":
            files.write_file(own, goal.repository.text)
        elif change.kind == "remove":
            files.remove(own)
        else:
            names = change.names
    install = apt.install_command(names, recommends=False) if names else ["true"]
    if os.path.exists(own):
        install = apt_sources.checked_command(own, [goal.repository.key], install)
    elif not names:
        return None
    job = jobs.Job(JOB, tuple(install), apt.ENVIRONMENT)
    try:
        if not jobs.begin(run, job):
            return Pending({"pending": jobs.tail(job, 1) or [jobs.EARLIER], "units": [job.unit]})
        if jobs.attend(run, [job]):
            return Pending({"pending": jobs.tail(job, 1) or ["apt-get starts"], "units": [job.unit]})
    except jobs.JobError as error:
        raise InstallationError(f"{error}\nNext: correct what apt-get names, then run again.") from error
    return None


def _fetch(url: str) -> bytes:
    try:
        with open_url(url, timeout=60) as response:
            key: bytes = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InstallationError(
            f"The key of the repository cannot be fetched from {url}: {error}. Next: check the network, the proxy and "
            "the address of the repository, then run again."
        ) from error
    return key


def resource(goal: Goal, run: jobs.Run = attempt) -> Resource[State, Change]:
    """Return Docker's packages and their entry in apt's sources as a resource."""
    return Resource(
        read=lambda: read(goal, run),
        plan=lambda state: plan(state, goal),
        predict=lambda state, changes: predict(state, changes, goal),
        write=lambda changes: write(changes, goal, run),
        show=lambda state: show(state, goal),
        diff=lambda before, after: diff(before, after, goal),
        warnings=lambda state: warnings(state, goal),
        refused="apt-get reported success, but packages are still missing.",
        advice=f"Next: see its output in {jobs.LOG_FOLDER}/{JOB}.log",
        probe=Probe(command(goal), lambda status, output: parse_probe(status, output, goal)),
    )
