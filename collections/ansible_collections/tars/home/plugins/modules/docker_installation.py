#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_installation
short_description: Say which Docker a machine has and what it lacks
description:
  - Looks at packages, plugins and apt's sources, and says which packages are to be installed and whether an entry for
    Docker's repository is needed. Changes nothing.
  - A Docker that is installed is adopted, whoever's packages it is made of and whatever O(source) says; a warning tells
    of the difference. An entry for Docker's repository that the owner has is used as it is, with its own keyring.
  - Refuses, with the next step, what cannot be adopted. Among this are a snap, C(podman-docker), Docker without root
    rights alone, a daemon of no package, and packages held back or in the way.
attributes:
  check_mode:
    support: full
    description: Reads only.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Reads only.
options:
  source:
    description: Whose packages to take where there is no Docker yet.
    type: str
    choices: [distribution, docker]
    required: true
  packages:
    description: What the packages are called.
    type: dict
    required: true
    suboptions:
      distribution:
        description: Those of the distribution. Left out where it has none of a plugin.
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
  platform:
    description: What to call the distribution in messages.
    type: str
    required: true
  repository:
    description: Address of Docker's repository.
    type: str
    required: true
  release:
    description: The distribution's release as the repository names it.
    type: str
    required: true
  own_entry:
    description: The file below C(/etc/apt/sources.list.d) that is written where the owner has no entry.
    type: path
    required: true
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: See which Docker there is
  tars.home.docker_installation:
    source: docker
    packages:
      docker:
        engine: [docker-ce, docker-ce-cli, containerd.io]
        compose: docker-compose-plugin
        buildx: docker-buildx-plugin
    platform: Debian 13
    repository: https://download.docker.com/linux/debian
    release: trixie
    own_entry: /etc/apt/sources.list.d/tars-docker.sources
  register: docker
"""

RETURN = r"""
source:
  description: Whose Docker it is, or is to be.
  returned: success
  type: str
  sample: docker
missing:
  description: Packages to install.
  returned: success
  type: list
  elements: str
  sample: [docker-compose-plugin]
entry:
  description: Whether O(own_entry) is to be written (V(add)), removed in favour of the owner's (V(drop)), or neither.
  returned: success
  type: str
  sample: leave
"""

import contextlib
import glob
import os
import pwd
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.docker import installation as docker
from ansible_collections.tars.home.plugins.module_utils.system import apt

PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def look(module: AnsibleModule, names: list) -> docker.Found:
    """Everything that the choice rests on, but for apt's sources."""
    answer = module.run_command(apt.query_command(sorted({*names, *docker.OF_INTEREST})))[1]
    dockerd = shutil.which("dockerd", path=PROGRAMS) or ""
    installed, owner = apt.installed(answer), ""
    if dockerd and not installed & set(docker.ENGINES):
        owner = module.run_command(["dpkg-query", "--search", dockerd])[1].partition(":")[0]
    homes = sorted({user.pw_dir for user in pwd.getpwall()})
    rootless = [os.path.join(home, ".config/systemd/user/docker.service") for home in homes]
    rootless = tuple(path for path in rootless if os.path.exists(path))
    return docker.Found(
        installed=installed,
        held=apt.held(answer),
        plugins=frozenset(
            plugin
            for plugin in ("compose", "buildx")
            if any(os.access(os.path.join(folder, f"docker-{plugin}"), os.X_OK) for folder in docker.PLUGIN_FOLDERS)
        ),
        dockerd=dockerd,
        owner=owner,
        snap=next(iter(glob.glob("/var/lib/snapd/snaps/docker_*.snap")), ""),
        rootless=rootless,
        enabled=bool(rootless) and module.run_command(["systemctl", "is-enabled", "docker.service"])[0] == 0,
    )


def sources(module: AnsibleModule, own: str) -> list:
    """The entries of apt's sources but for our own, which may be what keeps apt from reading them."""
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as parts:
        folder = os.path.dirname(own)
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                if name != os.path.basename(own):
                    os.symlink(os.path.join(folder, name), os.path.join(parts, name))
        option = f"--option=Dir::Etc::sourceparts={parts}"
        command = ["apt-get", option, "indextargets", "--format", docker.FORMAT, "Created-By: Packages"]
        rc, out, err = module.run_command(command)
        if rc != 0:
            raise docker.Refusal(
                f"apt cannot read its sources: {err.strip()}\nNext: set right what apt names, then run again."
            )
        return docker.parse_sources(out.replace(parts, folder))


def family(names: dict) -> docker.Family:
    return docker.Family(tuple(names["engine"]), names["compose"], names["buildx"])


def main() -> None:
    packages = {
        "type": "dict",
        "options": {
            "engine": {"type": "list", "elements": "str", "required": True},
            "compose": {"type": "str", "required": True},
            "buildx": {"type": "str", "required": True},
        },
    }
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "choices": list(docker.SOURCES), "required": True},
            "packages": {
                "type": "dict",
                "required": True,
                "options": {"distribution": packages, "docker": packages},
            },
            "platform": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "own_entry": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    wanted, own = module.params["source"], module.params["own_entry"]
    families = {key: family(names) if names else None for key, names in module.params["packages"].items()}
    try:
        found = look(module, [name for one in families.values() if one for name in one.names])
        source, missing = docker.choose(found, wanted, families, module.params["platform"])
        needed = source == "docker" and bool(missing)
        present = os.path.exists(own)
        theirs = []
        if needed or present:
            theirs = docker.owners(sources(module, own), module.params["repository"], module.params["release"])
        if needed:
            docker.refuse_unusable(theirs, module.params["repository"])
    except docker.Refusal as refusal:
        module.fail_json(msg=str(refusal))
    if source != wanted:
        module.warn(
            f"Docker is adopted as it is installed, from {source}; docker.source says {wanted}. To exchange it, remove "
            "its packages by hand and run again; images and containers stay."
        )
    module.exit_json(changed=False, source=source, missing=missing, entry=docker.entry(theirs, present, needed))


if __name__ == "__main__":
    main()
