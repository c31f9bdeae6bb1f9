# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook with ansible-runner.

ansible-runner calls its event handler in the loop that reads Ansible's output, where a slow handler loses output. So
the handler only puts events on a queue; everything else happens in the caller's thread.
"""

from __future__ import annotations

import json
import queue
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tars_provision.ansible import environment
from tars_provision.ansible.events import Event, Result, Step, Tally, parse
from tars_provision.project import ROOT, SPEC


class Reporter(Protocol):
    """Shows a run while it is in progress."""

    def event(self, event: Event, tally: Tally) -> None:
        """Show an event."""

    def tick(self, tally: Tally) -> None:
        """Update clocks; called a few times a second."""


def run_playbook(
    playbook: Path,
    inventory_dir: Path,
    reporter: Reporter,
    *,
    check: bool = False,
    diff: bool = False,
    limit: str = "",
    tags: Sequence[str] = (),
    keep: Iterable[str] = (),
    variables: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    verbosity: int = 0,
) -> Result:
    """Run a playbook over a site and return its result.

    `variables` replace those of the site and the roles; so do `secrets`, which no command line shows. `keep` names
    return values: the results of tasks that have one of them are kept in `Result.results`. Ctrl-C stops Ansible (not
    what it started on the machines) and gives a result with status `cancelled` that names the tasks which were running.
    """
    import ansible_runner  # takes a quarter of a second, which most commands need not pay

    result = Result(playbook=playbook.name, check=check)
    tally = Tally(result, frozenset(keep))
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    cancelled = threading.Event()

    def handler(event: dict[str, Any]) -> bool:
        events.put(event)
        return False  # ansible-runner need not write the event to a file

    # All that ansible-runner writes (command, environment, results) is in this folder, which only its owner can read.
    private = Path(tempfile.mkdtemp(prefix="tars-run-"))
    started = time.monotonic()
    try:
        (private / "env").mkdir(mode=0o700)
        # Seconds until a cancellation is noticed. With suppress_env_files, settings must be in this file.
        (private / "env" / "settings").write_text(json.dumps({"pexpect_timeout": 1}))
        thread, runner = ansible_runner.run_async(
            private_data_dir=str(private),
            project_dir=str(ROOT),
            playbook=str(playbook.resolve()),
            inventory=str((inventory_dir / SPEC).resolve()),
            cmdline=shlex.join([*arguments(check, diff, limit, tags, verbosity, variables), *_file(private, secrets)]),
            envvars=environment.of_run(),
            fact_cache_type="memory",
            suppress_env_files=True,
            quiet=True,
            event_handler=handler,
            cancel_callback=cancelled.is_set,
        )
        _attend(thread, events, cancelled, tally, reporter)
        result.status = "cancelled" if cancelled.is_set() else "done" if runner.rc == 0 else "failed"
    finally:
        shutil.rmtree(private)
    result.duration_s = round(time.monotonic() - started, 1)
    result.running = [Step(host, task, "") for host, task in tally.running.items() if result.status == "cancelled"]
    return result


def _file(private: Path, secrets: Mapping[str, str] | None) -> list[str]:
    """Write secrets to a file in a private folder; return ansible-playbook's option that reads it."""
    if not secrets:
        return []
    path = private / "secrets.json"
    path.touch(0o600)
    path.write_text(json.dumps(dict(secrets)))
    return [f"--extra-vars=@{path}"]


def _attend(
    thread: threading.Thread,
    events: queue.Queue[dict[str, Any]],
    cancelled: threading.Event,
    tally: Tally,
    reporter: Reporter,
) -> None:
    """Show events until the run ends; Ctrl-C cancels it."""
    while thread.is_alive() or not events.empty():
        try:
            while (event := _next(events)) is not None:
                tally.add(event)
                reporter.event(event, tally)
            reporter.tick(tally)
        except KeyboardInterrupt:
            cancelled.set()


def _next(events: queue.Queue[dict[str, Any]]) -> Event | None:
    """Return the next event for people, or None after a moment without one."""
    try:
        while True:
            event = parse(events.get(timeout=0.2))
            if event is not None:
                return event
    except queue.Empty:
        return None


def arguments(
    check: bool,
    diff: bool,
    limit: str,
    tags: Sequence[str] = (),
    verbosity: int = 0,
    variables: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return ansible-playbook's options for a run."""
    options = [name for name, enabled in (("--check", check), ("--diff", diff)) if enabled]
    options += [f"-{'v' * verbosity}"] if verbosity else []
    options += [f"--limit={limit}"] if limit else []
    options += [f"--extra-vars={json.dumps(dict(variables))}"] if variables else []
    return [*options, "--tags", ",".join(tags)] if tags else options
