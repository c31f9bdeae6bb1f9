# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work on a machine as a systemd unit: it outlives the connection that started it, and the next run finds it.

A module starts or finds its job, stays with it for a slice of time and reports where it stands. The action plugin
(plugin_utils/progress.py) shows that and calls again. Whether the work is done is never read here: the module reads
the state that the job was to bring about.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

from ..resource.errors import ResourceError
from . import files

EARLIER = "an earlier run's work of the same kind ends first"
"""What is shown while a job of the same name has to be waited for."""

SLICE_S = 4.0
"""Seconds a module stays with running jobs before it reports."""

LOG_FOLDER = "/run/tars-jobs"
"""Where the jobs' output lies, until the next boot."""

Run = Callable[[List[str]], Tuple[int, str, str]]
"""Runs a command: arguments to (exit status, stdout, stderr). `AnsibleModule.run_command` is one."""


class JobError(ResourceError):
    """A job could not be started, or ended with an error. The message carries the end of its output."""


@dataclass(frozen=True)
class Job:
    """A command under a unit name. Of one name, one job runs at a time."""

    unit: str
    command: Tuple[str, ...]
    environment: Tuple[Tuple[str, str], ...] = ()
    stdin: Optional[str] = None

    @property
    def log(self) -> str:
        return f"{LOG_FOLDER}/{self.unit}.log"

    @property
    def mark(self) -> str:
        """What tells a job from another one of its name: a digest over everything that makes it."""
        return hashlib.sha256(repr((self.command, self.environment, self.stdin)).encode()).hexdigest()[:16]


def start_command(job: Job) -> List[str]:
    """The systemd-run call that starts a job and returns once its program runs."""
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
    """`systemctl show` of a unit to `running`, `failed` or `idle` (never started, or ended well)."""
    values: Dict[str, str] = dict(line.split("=", 1) for line in show.splitlines() if "=" in line)
    active = values.get("ActiveState", "inactive")
    if active in ("active", "activating", "deactivating", "reloading"):
        return "running"
    return "failed" if active == "failed" else "idle"


def state(run: Run, job: Job) -> str:
    """`running`, `failed` or `idle`, as systemd has it now."""
    return parse_state(run(["systemctl", "show", "--property=ActiveState", job.unit + ".service"])[1])


def tail(job: Job, lines: int = 20) -> List[str]:
    """The last lines of a job's output, without blank ones."""
    try:
        with open(job.log, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 16384))
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()][-lines:]


def begin(run: Run, job: Job, seconds: float = SLICE_S) -> bool:
    """Start a job that does not run. What a failed one of its name left behind is cleared first.

    Returns:
        Whether it runs. Not so while another job of its name, left by an interrupted run, has not ended in time.
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


def attend(run: Run, jobs: List[Job], seconds: float = SLICE_S) -> List[Job]:
    """Stay with jobs until none runs or the time is over.

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
