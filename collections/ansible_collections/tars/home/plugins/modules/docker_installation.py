#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_installation
short_description: Install Docker Engine, or complete an installed one
description:
  - Installs Docker Engine with the plugins compose and buildx.
  - An installed Docker is adopted, whichever of the two publishers' packages it consists of, with a warning if
    O(source) names the other one. Only packages that it lacks are installed.
  - For Docker's own packages, an entry for its repository is added to apt's sources, unless the owner has one, in
    one-line or deb822 form. The owner's entry is used as it is, with its own keyring, and the own one is removed.
  - If apt refuses the added entry, it is removed again before the task fails.
  - Fails, with the next step, if the present Docker cannot be adopted. Among these are a snap, C(podman-docker),
    rootless Docker alone, a daemon that does not belong to a package, and packages that are held or would be displaced.
  - The work with packages is the systemd unit C(tars-apt.service). It continues if the connection breaks; the next run
    finds it.
attributes:
  check_mode:
    support: full
    description: Reports what would change.
  diff_mode:
    support: full
    description: Shows the entry in apt's sources and the packages.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  source:
    description: Whose packages are installed on a machine without Docker.
    type: str
    choices: [distribution, docker]
    required: true
  packages:
    description: Names of the packages.
    type: dict
    required: true
    suboptions:
      distribution:
        description: Those of the distribution. Omitted if it lacks packages of the plugins.
        type: dict
        suboptions:
          engine: {description: The engine and its command., type: list, elements: str, required: true}
          compose: {description: The plugin compose., type: str, required: true}
          buildx: {description: The plugin buildx., type: str, required: true}
      docker:
        description: Those of Docker's repository.
        type: dict
        suboptions:
          engine: {description: The engine and its command., type: list, elements: str, required: true}
          compose: {description: The plugin compose., type: str, required: true}
          buildx: {description: The plugin buildx., type: str, required: true}
  helpers:
    description: Further packages to install with it.
    type: list
    elements: str
    default: []
  platform:
    description: Name of the distribution in messages.
    type: str
    required: true
  repository:
    description: Address of Docker's repository. Its key is fetched from the path C(gpg) below it.
    type: str
    required: true
  release:
    description: The distribution's release, as the repository names it.
    type: str
    required: true
  own_entry:
    description: The file below C(/etc/apt/sources.list.d) for the entry that is added.
    type: path
    required: true
  own_key:
    description: The file for the key of that entry.
    type: path
    required: true
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Install Docker Engine
  tars.home.docker_installation:
    source: docker
    packages:
      docker:
        engine: [docker-ce, docker-ce-cli, containerd.io]
        compose: docker-compose-plugin
        buildx: docker-buildx-plugin
    helpers: [apparmor]
    platform: Debian 13
    repository: https://download.docker.com/linux/debian
    release: trixie
    own_entry: /etc/apt/sources.list.d/tars-docker.sources
    own_key: /etc/apt/keyrings/tars-docker.asc
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: ["write /etc/apt/sources.list.d/tars-docker.sources", "install docker-compose-plugin"]
source:
  description: Whose Docker is installed, or would be.
  returned: success
  type: str
  sample: docker
packages:
  description: Those of the named packages that are installed.
  returned: success
  type: list
  elements: str
  sample: [docker-ce, docker-ce-cli, containerd.io, docker-buildx-plugin, docker-compose-plugin, apparmor]
sources:
  description: The owner's entries for Docker's repository, as file:line.
  returned: success
  type: list
  elements: str
  sample: ["/etc/apt/sources.list.d/docker.list:1"]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker.installation import (
    SOURCES,
    Change,
    Family,
    Goal,
    Repository,
    State,
)
from ansible_collections.tars.home.plugins.module_utils.docker.installer import resource as docker_resource
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing


def resource(params: Mapping[str, Any]) -> Resource[State, Change]:
    """Return Docker's packages, with the desired state of the module's options."""
    families = {name: _family(packages) for name, packages in params["packages"].items()}
    repository = Repository(params["repository"], params["release"], params["own_entry"], params["own_key"])
    goal = Goal(params["source"], families, params["platform"], repository, tuple(params["helpers"]))
    return docker_resource(goal)


def _family(names: Mapping[str, Any] | None) -> Family | None:
    return Family(tuple(names["engine"]), names["compose"], names["buildx"]) if names else None


_FAMILY = {
    "type": "dict",
    "options": {
        "engine": {"type": "list", "elements": "str", "required": True},
        "compose": {"type": "str", "required": True},
        "buildx": {"type": "str", "required": True},
    },
}
TASK = managing(
    {
        "source": {"type": "str", "choices": list(SOURCES), "required": True},
        "packages": {"type": "dict", "required": True, "options": {name: _FAMILY for name in SOURCES}},
        "helpers": {"type": "list", "elements": "str", "default": []},
        "platform": {"type": "str", "required": True},
        "repository": {"type": "str", "required": True},
        "release": {"type": "str", "required": True},
        "own_entry": {"type": "path", "required": True},
        # The name of a file, not a secret.
        "own_key": {"type": "path", "required": True, "no_log": False},
    },
    resource,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
