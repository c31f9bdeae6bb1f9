#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: image_digests
short_description: Pull container images and pin them to their recorded digests
description:
  - Pulls the images that are absent or not recorded, and compares each with its recorded digest. Fails for a tag that
    was moved.
  - Digests that are not recorded yet are written to O(record) on the controller.
  - Each pull is a systemd unit C(tars-pull-IMAGE.service). It continues if the connection breaks; the next run finds
    it.
attributes:
  check_mode:
    support: full
    description: Reports which images would be pulled.
  diff_mode:
    support: full
    description: Shows the images with their digests before and after.
  idempotent:
    support: full
    description: A second run changes nothing and contacts no registry.
options:
  images:
    description: Images by name and exact version, such as V(postgres:17.6).
    type: list
    elements: str
    required: true
  record:
    description: YAML file on the controller with the digest of each image. It is created if needed.
    type: path
    required: true
  recorded:
    description: The content of O(record). Filled in by the action plugin.
    type: dict
    default: {}
  disk_space:
    description: Free disk space that is required in every run, before anything is pulled or recorded.
    type: dict
    suboptions:
      folders:
        description: Folders whose file systems need it. For a folder that does not exist yet, the next one above it
          counts.
        type: list
        elements: path
        required: true
      mib: {description: Free space of each in MiB., type: int, required: true}
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Pull the images
  tars.home.image_digests:
    images: ["postgres:17.6", "redis:8.0.2"]
    record: "{{ inventory_dir }}/recorded/images.yml"
    disk_space: {folders: [/var/lib/docker], mib: 4096}
"""

RETURN = r"""
changes:
  description: The images that were, or in check mode would be, pulled.
  returned: success
  type: list
  elements: str
  sample: ["pull postgres:17.6"]
digests:
  description: The digest of each image that is on the machine.
  returned: success
  type: dict
  sample: {"postgres:17.6": "sha256:00bc86618629af00d2937fdc5a5d63db3ff8450acf52f0636ec813c7f4902929"}
pinned:
  description: Each image's name for use in a compose file, with the digest where it is known.
  returned: success
  type: dict
  sample: {"postgres:17.6": "postgres:17.6@sha256:00bc86618629af00d2937fdc5a5d63db3ff8450acf52f0636ec813c7f4902929"}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker.images import Change, Goal, State
from ansible_collections.tars.home.plugins.module_utils.docker.pull import Images
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing


def resource(params: Mapping[str, Any]) -> Resource[State, Change]:
    """Return the images as a resource."""
    goal = Goal(list(dict.fromkeys(params["images"])), params["recorded"], params["record"])
    space = params["disk_space"] or {"folders": [], "mib": 0}
    return Images(goal, space["folders"], space["mib"]).resource()


TASK = managing(
    {
        "images": {"type": "list", "elements": "str", "required": True},
        "record": {"type": "path", "required": True},
        "recorded": {"type": "dict", "default": {}},
        "disk_space": {
            "type": "dict",
            "options": {
                "folders": {"type": "list", "elements": "path", "required": True},
                "mib": {"type": "int", "required": True},
            },
        },
    },
    resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
