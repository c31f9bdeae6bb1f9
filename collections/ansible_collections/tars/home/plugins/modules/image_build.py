#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build a container image on the machine from sources on the controller
description:
  - The image's tag is taken from its sources and build arguments. As long as these are the same, nothing is done.
  - The sources are sent only for a build. It is the systemd unit C(tars-build-NAME-TAG.service), which continues if the
    connection breaks; the next run finds it.
  - After a build, earlier images of the name that no container uses are removed. The one in use stays for a return to
    it.
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
    description: Files on the machine with secrets for the build, by ID. A file that does not exist is left out.
    type: dict
    default: {}
  tag:
    description: The tag, from sources and build arguments. Filled in by the action plugin.
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
changes:
  description: The image that was, or in check mode would be, built.
  returned: success
  type: list
  elements: str
  sample: ["build tars-app:0f3a9b2c4d5e"]
image:
  description: The image's name with its tag.
  returned: success
  type: str
  sample: tars-app:0f3a9b2c4d5e
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker.build import Build, Change
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing


def resource(params: Mapping[str, Any]) -> Resource[frozenset[str], Change]:
    """Return the image as a resource."""
    build_args = {key: str(value) for key, value in params["build_args"].items()}
    return Build(params["name"], params["tag"], build_args, params["secrets"], params["archive"] or "").resource()


TASK = managing(
    {
        "name": {"type": "str", "required": True},
        "context": {"type": "path", "required": True},
        "build_args": {"type": "dict", "default": {}},
        # Paths of secret files, not secrets.
        "secrets": {"type": "dict", "default": {}, "no_log": False},
        "tag": {"type": "str"},
        "archive": {"type": "path"},
    },
    resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
