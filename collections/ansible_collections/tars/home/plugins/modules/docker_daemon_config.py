#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Set keys of Docker's daemon.json and leave the others alone
description:
  - Merges keys into the configuration of the Docker daemon. Keys not named stay as they are, whoever wrote them.
  - The result is checked with C(dockerd --validate) before it replaces the file.
  - Does not restart the daemon. Notify a handler for that.
attributes:
  check_mode:
    support: full
    description: Reports what would change. The result is not checked where dockerd is not installed yet.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: Compares content, not text; a differently formatted file with the same content is left alone.
options:
  settings:
    description:
      - Keys to set, as dockerd's documentation names them.
      - An object is merged into the present one, a list or plain value replaces it, and null removes the key.
    type: dict
    required: true
  path:
    description: The configuration file.
    type: path
    default: /etc/docker/daemon.json
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Limit the size of the logs
  tars.home.docker_daemon_config:
    settings:
      log-driver: local
      log-opts: {max-size: 10m, max-file: "3"}
  notify: Restart Docker
"""

RETURN = r"""
settings:
  description: The whole content of the file after the call.
  returned: success
  type: dict
  sample: {live-restore: true}
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils import docker_daemon


def validate(module: AnsibleModule, candidate: str) -> None:
    """Let dockerd judge a file, where dockerd is there."""
    dockerd = module.get_bin_path("dockerd")
    if dockerd is None:
        return
    rc, out, err = module.run_command([dockerd, "--validate", "--config-file", candidate])
    if rc != 0:
        module.fail_json(
            msg=f"dockerd refuses the merged settings, {module.params['path']} is unchanged: {(err or out).strip()}. "
            "Next: correct the settings given here, or the key of the present file that contradicts them."
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
    try:
        current = docker_daemon.parse(text, path)
    except docker_daemon.DaemonConfigError as error:
        module.fail_json(msg=str(error))
    wanted = docker_daemon.merge(current, module.params["settings"])
    changed = wanted != current
    if changed:
        descriptor, candidate = tempfile.mkstemp(dir=module.tmpdir, suffix=".json")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(docker_daemon.render(wanted))
        validate(module, candidate)
        if not module.check_mode:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            os.chmod(candidate, 0o644)
            module.atomic_move(candidate, path)
    diff = {"before_header": path, "after_header": path}
    diff.update(before=docker_daemon.render(current), after=docker_daemon.render(wanted))
    module.exit_json(changed=changed, settings=wanted, diff=diff)


if __name__ == "__main__":
    main()
