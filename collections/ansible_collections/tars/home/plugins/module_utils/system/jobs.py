# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work on a machine as a systemd unit: it outlives the connection that started it, and the next run finds it.

A module starts or finds its job, waits for it for a few seconds and reports the progress. The action plugin
(plugin_utils/progress.py) shows it and calls again. A job's success proves nothing: the module reads the state of the
machine afterwards.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..resource.errors import ResourceError
from . import files

EARLIER = "waiting until the same kind of work of an earlier run has ended"
"""The progress shown while another job of the same name runs."""

SLICE_S = 4.0
"""Seconds that a module waits for running jobs before it reports."""

LOG_FOLDER = "/run/tars-jobs"
"""Folder of the jobs' output, until the next boot."""

Run = Callable[[list[str]], tuple[int, str, str]]
"""Runs a command: arguments to (exit status, stdout, stderr), such as `process.attempt`."""


class JobError(ResourceError):
    """A job could not be started, or ended with an error. The message carries the end of its output."""


@dataclass(frozen=True)
class Job:
    """A command under a unit name. Of one name, one job runs at a time."""

    unit: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    stdin: str | None = None

    @property
    def log(self) -> str:
        """Return the path of the job's output."""
        return f"{LOG_FOLDER}/{self.unit}.log"

    @property
    def mark(self) -> str:
        """Return what distinguishes a job from another one of its name: a digest over all its fields."""
        return hashlib.sha256(repr((self.command, self.environment, self.stdin)).encode()).hexdigest()[:16]


def start_command(job: Job) -> list[str]:
    """Return the systemd-run command that starts a job and ends once its program runs."""
    properties = ["StandardOutput=truncate:" + job.log, "StandardError=inherit"]
    if job.stdin is not None:
        properties.append("StandardInput=file:" + job.stdin)
    command = ["systemd-run", "--quiet", f"--unit={job.unit}", "--service-type=exec"]
    command += [f"--property={line}" for line in properties]
    command += [
        f"--setenv={key}={value}"
        for key, value in (("HOME", "/root"), ("LC_ALL", "C.UTF-8"), ("TARS_JOB", job.mark), *job.environment)
    ]
    return [*command, "--", *job.command]


def parse_state(show: str) -> str:
    """Return `running`, `failed` or `idle` (never started, or successful) by `systemctl show` of a unit."""
    values: dict[str, str] = dict(line.split("=", 1) for line in show.splitlines() if "=" in line)
    active = values.get("ActiveState", "inactive")
    if active in ("active", "activating", "deactivating", "reloading"):
        return "running"
    return "failed" if active == "failed" else "idle"


def state(run: Run, job: Job) -> str:
    """Return `running`, `failed` or `idle`, the current state of the unit."""
    return parse_state(run(["systemctl", "show", "--property=ActiveState", job.unit + ".service"])[1])


def tail(job: Job, lines: int = 20) -> list[str]:
    """Return the last lines of a job's output, without blank ones."""
    try:
        with open(job.log, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 16384))
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()][-lines:]


def begin(run: Run, job: Job, seconds: float = SLICE_S) -> bool:
    """Start a job that does not run. The state of a failed one of its name is reset first.

    Returns:
        Whether it runs. False if another job of its name, of an interrupted run, has not ended in time.
    """
    deadline = time.monotonic() + seconds
    while (now := state(run, job)) == "running":
        if job.mark in run(["systemctl", "show", "--property=Environment", job.unit + ".service"])[1]:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.2)
    if now == "failed":
        run(["systemctl", "reset-failed", job.unit + ".service"])
    files.make_folder(LOG_FOLDER, 0o700)
    rc, _, err = run(start_command(job))
    if rc != 0:
        raise JobError(f"Starting {job.unit} failed: {err.strip()}. Next: journalctl --unit={job.unit}")
    return True


def attend(run: Run, jobs: list[Job], seconds: float = SLICE_S) -> list[Job]:
    """Wait for jobs until none runs or the time is over.

    Returns:
        The jobs that still run.

    Raises:
        JobError: one of them ended with an error.
    """
    deadline = time.monotonic() + seconds
    while True:
        states = {job: state(run, job) for job in jobs}
        for job, now in states.items():
            if now == "failed":
                run(["systemctl", "reset-failed", job.unit + ".service"])
                end = "\n".join(tail(job)) or "no output"
                raise JobError(f"{job.unit} failed. The end of its output ({job.log}):\n{end}")
        running = [job for job, now in states.items() if now == "running"]
        if not running or time.monotonic() >= deadline:
            return running
        time.sleep(0.2)
