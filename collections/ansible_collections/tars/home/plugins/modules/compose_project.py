#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: compose_project
short_description: Have a compose project up and well
description:
  - Brings the containers of a project to its compose file and waits until all are healthy. What is unhealthy, or
    crashes over and over, is restarted first.
  - Whether something changed comes from configuration hashes and container states before and after. It is not read from
    what C(docker compose) prints, as M(community.docker.docker_compose_v2) has to.
  - With O(check), a page has to answer then, in every run.
  - The work is the systemd unit C(tars-compose-PROJECT.service). It goes on if the connection breaks; the next run
    finds it.
attributes:
  check_mode:
    support: partial
    description: Reports what would change.
    details: It goes by the compose file that is on the machine now, and does not ask for the page of O(check).
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
    description: A page that has to answer with a status below 400 once all are healthy, asked for from this machine as
      a client would, five times at most.
    type: dict
    suboptions:
      url: {description: Its address. No proxy is asked., type: str, required: true}
      ca: {description: File with the only authority trusted for it., type: path, required: true}
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
steps:
  description: What was, or in check mode would be, done for each service.
  returned: success
  type: dict
  sample: {app: recreate}
services:
  description: Each service and how it is.
  returned: success
  type: str
  sample: app healthy, postgres healthy
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.checks import http_probe as page
from ansible_collections.tars.home.plugins.module_utils.docker import compose
from ansible_collections.tars.home.plugins.module_utils.system import jobs

# `up --wait` gives up at once on what is ill or crashes over and over, also where its cause has just been mended.
HEAL = """
ill=$(for how in health=unhealthy status=restarting; do docker ps --all --quiet --filter "$how" --filter "$0"; done)
[ -z "$ill" ] || docker restart $ill
exec "$@"
"""


class Project:
    """Reads a project through the docker command line."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.docker = module.get_bin_path("docker")
        self.name, self.folder = module.params["project"], module.params["folder"]

    @property
    def command(self) -> list:
        file = os.path.join(self.folder, "compose.yaml")
        return ["docker", "compose", f"--project-name={self.name}", f"--file={file}"]

    @property
    def readable(self) -> bool:
        """Whether there is something to ask: docker is installed and the file is written."""
        return self.docker is not None and os.path.exists(os.path.join(self.folder, "compose.yaml"))

    def hashes(self) -> dict:
        rc, out, err = self.module.run_command([*self.command, "config", "--hash", "*"])
        if rc != 0:
            self.module.fail_json(msg=f"{self.folder}/compose.yaml is refused by docker compose: {err.strip()}")
        return compose.parse_hashes(out)

    def containers(self) -> list:
        label = f"--filter=label={compose.PROJECT_LABEL}={self.name}"
        ids = self.module.run_command([self.docker, "ps", "--all", "--quiet", label], check_rc=True)[1].split()
        # A container may vanish between the two calls; what is printed are the others.
        return compose.parse_containers(self.module.run_command([self.docker, "inspect", *ids])[1]) if ids else []

    def logs(self, containers: list) -> str:
        """The end of the output of those that are not well."""
        ends = []
        for container in containers:
            if not container.at_work:
                _, out, err = self.module.run_command([self.docker, "logs", "--tail=8", container.id])
                ends.append(f"{container.service} ({container.description}):\n{(out + err).strip()}")
        return "\n".join(ends)


def ask(module: AnsibleModule, changed: bool) -> None:
    """Fail where the page that has to answer does not."""
    check = module.params["check"]
    if not check:
        return
    ok, found = page.settled(check["url"], check["ca"])
    if not ok:
        name = module.params["project"]
        module.fail_json(
            changed=changed,
            msg=f"All services of project {name} are healthy, yet {check['url']}, trusting {check['ca']} alone, was to "
            f"answer and did not: {found}. Next: docker compose --project-name {name} logs, for the service that "
            "publishes it; where the certificate is refused, run the whole role.",
        )


def listing(containers: list) -> str:
    """The containers as diff mode shows them."""
    return "".join(f"{one.service} {one.id[:12]} {one.description}\n" for one in containers)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "wait_s": {"type": "int", "default": 300},
            "check": {
                "type": "dict",
                "options": {
                    "url": {"type": "str", "required": True},
                    "ca": {"type": "path", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    project = Project(module)
    if not project.readable:
        if module.check_mode:
            module.exit_json(changed=True, steps={}, services="not there yet")
        module.fail_json(
            msg=f"{project.folder}/compose.yaml or the docker command is missing. Run the whole role, not a part of it."
        )

    hashes, before = project.hashes(), project.containers()
    steps = compose.plan(hashes, before)
    result = {"changed": bool(steps), "steps": steps, "services": compose.summary(before)}
    expected = "".join(f"{name}: {step}\n" for name, step in steps.items())
    result["diff"] = {"before": listing(before), "after": expected or listing(before)}
    if module.check_mode:
        module.exit_json(**result)
    if not steps:
        ask(module, changed=False)
        module.exit_json(**result)

    up = ["up", "--detach", "--remove-orphans", "--wait", f"--wait-timeout={module.params['wait_s']}"]
    wanted = (("TARS_CONFIGURATION", ",".join(sorted(hashes.values()))),)
    heal = ("sh", "-c", HEAL, f"label={compose.PROJECT_LABEL}={project.name}")
    job = jobs.Job(f"tars-compose-{project.name}", (*heal, *project.command, *up), wanted)
    failure, running = None, []
    try:
        if not jobs.begin(module.run_command, job):
            module.exit_json(pending=[jobs.EARLIER], units=[job.unit], **result)
        running = jobs.attend(module.run_command, [job])
    except jobs.JobError as error:
        failure = "\n".join(str(error).splitlines()[-3:])
    after = project.containers()
    left = compose.plan(hashes, after)
    if running:
        module.exit_json(pending=[compose.summary(after)], units=[job.unit], **result)
    if left:
        module.fail_json(
            msg=f"Project {project.name} is not up: {', '.join(f'{name}: {step}' for name, step in left.items())}.\n"
            f"{failure or ''}\n{project.logs(after)}\n"
            f"Next: docker compose --project-name {project.name} logs, for the service named."
        )
    ask(module, changed=True)
    result["services"] = compose.summary(after)
    result["diff"]["after"] = listing(after)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
