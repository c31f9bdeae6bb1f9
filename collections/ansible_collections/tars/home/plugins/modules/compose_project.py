#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: compose_project
short_description: Start a Compose project and wait until it is healthy
description:
  - Creates, recreates, starts and removes the containers of a project as its Compose file describes, and waits until
    all are healthy. Containers that are unhealthy or crash repeatedly are restarted first.
  - Compares configuration hashes and container states before and after. The output of C(docker compose), which
    M(community.docker.docker_compose_v2) has to parse, is not used.
  - With O(check), a page has to answer after that, in every run.
  - The work is the systemd unit C(tars-compose-PROJECT.service). It continues if the connection breaks; the next run
    finds it.
attributes:
  check_mode:
    support: partial
    description: Reports what would change.
    details: It compares with the Compose file that is on the machine now.
  diff_mode:
    support: full
    description: Shows the services with their state before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  project:
    description: Name of the project.
    type: str
    required: true
  folder:
    description: Folder with its C(compose.yaml).
    type: path
    required: true
  wait_s:
    description: Seconds in which all services have to be healthy.
    type: int
    default: 300
  check:
    description: A page that has to answer with a status below 400 once all services are healthy. It is requested from
      this machine as by a client, at most five times.
    type: dict
    suboptions:
      url: {description: Its address. No proxy is used., type: str, required: true}
      ca: {description: File with the only certificate authority trusted for it., type: path, required: true}
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Start the services
  tars.home.compose_project:
    project: tars
    folder: /opt/tars
    check: {url: "https://10.77.0.10/health", ca: /opt/tars/authority/root.pem}
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: [recreate app]
services:
  description: The state of each service.
  returned: success
  type: str
  sample: app healthy, postgres healthy
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker.compose import State
from ansible_collections.tars.home.plugins.module_utils.docker.compose_project import Project
from ansible_collections.tars.home.plugins.module_utils.resource.change import Change
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing


def resource(params: Mapping[str, Any]) -> Resource[State, Change]:
    """Return the project as a resource."""
    check = params["check"] or {"url": "", "ca": ""}
    return Project(params["project"], params["folder"], params["wait_s"], check["url"], check["ca"]).resource()


TASK = managing(
    {
        "project": {"type": "str", "required": True},
        "folder": {"type": "path", "required": True},
        "wait_s": {"type": "int", "default": 300},
        "check": {
            "type": "dict",
            "options": {"url": {"type": "str", "required": True}, "ca": {"type": "path", "required": True}},
        },
    },
    resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
