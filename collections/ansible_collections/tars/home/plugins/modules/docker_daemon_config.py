#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Set keys of Docker's daemon.json and leave the others alone
description:
  - Merges keys into the configuration of the Docker daemon. Keys not named stay as they are, whoever wrote them.
  - C(dockerd --validate) judges the result, together with the flags that C(docker.service) is started with, before it
    replaces the file.
  - A daemon that runs takes the change up at once, by a reload where that is enough and by a restart otherwise. With
    C(live-restore) containers live through both; where it is only just being set it is in force before the restart.
  - A daemon that does not come back with the new file gets the old one, and the task fails.
attributes:
  check_mode:
    support: full
    description: Reports what would change. The result is not checked where dockerd is not installed yet.
  diff_mode:
    support: full
    description: Shows the keys that change, before and after. The others may hold a password.
  idempotent:
    support: full
    description: Compares content, not text; a differently formatted file with the same content is left alone.
options:
  settings:
    description:
      - Keys to set, as dockerd's documentation names them.
      - An object is merged into the present one, a list or plain value replaces it, and null removes the key.
    type: dict
    default: {}
  lists:
    description: Lists by their keys. These items come first, what else is there stays behind them.
    type: dict
    default: {}
  log_limits:
    description:
      - Options that limit the logs of containers (C(max-size), C(max-file)).
      - They are set where the log driver is C(local) or C(json-file). Where there is none, it becomes C(local). With
        another one it is left alone, and a warning says so.
    type: dict
    default: {}
  path:
    description: The configuration file. Left out, the one that C(docker.service) names, or C(/etc/docker/daemon.json).
    type: path
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Limit the size of the logs
  tars.home.docker_daemon_config:
    settings: {live-restore: true}
    lists: {registry-mirrors: ["https://mirror.home.arpa"]}
    log_limits: {max-size: 10m, max-file: "3"}
"""

RETURN = r"""
path:
  description: The configuration file.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
activation:
  description: How the daemon took the change up, or in check mode would. Empty where nothing changed or none runs.
  returned: success
  type: str
  sample: reload
"""

import json
import os
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils import docker_daemon

PENDING = "/run/tars-docker-daemon"
"""Holds what dockerd still has to do for the file. A run that is cut off leaves it; a boot does it, and clears it."""

RELOAD_S = 60
UNIT = "docker.service"


class Daemon:
    """The daemon as the commands of this machine reach it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.run = module.run_command
        self.dockerd = module.get_bin_path("dockerd")
        show = self.run(["systemctl", "show", UNIT, "--property=ActiveState,MainPID,ExecStart"])[1]
        self.service = docker_daemon.parse_service(show, self.cmdline(show))

    @staticmethod
    def cmdline(show: str) -> bytes:
        pid = next((line[8:] for line in show.splitlines() if line.startswith("MainPID=")), "0")
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return file.read()
        except OSError:
            return b""

    def info(self) -> dict:
        """What the running daemon says of itself; empty where none answers."""
        rc, out, _ = self.run(["docker", "info", "--format", "{{json .}}"])
        return json.loads(out) if rc == 0 else {}

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
        """Reload or restart; empty when done, else what went wrong.

        Containers that run while live-restore is only wanted would end with the restart: the reload before it puts
        live-restore in force.
        """
        if activation == "reload":
            return self.reload()
        info = self.info() if live_restore else {}
        first = info.get("ContainersRunning") and not info["LiveRestoreEnabled"]
        return (self.reload() if first else "") or self.restart()


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Replace the file. One that is there keeps its owner and mode."""
    descriptor, fresh = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(fresh, 0o644)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    module.atomic_move(fresh, path)


def apply(module: AnsibleModule, daemon: Daemon, path: str, wanted: dict, activation: str) -> None:
    """Write what differs and have it taken up; on failure put back what was there and fail."""
    before = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = file.read()
    if activation:
        write(module, PENDING, activation)
    if docker_daemon.read(path) != wanted:
        write(module, path, docker_daemon.render(wanted))
    trouble = daemon.take_up(activation, bool(wanted.get("live-restore"))) if activation else ""
    if trouble:
        if before is None:
            os.unlink(path)
        else:
            write(module, path, before)
        again = daemon.restart()
        if not again:
            os.unlink(PENDING)
        state = f"and it does not start with that either: {again}" if again else "and it runs with that"
        module.fail_json(
            msg=f"dockerd could not work with the merged settings: {trouble}\n{path} is as it was before, {state}. "
            "Next: correct the settings given here, or the key of the present file that contradicts them."
        )
    if activation:
        os.unlink(PENDING)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "lists": {"type": "dict", "default": {}},
            "log_limits": {"type": "dict", "default": {}},
            "path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    daemon = Daemon(module)
    path = os.path.realpath(module.params["path"] or daemon.service.path)
    try:
        current = docker_daemon.read(path)
        wanted = docker_daemon.wanted(current, *(module.params[key] for key in ("settings", "lists", "log_limits")))
        activation = docker_daemon.activation(current, wanted)
        if activation:
            refuse(module, daemon, path, wanted)
    except docker_daemon.DaemonConfigError as error:
        module.fail_json(msg=str(error))
    changed = bool(activation)
    if os.path.exists(PENDING):
        with open(PENDING, encoding="utf-8") as file:
            activation = max(activation, file.read(), key=docker_daemon.ACTIVATIONS.index)
    if not daemon.service.active:
        activation = ""
    if module.params["log_limits"] and wanted.get("log-driver") not in docker_daemon.LIMITED:
        module.warn(f"{path} sets the log driver {wanted.get('log-driver')}; the sizes of logs are left to it.")
    if (changed or activation) and not module.check_mode:
        apply(module, daemon, path, wanted, activation)
    before, after = docker_daemon.changes(current, wanted)
    diff = {"before_header": path, "after_header": path}
    diff.update(before=docker_daemon.render(before), after=docker_daemon.render(after))
    module.exit_json(changed=changed or bool(activation), path=path, activation=activation, diff=diff)


def refuse(module: AnsibleModule, daemon: Daemon, path: str, wanted: dict) -> None:
    """Fail where dockerd objects to the wanted content."""
    if daemon.service.active:
        docker_daemon.refuse_swarm(wanted, daemon.info().get("Swarm", {}).get("LocalNodeState", ""))
    descriptor, candidate = tempfile.mkstemp(dir=module.tmpdir, suffix=".json")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(docker_daemon.render(wanted))
    trouble = daemon.validate(candidate).replace(candidate, path)
    os.unlink(candidate)
    if trouble:
        raise docker_daemon.DaemonConfigError(
            f"dockerd refuses the merged settings, {path} is unchanged: {trouble}. Next: correct the settings given "
            f"here, the key of the present file that contradicts them, or the flag that {UNIT} gives (systemctl cat "
            f"{UNIT}, /etc/default/docker)."
        )


if __name__ == "__main__":
    main()
