# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker daemon as the commands of its machine reach it: what it says, and how it takes up a change."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from .daemon_config import UNIT, Service, parse_service

ANSWER_S = 60
"""Seconds that the daemon may take to answer, and to end a start that somebody else began."""

PROPERTIES = "ActiveState,SubState,LoadState,UnitFileState,MainPID,ExecStart"
RELOAD_S = 60
"""Seconds that the daemon may take to read its file again."""


class Daemon:
    """The daemon as the commands of this machine reach it."""

    def __init__(self, run: Callable[[List[str]], Tuple[int, str, str]], dockerd: Optional[str]) -> None:
        """`run` is as `AnsibleModule.run_command`; `dockerd` its program, None where it is not installed."""
        self.run = run
        self.dockerd = dockerd
        self.service = self.read()

    def read(self) -> Service:
        """The unit as it is now. One that is just starting, as after a boot, is waited for."""
        deadline = time.monotonic() + ANSWER_S
        while "SubState=start" in (show := self.run(["systemctl", "show", UNIT, f"--property={PROPERTIES}"])[1]):
            if time.monotonic() >= deadline:
                break
            time.sleep(0.2)
        pid = next((line[8:] for line in show.splitlines() if line.startswith("MainPID=")), "0")
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                cmdline = file.read()
        except OSError:
            cmdline = b""
        return parse_service(show, cmdline)

    def info(self) -> Dict[str, Any]:
        """What the running daemon says of itself; empty where none answers."""
        rc, out, _ = self.run(["docker", "info", "--format", "{{json .}}"])
        info: Dict[str, Any] = json.loads(out) if rc == 0 else {}
        return info

    def silence(self) -> str:
        """What keeps the daemon from answering; empty where it answers."""
        rc, out, err = self.run(["timeout", str(ANSWER_S), "docker", "version", "--format", "{{.Server.Version}}"])
        if rc == 124:
            return f"nothing within {ANSWER_S} s"
        return (err or out).strip() or f"docker version ended with {rc}" if rc else ""

    def enable(self) -> str:
        """Have it started at boot; empty when done, else what went wrong."""
        rc, _, err = self.run(["systemctl", "enable", UNIT])
        return err.strip() if rc else ""

    def validate(self, candidate: str) -> str:
        """What dockerd, with the unit's flags, has against a file. Empty where it has nothing, or is not installed."""
        if self.dockerd is None:
            return ""
        rc, out, err = self.run([self.dockerd, *self.service.flags, "--validate", "--config-file", candidate])
        return (err or out).strip() if rc else ""

    def reload(self) -> str:
        """Have the file read again; empty once the daemon says it has, else what went wrong."""
        since, deadline = time.time(), time.monotonic() + RELOAD_S
        rc, _, err = self.run(["systemctl", "reload", UNIT])
        if rc != 0:
            return err.strip()
        while time.monotonic() < deadline:
            window = ["--since", f"{since:.9f}", "--until", f"{time.time():.9f}"]
            events = ["docker", "events", "--filter", "type=daemon", "--filter", "event=reload", *window]
            if self.run(events)[1].strip():
                return ""
            time.sleep(0.1)
        return f"dockerd told of no reload within {RELOAD_S} s"

    def restart(self) -> str:
        """Start it anew; empty once it runs, else the end of its log."""
        since = f"@{int(time.time())}"
        # Earlier failed starts count against the limit of systemd.
        self.run(["systemctl", "reset-failed", UNIT, "docker.socket"])
        if self.run(["systemctl", "restart", UNIT])[0] == 0:
            return ""
        log = self.run(["journalctl", f"--unit={UNIT}", f"--since={since}", "--output=cat", "--no-pager"])[1]
        told = [line for line in log.splitlines() if "failed" in line.lower() or "error" in line.lower()]
        return "\n".join(told[:3]) or f"see journalctl --unit={UNIT}"

    def take_up(self, activation: str, live_restore: bool) -> str:
        """Reload, start or restart; empty when done, else what went wrong.

        Containers that run while live-restore is only wanted would end with the restart: the reload before it puts
        live-restore in force.
        """
        if activation == "reload":
            return self.reload()
        info = self.info() if live_restore and activation == "restart" else {}
        first = info.get("ContainersRunning") and not info["LiveRestoreEnabled"]
        return (self.reload() if first else "") or self.restart()
