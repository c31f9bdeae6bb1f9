#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Manage Docker's daemon.json and its service
description:
  - Merges keys into the configuration file of the Docker daemon. Other keys stay as they are.
  - C(dockerd --validate) checks the present file in every run, and the merged one before it is written, together with
    the flags of C(docker.service). A file that it refuses is an error, also where this task has nothing to change.
  - A running daemon reads the change at once, by a reload where that is enough and by a restart otherwise. With
    C(live-restore) containers keep running through both; where that key is new, it is in force before the restart.
  - If the daemon does not start with the new file, the old file is restored and the task fails.
  - C(docker.service) is enabled and started if requested, and the daemon has to answer.
attributes:
  check_mode:
    support: full
    description: Reports what would change. The file is not validated where dockerd is not installed yet.
  diff_mode:
    support: full
    description: >-
      Shows the keys that change, before and after, and the state of C(docker.service). Other keys may hold a password.
  idempotent:
    support: full
    description: >-
      Compares content, not text; a differently formatted file with the same content is not changed, and neither is a
      daemon that is enabled and runs.
options:
  settings:
    description:
      - Keys to set, as in dockerd's documentation.
      - An object is merged into the present one, a list or plain value replaces it, and null removes the key.
    type: dict
    default: {}
  lists:
    description: Lists by their keys. These items come first, further present items stay behind them.
    type: dict
    default: {}
  log_limits:
    description:
      - Options that limit the logs of containers (C(max-size), C(max-file)).
      - They are set if the log driver is C(local) or C(json-file). Without a log driver, it is set to C(local). Another
        driver is not changed, with a warning.
    type: dict
    default: {}
  enabled:
    description: Whether C(docker.service) is enabled. V(false) does not disable it.
    type: bool
    default: false
  state:
    description:
      - With V(started), C(docker.service) is started if it does not run, and the daemon has to answer C(docker).
      - If omitted, a daemon that does not run is not started.
    type: str
    choices: [started]
  path:
    description: The configuration file. By default the one that C(docker.service) names, or C(/etc/docker/daemon.json).
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
changes:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: ["set live-restore in /etc/docker/daemon.json", "reload docker.service"]
path:
  description: The configuration file.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
enabled:
  description: Whether C(docker.service) is enabled.
  returned: success
  type: bool
  sample: true
running:
  description: Whether C(docker.service) runs.
  returned: success
  type: bool
  sample: true
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker.daemon import resource as daemon_resource
from ansible_collections.tars.home.plugins.module_utils.docker.daemon_plan import Goal, State
from ansible_collections.tars.home.plugins.module_utils.resource.change import Change
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask, ensure


def resource(params: Mapping[str, Any], installed: bool = True) -> Resource[State, Change]:
    """Return docker.service with its configuration file as a resource."""
    started = params["state"] == "started"
    goal = Goal(params["settings"], params["lists"], params["log_limits"], params["enabled"], started, installed)
    return daemon_resource(goal, params["path"])


def run(module: Module) -> dict[str, Any]:
    """Ensure the desired state. In check mode the package with the unit may not be installed yet."""
    return ensure(module, resource(module.params, installed=not module.check_mode))


TASK = ModuleTask(
    {
        "settings": {"type": "dict", "default": {}},
        "lists": {"type": "dict", "default": {}},
        "log_limits": {"type": "dict", "default": {}},
        "enabled": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["started"]},
        "path": {"type": "path"},
    },
    run,
    resource=resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
