#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: image_file
short_description: Install one file of a container image on the machine
description:
  - Copies a file, such as a statically linked program, out of an image. It then has the same version on every
    distribution.
  - The SHA-256 of the file is written to O(record) on the controller at the first copy, and enforced from then on.
attributes:
  check_mode:
    support: full
    description: Reports whether the file would be copied.
  diff_mode:
    support: full
    description: Shows the SHA-256 before and after; it is C(unknown) before the first copy.
  idempotent:
    support: full
    description: A second run compares the file with the record and does not use Docker.
options:
  image:
    description: Image with its digest, as RV(tars.home.image_digests#module:pinned) names it. It is pulled if absent.
    type: str
    required: true
  source:
    description: Path of the file in the image.
    type: path
    required: true
  path:
    description: Path of the file on the machine. Missing folders are created.
    type: path
    required: true
  mode:
    description: Permission bits as an octal string.
    type: str
    default: "0755"
  record:
    description: YAML file on the controller with the SHA-256 of the file by image. It is created if needed.
    type: path
    required: true
  recorded:
    description: The content of O(record). Filled in by the action plugin.
    type: dict
    default: {}
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Install restic
  tars.home.image_file:
    image: restic/restic:0.18.1@sha256:39d9072fb5651c80d75c7a811612eb60b4c06b32ffe87c2e9f3c7222e1797e76
    source: /usr/bin/restic
    path: /opt/backup/restic
    record: "{{ inventory_dir }}/recorded/programs.yml"
"""

RETURN = r"""
changes:
  description: The file that was, or in check mode would be, copied.
  returned: success
  type: list
  elements: str
  sample: ["copy /usr/bin/restic of restic/restic:0.18.1 to /opt/backup/restic"]
digests:
  description: SHA-256 of the file by image.
  returned: success
  type: dict
  sample: {"restic/restic:0.18.1": "680838f19d67151adba227e1570cdd8af12c19cf1735783ed1ba928bc41f363d"}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker import image_file
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing
from ansible_collections.tars.home.plugins.module_utils.system.files import octal


def resource(params: Mapping[str, Any]) -> Resource[image_file.State, image_file.Change]:
    """Return the file as a resource."""
    mode = octal(params["path"], params["mode"])
    goal = image_file.Goal(params["image"], params["source"], params["path"], mode, params["recorded"])
    return image_file.resource(goal)


TASK = managing(
    {
        "image": {"type": "str", "required": True},
        "source": {"type": "path", "required": True},
        "path": {"type": "path", "required": True},
        "mode": {"type": "str", "default": "0755"},
        "record": {"type": "path", "required": True},
        "recorded": {"type": "dict", "default": {}},
    },
    resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
