#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build a container image on the machine from sources on the controller
description:
  - The image's tag is taken from its sources and build arguments. As long as these are the same, nothing is done.
  - The sources are sent only for a build. It is the systemd unit C(tars-build-NAME-TAG.service), which goes on if the
    connection breaks; the next run finds it.
  - After a build, earlier images of the name that no container uses are removed. The one in use stays to go back to.
attributes:
  check_mode:
    support: full
    description: Reports whether it would build.
  diff_mode:
    support: full
    description: Shows the image before and after.
  idempotent:
    support: full
    description: A second run with the same sources changes nothing.
options:
  name:
    description: Name of the image, without tag.
    type: str
    required: true
  context:
    description: Folder on the controller with the sources and a C(Dockerfile).
    type: path
    required: true
  build_args:
    description: Build arguments (C(ARG) in the Dockerfile).
    type: dict
    default: {}
  secrets:
    description: Secrets for the build, by id the file on the machine. One that does not exist is left out.
    type: dict
    default: {}
  tag:
    description: Tag out of sources and build arguments. Filled in by the action plugin.
    type: str
  archive:
    description: The sources on the machine. Filled in by the action plugin.
    type: path
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Build the application
  tars.home.image_build:
    name: tars-app
    context: "{{ playbook_dir }}/../app"
    secrets: {pip_conf: /etc/pip.conf}
  register: application
"""

RETURN = r"""
image:
  description: The image's name with its tag.
  returned: success
  type: str
  sample: tars-app:0f3a9b2c4d5e
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.system import jobs


def question(image: str) -> list:
    """The command that exits with 0 where an image is there."""
    return ["docker", "image", "inspect", "--format={{.Id}}", image]


def unit_of(image: str) -> str:
    """The systemd unit that builds an image."""
    return "tars-build-" + image.replace(":", "-")


def sources_of(image: str) -> str:
    """Where the archive lies for the time of a build: out of the task's temporary folder, for the job outlives it."""
    return f"{jobs.LOG_FOLDER}/{unit_of(image)}.tar"


def build_command(image: str, build_args: dict, secrets: dict) -> list:
    """`docker build` of a tar archive on its standard input."""
    command = ["docker", "build", "--progress=plain", f"--tag={image}"]
    command += [f"--build-arg={key}={value}" for key, value in sorted(build_args.items())]
    command += [f"--secret=id={key},src={path}" for key, path in sorted(secrets.items())]
    return [*command, "-"]


def superseded(tags: str, used: str, image: str) -> list:
    """Earlier images of a name to remove: one a line in `tags`, less those of containers (`used`) and the new one."""
    return sorted(set(tags.split()) - set(used.split()) - {image})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "context": {"type": "path", "required": True},
            "build_args": {"type": "dict", "default": {}},
            # Paths of secret files, not secrets.
            "secrets": {"type": "dict", "default": {}, "no_log": False},
            "tag": {"type": "str"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    image = f"{params['name']}:{params['tag']}"
    unit, sources = unit_of(image), sources_of(image)
    docker = module.get_bin_path("docker")

    def present() -> bool:
        return docker is not None and module.run_command(question(image))[0] == 0

    if present():
        if os.path.exists(sources) and not module.check_mode:
            os.unlink(sources)
        module.exit_json(changed=False, image=image)
    result = {"changed": True, "image": image, "diff": {"before": "", "after": image + "\n"}}
    if module.check_mode:
        module.exit_json(**result)

    secrets = {key: path for key, path in params["secrets"].items() if os.path.exists(path)}
    job = jobs.Job(
        unit, tuple(build_command(image, params["build_args"], secrets)), (("DOCKER_BUILDKIT", "1"),), sources
    )
    try:
        if jobs.state(module.run_command, job) != "running":
            if not os.path.exists(sources):
                if params["archive"] is None:
                    module.exit_json(needs_archive=True, **result)
                os.makedirs(jobs.LOG_FOLDER, mode=0o700, exist_ok=True)
                shutil.move(params["archive"], sources)
            jobs.begin(module.run_command, job)
        running = jobs.attend(module.run_command, [job])
    except jobs.JobError as error:
        module.fail_json(msg=f"Building {image}: {error}\nNext: correct the sources on the controller, then run again.")
    if running:
        module.exit_json(pending=[f"building {image}: " + "".join(jobs.tail(job, 1))[:160]], units=[unit], **result)
    os.unlink(sources)
    if not present():
        module.fail_json(msg=f"The build ended well, yet {image} is not there. Its output is in {job.log}.")
    tags = module.run_command(
        [docker, "image", "ls", "--format={{.Repository}}:{{.Tag}}", params["name"]], check_rc=True
    )
    used = module.run_command([docker, "ps", "--all", "--format={{.Image}}"], check_rc=True)
    old = superseded(tags[1], used[1], image)
    if old:
        module.run_command([docker, "image", "rm", *old], check_rc=True)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
