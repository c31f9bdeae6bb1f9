#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Set keys of Docker's daemon.json, leave the others alone, and have the daemon running
description:
  - Merges keys into the configuration of the Docker daemon. Keys not named stay as they are, whoever wrote them.
  - C(dockerd --validate) judges the result, together with the flags that C(docker.service) is started with, before it
    replaces the file.
  - A daemon that runs takes the change up at once, by a reload where that is enough and by a restart otherwise. With
    C(live-restore) containers live through both; where it is only just being set it is in force before the restart.
  - A daemon that does not come back with the new file gets the old one, and the task fails.
  - C(docker.service) is enabled and started where that is asked for, and the daemon has to answer.
attributes:
  check_mode:
    support: full
    description: >-
      Reports what would change. The result is not checked where dockerd is not installed yet, and only a daemon that
      runs already is asked whether it answers.
  diff_mode:
    support: full
    description: >-
      Shows the keys that change, before and after, and the state of C(docker.service). Other keys may hold a password.
  idempotent:
    support: full
    description: >-
      Compares content, not text; a differently formatted file with the same content is left alone. A daemon that is
      enabled and runs as wanted stays as it is.
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
  enabled:
    description: Whether to have C(docker.service) started at boot. V(false) leaves that as it is.
    type: bool
    default: false
  state:
    description:
      - With V(started), C(docker.service) is started where it does not run, and the daemon has to answer C(docker).
      - Left out, a daemon that does not run is left alone.
    type: str
    choices: [started]
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
    enabled: true
    state: started
"""

RETURN = r"""
path:
  description: The configuration file.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
activation:
  description:
    - How the daemon took the change up, or in check mode would, V(reload) or V(restart); V(start) where it did not run.
    - Empty where there was nothing to take up, or none runs and none is to.
  returned: success
  type: str
  sample: reload
"""

import contextlib
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.docker import daemon_config as docker_daemon
from ansible_collections.tars.home.plugins.module_utils.docker.daemon import Daemon
from ansible_collections.tars.home.plugins.module_utils.docker.daemon_config import UNIT

PENDING = "/run/tars-docker-daemon"
"""Holds what dockerd still has to do for the file. A run that is cut off leaves it; a boot does it, and clears it."""


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Replace the file. One that is there keeps its owner and mode."""
    descriptor, fresh = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(fresh, 0o644)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    module.atomic_move(fresh, path)


def apply(module: AnsibleModule, daemon: Daemon, path: str, wanted: dict, plan: docker_daemon.Plan) -> None:
    """Enable the unit, write what differs and have it taken up; on failure put back what was there and fail."""
    trouble = daemon.enable() if plan.enable else ""
    if trouble:
        module.fail_json(msg=f"{UNIT} is wanted enabled, and {trouble}\nNext: systemctl status {UNIT}")
    before = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = file.read()
    if plan.activation in ("reload", "restart"):
        write(module, PENDING, plan.activation)
    written = docker_daemon.read(path) != wanted
    if written:
        write(module, path, docker_daemon.render(wanted))
    trouble = daemon.take_up(plan.activation, bool(wanted.get("live-restore"))) if plan.activation else ""
    if trouble and not written:
        module.fail_json(
            msg=f"{UNIT} is wanted running with {path} as it was found, and did not {plan.activation}: {trouble}\n"
            f"Next: correct what it names; see systemctl status {UNIT} and journalctl --unit={UNIT}"
        )
    if trouble:
        if before is None:
            os.unlink(path)
        else:
            write(module, path, before)
        again = daemon.restart()
        if not again:
            clear_pending()
        state = f"and it does not start with that either: {again}" if again else "and it runs with that"
        module.fail_json(
            msg=f"dockerd could not work with the merged settings: {trouble}\n{path} is as it was before, {state}. "
            "Next: correct the settings given here, or the key of the present file that contradicts them."
        )
    if plan.activation:
        clear_pending()


def clear_pending() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(PENDING)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "lists": {"type": "dict", "default": {}},
            "log_limits": {"type": "dict", "default": {}},
            "enabled": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["started"]},
            "path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    daemon = Daemon(module.run_command, module.get_bin_path("dockerd"))
    enabled, started = module.params["enabled"], module.params["state"] == "started"
    path = os.path.realpath(module.params["path"] or daemon.service.path)
    try:
        # In check mode the package that brings the unit may be one that is not installed yet.
        if (enabled or started) and not (module.check_mode and daemon.service.loaded == "not-found"):
            docker_daemon.refuse_unit(daemon.service)
        current = docker_daemon.read(path)
        wanted = docker_daemon.wanted(current, *(module.params[key] for key in ("settings", "lists", "log_limits")))
        needed = docker_daemon.activation(current, wanted)
        if needed:
            refuse(module, daemon, path, wanted)
        changed = bool(needed)
        if os.path.exists(PENDING):
            with open(PENDING, encoding="utf-8") as file:
                needed = max(needed, file.read(), key=docker_daemon.ACTIVATIONS.index)
        plan = docker_daemon.plan(daemon.service, enabled, started, needed)
        if module.params["log_limits"] and wanted.get("log-driver") not in docker_daemon.LIMITED:
            module.warn(f"{path} sets the log driver {wanted.get('log-driver')}; the sizes of logs are left to it.")
        now = daemon.service
        if (changed or plan) and not module.check_mode:
            apply(module, daemon, path, wanted, plan)
            now = daemon.read()
            docker_daemon.refuse_rest(now, enabled, started)
        if started and now.active:
            docker_daemon.refuse_silence(daemon.silence())
    except docker_daemon.DaemonConfigError as error:
        module.fail_json(msg=str(error))
    diff = difference(path, docker_daemon.changes(current, wanted), daemon.service, plan)
    module.exit_json(changed=changed or bool(plan), path=path, activation=plan.activation, diff=diff)


def difference(path: str, changes: tuple, service: docker_daemon.Service, plan: docker_daemon.Plan) -> list:
    """What diff mode shows of the file and of the unit."""
    before, after = (docker_daemon.render(content) for content in changes)
    pairs = [(path, before, after), (UNIT, *docker_daemon.states(service, plan))]
    return [{"before_header": of, "after_header": of, "before": b, "after": a} for of, b, a in pairs if b != a]


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
