# SPDX-License-Identifier: GPL-3.0-or-later
import re

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import installation as docker
from ansible_collections.tars.home.plugins.module_utils.docker.installation import Family, Found, Refusal, Source

DEBIAN = Family(("docker.io", "docker-cli"), "docker-compose", "docker-buildx")
DOCKER = Family(("docker-ce", "docker-ce-cli", "containerd.io"), "docker-compose-plugin", "docker-buildx-plugin")
FAMILIES = {"distribution": DEBIAN, "docker": DOCKER}
BOTH = frozenset({"compose", "buildx"})


def found(*installed, **rest):
    return Found(installed=frozenset(installed), **rest)


CHOICES = {
    "nothing there, from the distribution": (found(), "distribution", "distribution", list(DEBIAN.names)),
    "nothing there, from Docker": (found(), "docker", "docker", list(DOCKER.names)),
    "complete, as wanted": (found(*DOCKER.names, dockerd="/usr/bin/dockerd"), "docker", "docker", []),
    "Docker's is there, the distribution's is wanted": (found(*DOCKER.names), "distribution", "docker", []),
    "the distribution's is there, Docker's is wanted": (found(*DEBIAN.names), "docker", "distribution", []),
    "without the plugins": (
        found(*DOCKER.engine),
        "docker",
        "docker",
        ["docker-compose-plugin", "docker-buildx-plugin"],
    ),
    "a plugin put there by hand": (
        found("docker.io", "docker-cli", plugins=frozenset({"compose"})),
        "distribution",
        "distribution",
        ["docker-buildx"],
    ),
    "held and installed": (found(*DOCKER.names, held=frozenset(DOCKER.names)), "docker", "docker", []),
    "containerd.io for something else": (
        found("containerd.io"),
        "distribution",
        "docker",
        ["docker-ce", "docker-ce-cli", "docker-compose-plugin", "docker-buildx-plugin"],
    ),
    "rootless beside a daemon of root's": (
        found(*DOCKER.names, rootless=("/home/a/.config/systemd/user/docker.service",), enabled=True),
        "docker",
        "docker",
        [],
    ),
}


@pytest.mark.parametrize(("state", "wanted", "source", "missing"), CHOICES.values(), ids=CHOICES)
def test_choice(state, wanted, source, missing):
    assert docker.choose(state, wanted, FAMILIES, "Debian 13") == (source, missing)


def test_what_is_chosen_is_complete_once_it_is_installed():
    for state, wanted, source, missing in CHOICES.values():
        complete = Found(installed=state.installed | set(missing), plugins=state.plugins, enabled=True)
        assert docker.choose(complete, wanted, FAMILIES, "Debian 13") == (source, [])


REFUSALS = {
    "a snap": (found(snap="/var/lib/snapd/snaps/docker_2915.snap"), "docker", r"docker_2915\.snap.*snap remove docker"),
    "podman as docker": (found("podman-docker"), "distribution", "podman-docker.*apt-get remove podman-docker"),
    "rootless alone": (
        found(rootless=("/home/a/.config/systemd/user/docker.service",)),
        "docker",
        r"/home/a/\.config.*systemctl enable docker\.service.*uninstall",
    ),
    "a daemon of no package": (
        found(dockerd="/usr/local/bin/dockerd"),
        "docker",
        "/usr/local/bin/dockerd belongs to no",
    ),
    "a daemon of another package": (
        found("moby-engine", dockerd="/usr/bin/dockerd", owner="moby-engine"),
        "docker",
        "/usr/bin/dockerd comes from the package moby-engine",
    ),
    "the distribution's containerd in the way": (
        found("containerd", "runc"),
        "docker",
        "containerd, runc would be displaced.*docker.source: distribution.*apt-get remove containerd runc",
    ),
    "held and not installed": (
        found(
            "docker-ce",
            "docker-ce-cli",
            "containerd.io",
            plugins=frozenset({"buildx"}),
            held=frozenset({"docker-compose-plugin"}),
        ),
        "docker",
        "docker-compose-plugin is not installed and held.*apt-mark unhold docker-compose-plugin",
    ),
}


@pytest.mark.parametrize(("state", "wanted", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_names_what_is_there_and_the_next_step(state, wanted, message):
    with pytest.raises(Refusal) as refused:
        docker.choose(state, wanted, FAMILIES, "Debian 13")
    assert re.search(message, str(refused.value)) and "Next: " in str(refused.value)


@pytest.mark.parametrize(
    ("state", "message"), [(found(), "^Debian 12 has no packages"), (found("docker.io"), "apt-get remove docker.io")]
)
def test_a_distribution_without_the_plugins_is_refused(state, message):
    with pytest.raises(Refusal, match=message):
        docker.choose(state, "distribution", {"distribution": None, "docker": DOCKER}, "Debian 12")


def test_plugins_put_there_by_hand_make_up_for_the_distribution():
    families = {"distribution": None, "docker": DOCKER}
    assert docker.choose(found("docker.io", plugins=BOTH), "docker", families, "Debian 12") == ("distribution", [])


URI = "https://download.docker.com/linux/debian"
ANSWER = """\
/etc/apt/sources.list:1\thttp://mirror.example/debian/\ttrixie\tDebian\t$(SIGNED_BY)
/etc/apt/sources.list.d/docker.list:1\thttps://download.docker.com/linux/debian/\ttrixie\t$(LABEL)\t/usr/docker.asc
/etc/apt/sources.list.d/docker.list:1\thttps://download.docker.com/linux/debian/\ttrixie\t$(LABEL)\t/usr/docker.asc
/etc/apt/sources.list.d/old.list:1\thttps://download.docker.com/linux/debian/\tbookworm\tDocker CE\t$(SIGNED_BY)
/etc/apt/sources.list.d/mirror.sources:1\thttps://mirror.example/docker-ce/debian/\ttrixie\tDocker CE\t-----BEGIN PGP
 mQINBFit
 -----END PGP
"""


def test_the_owners_entries_are_those_of_the_release_by_address_or_label():
    sources = docker.parse_sources(ANSWER)
    assert len(sources) == 4 and sources[0].signed_by == ""
    theirs = docker.owners(sources, URI, "trixie")
    assert [source.entry.split("/")[-1] for source in theirs] == ["docker.list:1", "mirror.sources:1"]
    assert docker.owners(sources, "http://download.docker.com/linux/debian", "trixie") == theirs


@pytest.mark.parametrize(
    ("theirs", "present", "needed", "entry"),
    [
        ([], False, False, "leave"),
        ([], False, True, "add"),
        ([], True, False, "add"),
        (["docker.list"], False, True, "leave"),
        (["docker.list"], True, False, "drop"),
    ],
)
def test_there_is_never_a_second_entry(theirs, present, needed, entry):
    assert docker.entry(theirs, present, needed) == entry


def test_an_entry_whose_keyring_is_gone_is_named(tmp_path):
    keyring = tmp_path / "docker.asc"
    source = Source("/etc/apt/sources.list.d/docker.list:1", URI, "trixie", "", str(keyring))
    with pytest.raises(
        Refusal, match=rf"docker\.list:1 names the keyring {keyring}.*curl -fsSL {URI}/gpg -o {keyring}"
    ):
        docker.refuse_unusable([source], URI)
    keyring.touch()
    docker.refuse_unusable([source], URI)
