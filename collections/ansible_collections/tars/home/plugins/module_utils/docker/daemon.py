# SPDX-License-Identifier: GPL-3.0-or-later
"""dockerd as the commands of its machine reach it: read its state, and write changes that it takes up."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..resource.change import Change
from ..resource.converge import Probe, Resource
from ..system import files
from ..system.process import PROGRAMS, attempt
from .daemon_config import DaemonConfigError, parse, render
from .daemon_plan import ACTIVATIONS, LOGS, Goal, State, diff, plan, predict, show, warnings
from .service import CONFIG_FILE, PROPERTIES, UNIT, Service, parse_service

ANSWER_S = 60
"""Seconds that the daemon may take to answer, and to end a start that another program began."""

RELOAD_S = 60
"""Seconds that the daemon may take to read its file again."""

START_S = 300
"""Seconds that systemd may take to start, stop or enable the unit."""

PENDING = "/run/tars-docker-daemon"
"""Holds what dockerd still has to do for its file. An interrupted run leaves it; a boot does it, and clears it."""

Run = Callable[[Sequence[str], str, float], tuple[int, str, str]]
"""Runs a command: arguments, input and timeout in seconds to (exit status, stdout, stderr), as `process.attempt`."""

_SEPARATOR = "\x1e"
_PROBE = r"""
path=$1 pending=$2; shift 2
next() { printf '\036'; }
systemctl show docker.service --property="$1"; next
pid=$(systemctl show docker.service --property=MainPID --value)
[ "$pid" -gt 0 ] || exit 1
tr '\0' '\n' <"/proc/$pid/cmdline"; next
cat "$pending" 2>/dev/null; next
docker version --format '{{.Server.Version}}' >/dev/null || exit 1
[ ! -e "$path" ] || tr '\0' '\n' <"/proc/$pid/cmdline" | tail -n +2 |
    xargs -d '\n' dockerd --validate --config-file "$path" >/dev/null 2>&1 || exit 1
[ ! -e "$path" ] || cat "$path"
"""


class Daemon:
    """dockerd and the unit that runs it."""

    def __init__(self, run: Run = attempt, program: str | None = None, pending: str = PENDING) -> None:
        """`program` is dockerd's path, found on this machine if not given; `pending` see PENDING."""
        self.run = run
        self.program = program or shutil.which("dockerd", path=PROGRAMS)
        self.pending = pending

    def call(self, *command: str, timeout_s: float = ANSWER_S) -> tuple[int, str, str]:
        """Run a command without input."""
        return self.run(command, "", timeout_s)

    def service(self) -> Service:
        """Return the unit; one that is just starting, as after a boot, is waited for."""
        deadline = time.monotonic() + ANSWER_S
        command = ["systemctl", "show", UNIT, f"--property={PROPERTIES}"]
        while "SubState=start" in (show := self.call(*command)[1]) and time.monotonic() < deadline:
            time.sleep(0.2)
        pid = next((line[8:] for line in show.splitlines() if line.startswith("MainPID=")), "0")
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                cmdline = file.read()
        except OSError:
            cmdline = b""
        return parse_service(show, cmdline)

    def state(self, goal: Goal, path: str | None = None) -> State:
        """Return the state of the unit and of the file at `path` (by default the one that the unit names).

        Raises:
            DaemonConfigError: the file is not a JSON object, or a present value cannot be merged.
        """
        service = self.service()
        path = os.path.realpath(path or service.path)
        content = parse(_text(path) or "", path)
        merged = goal.content(path, content)
        refusal = self.validate(service, path, content)
        no_answer = self.no_answer() if service.active and goal.started else ""
        return State(
            service,
            path,
            content,
            pending=_pending(_text(self.pending) or ""),
            refusal=refusal,
            refusal_merged=refusal if merged == content else self.validate(service, path, merged),
            no_answer=no_answer,
            swarm=self.swarm() if service.active and merged != content and not no_answer else "",
        )

    def info(self) -> dict[str, Any]:
        """Return the running daemon's description of itself; empty without an answer."""
        status, output, _ = self.call("docker", "info", "--format", "{{json .}}")
        info: dict[str, Any] = json.loads(output) if status == 0 else {}
        return info

    def swarm(self) -> str:
        """Return the state of the node in a Docker swarm, empty without an answer."""
        return str(self.info().get("Swarm", {}).get("LocalNodeState", ""))

    def no_answer(self) -> str:
        """Return why the daemon does not answer; empty if it does."""
        version = ("docker", "version", "--format", "{{.Server.Version}}")
        status, output, errors = self.call("timeout", str(ANSWER_S), *version, timeout_s=ANSWER_S + 10)
        if status == 124:
            return f"no answer within {ANSWER_S} s"
        return (errors or output).strip() or f"docker version ended with {status}" if status else ""

    def validate(self, service: Service, path: str, content: Mapping[str, Any]) -> str:
        """Return dockerd's objections to a content of the file, with the unit's flags; empty without any.

        Empty also where dockerd is not installed yet, and for an empty content, with which only the flags count.
        """
        if self.program is None or not content:
            return ""
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as candidate:
            candidate.write(render(content))
            candidate.flush()
            validation = ("--validate", "--config-file", candidate.name)
            status, output, errors = self.call(self.program, *service.flags, *validation)
            return (errors or output).strip().replace(candidate.name, path) if status else ""

    def enable(self) -> None:
        """Let systemd start the unit at boot."""
        status, _, errors = self.call("systemctl", "enable", UNIT, timeout_s=START_S)
        if status:
            raise DaemonConfigError(f"{UNIT} cannot be enabled: {errors.strip()}\nNext: systemctl status {UNIT}")

    def reload(self) -> str:
        """Let dockerd read its file again; return empty once it confirms that, otherwise the failure."""
        since, deadline = time.time(), time.monotonic() + RELOAD_S
        status, _, errors = self.call("systemctl", "reload", UNIT, timeout_s=START_S)
        if status != 0:
            return errors.strip()
        while time.monotonic() < deadline:
            window = ["--since", f"{since:.9f}", "--until", f"{time.time():.9f}"]
            if self.call("docker", "events", "--filter", "type=daemon", "--filter", "event=reload", *window)[1].strip():
                return ""
            time.sleep(0.1)
        return f"dockerd did not confirm the reload within {RELOAD_S} s"

    def restart(self) -> str:
        """Start dockerd, again if it runs; return empty once it runs, otherwise the errors in its log."""
        since = f"@{int(time.time())}"
        # Earlier failed starts count against the limit of systemd.
        self.call("systemctl", "reset-failed", UNIT, "docker.socket")
        if self.call("systemctl", "restart", UNIT, timeout_s=START_S)[0] == 0:
            return ""
        log = self.call("journalctl", f"--unit={UNIT}", f"--since={since}", "--output=cat", "--no-pager")[1]
        errors = [line for line in log.splitlines() if "failed" in line.lower() or "error" in line.lower()]
        return "\n".join(errors[:3]) or f"see journalctl --unit={UNIT}"

    def activate(self, activation: str, live_restore: bool) -> str:
        """Reload, restart or start dockerd; return empty when done, otherwise the failure.

        A restart ends containers while `live_restore` is only in the file: the reload before it puts it in force.
        """
        if activation == "reload":
            return self.reload()
        info = self.info() if live_restore and activation == "restart" else {}
        reload_first = info.get("ContainersRunning") and not info["LiveRestoreEnabled"]
        return (self.reload() if reload_first else "") or self.restart()

    def write(self, goal: Goal, path: str | None, changes: Sequence[Change]) -> None:
        """Make changes. If dockerd does not start with the new file, the old one is restored, and this raises.

        Raises:
            DaemonConfigError: a change failed; the message names the state that was left.
        """
        kinds = [change.kind for change in changes]
        if "enable" in kinds:
            self.enable()
        path = os.path.realpath(path or self.service().path)
        before = _text(path)
        content = goal.content(path, parse(before or "", path))
        activation = next((kind for kind in kinds if kind in ACTIVATIONS), "")
        if activation in ("reload", "restart"):
            _write(self.pending, activation)
        if "set" in kinds:
            _write(path, render(content))
        failure = self.activate(activation, bool(content.get("live-restore"))) if activation else ""
        if failure:
            self._fail(failure, activation, path, before, "set" in kinds)
        if activation:
            files.remove(self.pending)

    def _fail(self, failure: str, activation: str, path: str, before: str | None, written: bool) -> None:
        if not written:
            raise DaemonConfigError(
                f"{UNIT} could not {activation} with the present {path}: {failure}\nNext: correct what it names; {LOGS}"
            )
        if before is None:
            files.remove(path)
        else:
            _write(path, before)
        second = self.restart()
        if not second:
            files.remove(self.pending)
        state = f"and dockerd does not start with that either: {second}" if second else "and dockerd runs with that"
        raise DaemonConfigError(
            f"dockerd does not start with the new settings: {failure}\n{path} is restored, {state}. Next: correct the "
            "settings of this task, or the key of the present file that contradicts them."
        )


def resource(goal: Goal, path: str | None = None, daemon: Daemon | None = None) -> Resource[State, Change]:
    """Return docker.service with its configuration file as a resource."""
    dockerd = daemon or Daemon()
    return Resource(
        read=lambda: dockerd.state(goal, path),
        plan=lambda state: plan(state, goal),
        predict=lambda state, changes: predict(state, changes, goal),
        write=lambda changes: dockerd.write(goal, path, changes),
        show=show,
        diff=diff,
        refused=f"{UNIT} is not in its desired state after the changes.",
        advice=f"Next: {LOGS}",
        warnings=lambda state: warnings(state, goal),
        probe=probe(path or CONFIG_FILE),
    )


def probe(path: str) -> Probe[State]:
    """Return the command that reads the state of a running dockerd whose file is accepted.

    Its parser returns None for everything else, of which the module reads more.
    """
    return Probe(
        ["sh", "-c", _PROBE, "sh", path, PENDING, PROPERTIES],
        lambda status, output: parse_probe(status, output, path),
    )


def parse_probe(status: int, output: str, path: str) -> State | None:
    """Return the state from the output of the probe; None where dockerd does not run, answer, or accept the file."""
    sections = output.split(_SEPARATOR)
    if status != 0 or len(sections) != 4:
        return None
    unit, cmdline, pending, text = sections
    service = parse_service(unit, "\0".join(cmdline.splitlines()).encode())
    if not service.active or service.path != path:
        return None
    try:
        content = parse(text, path)
    except DaemonConfigError:
        return None  # the module reports it
    return State(service, path, content, pending=_pending(pending))


def _pending(text: str) -> str:
    return text.strip() if text.strip() in ACTIVATIONS else ""


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _write(path: str, text: str) -> None:
    """Replace a file whole. A present one keeps its owner and mode."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        files.write_file(path, text)
    else:
        files.write_file(path, text, status.st_mode & 0o7777, status.st_uid, status.st_gid)
