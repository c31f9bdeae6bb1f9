# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of Docker's installation; its planner has cases/docker/installation."""

from ansible_collections.tars.home.plugins.module_utils.docker import installation, installer
from ansible_collections.tars.home.plugins.module_utils.docker.installation import Goal, State
from ansible_collections.tars.home.plugins.module_utils.system.apt_sources import Source
from ansible_collections.tars.home.tests.unit.plugins.module_utils.cases.docker.installation.planner import (
    DEBIAN,
    DOCKER,
    REPOSITORY,
)

GOAL = Goal("docker", {"distribution": DEBIAN, "docker": DOCKER}, "Debian 13", REPOSITORY)
OWN = "/etc/apt/sources.list.d/tars-docker.sources"
THEIRS = "/etc/apt/sources.list.d/docker.list"
SECTIONS = [
    "docker-ce\tinstalled\thold\ndocker-ce-cli\tconfig-files\tinstall\ncontainerd.io\thalf-configured\tinstall\n",
    "compose\n",
    "/usr/bin/dockerd\n",
    "",
    "/home/a/.config/systemd/user/docker.service\n",
    "enabled\n",
    f"present\n{REPOSITORY.text}",
    "present\n",
    f"\n\x1d{OWN}\n{REPOSITORY.text}\x1d{THEIRS}\ndeb {REPOSITORY.uri} trixie stable\n",
    f"{THEIRS}:1\tDocker CE\n/etc/apt/sources.list:1\t$(LABEL)\n",
]
READ = State(
    installed=frozenset({"docker-ce"}),
    held=frozenset({"docker-ce"}),
    unpacked=frozenset({"containerd.io"}),
    plugins=frozenset({"compose"}),
    dockerd="/usr/bin/dockerd",
    rootless=("/home/a/.config/systemd/user/docker.service",),
    enabled=True,
    entry=REPOSITORY.text,
    key=True,
    sources=(Source(f"{THEIRS}:1", REPOSITORY.uri, "trixie", ("stable",)),),
    labels={f"{THEIRS}:1": "Docker CE"},
)


def test_state_from_the_output_of_the_probe() -> None:
    assert installer.parse_probe(0, "\x1e".join(SECTIONS), GOAL) == READ


def test_the_module_reads_what_the_probe_cannot() -> None:
    assert installer.parse_probe(100, "\x1e".join(SECTIONS), GOAL) is None, "apt cannot read its sources"
    assert installer.parse_probe(0, "\x1e".join(["", *SECTIONS[1:]]), GOAL) is None, "no engine"


def test_returned_values_and_warnings() -> None:
    assert installation.show(READ, GOAL) == {
        "source": "docker",
        "packages": ["docker-ce"],
        "sources": [f"{THEIRS}:1"],
    }
    assert installation.warnings(READ, GOAL) == []
    other = Goal("distribution", GOAL.families, "Debian 13", REPOSITORY)
    assert "the desired source is distribution" in installation.warnings(READ, other)[0]
