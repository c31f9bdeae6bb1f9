# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker that its owner has set up already: what is theirs stays, what runs keeps running.

The desktop's own Docker is the real one. Docker's repository cannot be reached from a lab, so its packages are
stand-ins here, empty but for the plugins, with upstream's names and relations; apt and dpkg on the machine are real.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_lab.apt_repository import Package, repository, served

from ..conftest import BIN, INVENTORY, ROOT, environment
from .conftest import ADDRESSES, SSH, eventually, host, playbook

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

DAEMON_JSON = "/etc/docker/daemon.json"
LIST = "/etc/apt/sources.list.d/docker.list"
OWN = "/etc/apt/sources.list.d/tars-docker.sources"
KEYRING = "/etc/apt/keyrings/docker.asc"
THEIRS = {"labels": ["owner=me"], "shutdown-timeout": 21}
"""Keys of daemon.json that no role sets."""


def run(name: str, command: str) -> str:
    """What a command on a machine prints; it must not fail."""
    done = host(name).run(command)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def write(name: str, path: str, text: str) -> None:
    run(name, f"mkdir -p $(dirname {path}) && cat > {path} <<'END'\n{text.rstrip()}\nEND")


def started() -> dict[str, str]:
    """Container → when it was started, of all that run on the desktop."""
    shown = run("xps8950", "docker inspect --format '{{.Name}} {{.State.StartedAt}}' $(docker ps --quiet)")
    return {name: moment for name, moment in (line.split() for line in shown.splitlines())}


@pytest.fixture
def furnished() -> Iterator[str]:
    """The desktop with an owner's keys in daemon.json, written in their own way, and with their entry for Docker's
    repository; gives the text of daemon.json.
    """
    before = run("xps8950", f"cat {DAEMON_JSON}")
    text = json.dumps({**THEIRS, **json.loads(before)}, indent=7)
    write("xps8950", DAEMON_JSON, text)
    write(
        "xps8950", LIST, f"deb [arch=amd64 signed-by={KEYRING}] https://download.docker.com/linux/debian trixie stable"
    )
    yield text
    write("xps8950", DAEMON_JSON, before)
    run("xps8950", f"rm {LIST}; systemctl restart docker")


def test_what_is_the_owners_survives_and_containers_outlive_a_restart(furnished: str) -> None:
    site = ["--limit", "xps8950", "--tags", "docker_engine"]
    listed = run("xps8950", f"cat {LIST}")
    done = playbook("site", *site)
    assert done.code == 0 and done.recap("xps8950")["changed"] == 0, done.output
    assert run("xps8950", f"cat {DAEMON_JSON}").strip() == furnished

    # Containers that were started without live-restore: a restart alone would end them.
    write("xps8950", DAEMON_JSON, json.dumps({**json.loads(furnished), "live-restore": False}))
    run("xps8950", "systemctl reload docker")
    eventually(lambda: run("xps8950", "docker info --format '{{.LiveRestoreEnabled}}'").strip() == "false")
    containers, daemon = started(), run("xps8950", "pidof dockerd")
    assert len(containers) > 3, containers
    done = playbook("site", *site, "-e", "docker_engine_log_max_size=11m")
    assert done.code == 0 and done.recap("xps8950")["changed"] == 1, done.output
    assert run("xps8950", "pidof dockerd") != daemon, "sizes of logs are read at the start alone"
    assert started() == containers
    content = json.loads(run("xps8950", f"cat {DAEMON_JSON}"))
    assert content["log-opts"]["max-size"] == "11m" and THEIRS.items() <= content.items()
    assert run("xps8950", "docker info --format '{{.Labels}}'").strip() == "[owner=me]"
    ask = f"curl -sS --fail --insecure https://{ADDRESSES['xps8950']}/health"
    eventually(lambda: host("client").run(ask).rc == 0)
    assert run("xps8950", f"cat {LIST}") == listed and not host("xps8950").file(OWN).exists


def test_what_was_switched_off_by_hand_is_back_after_a_run() -> None:
    containers = set(started())
    mounts = run("xps8950", "findmnt --noheadings --types autofs --output TARGET | grep /srv/tars")
    broken = "systemctl unmask rpcbind.socket; systemctl stop 'srv-tars-*.automount'"
    run("xps8950", f"{broken}; systemctl disable --now docker.service docker.socket")
    assert host("xps8950").run("docker ps; findmnt --types autofs | grep /srv/tars").rc != 0
    site = ["--limit", "xps8950", "--tags", "docker_engine,nfs_mount"]
    done = playbook("site", *site, "--check", "--diff")
    assert done.code == 0 and done.recap("xps8950")["changed"] == 2, done.output
    for line in ("-running: False", "+running: True", "+enabled: True", "+rpcbind.socket: masked, not active"):
        assert line in done.output, done.output
    assert run("xps8950", "systemctl show --value --property ActiveState docker.service").strip() == "inactive"

    done = playbook("site", *site)
    assert done.code == 0 and done.recap("xps8950")["changed"] == 2, done.output
    eventually(lambda: set(started()) == containers)
    assert run("xps8950", "findmnt --noheadings --types autofs --output TARGET | grep /srv/tars") == mounts
    files = run("xps8950", "systemctl show --value --property UnitFileState docker.service rpcbind.socket")
    assert files.split() == ["enabled", "masked"]
    done = playbook("site", *site)
    assert done.code == 0 and done.recap("xps8950")["changed"] == 0, done.output


def test_a_service_that_crashes_over_and_over_is_mended() -> None:
    def caddy(of: str) -> str:
        return run("xps8950", f"docker inspect --format '{{{{.State.{of}}}}}' tars-caddy-1").strip()

    write("xps8950", "/opt/tars/Caddyfile", "{ broken")
    run("xps8950", "docker restart tars-caddy-1")
    eventually(lambda: caddy("Status") == "restarting")
    done = playbook("site", "--limit", "xps8950", "--tags", "stack")
    assert done.code == 0, done.output
    assert caddy("Health.Status") == "healthy"


def test_a_page_that_does_not_answer_as_wanted_is_said() -> None:
    """The module as the role calls it, but trusting authorities that do not know the household's."""
    check = {"url": f"https://{ADDRESSES['xps8950']}/health", "ca": "/etc/ssl/certs/ca-certificates.crt"}
    options = json.dumps({"project": "tars", "folder": "/opt/tars", "check": check})
    command = [BIN / "ansible", "-i", INVENTORY, "xps8950", "-m", "tars.home.compose_project", "-a", options]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert all(part in done.stdout for part in (*check.values(), "certificate verify failed")), done.stdout


def test_settings_that_docker_does_not_start_with_are_undone_and_said(furnished: str, tmp_path: Path) -> None:
    containers = started()
    # dockerd's own validation passes a log driver that nobody has.
    task = {
        "name": "Ask for the impossible",
        "tars.home.docker_daemon_config": {"settings": {"log-driver": "nonsense"}},
    }
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "desktop", "gather_facts": False, "tasks": [task]}]))
    done = ansible("-i", "inventories/lab/tars.yml", str(tmp_path / "play.yml"))
    said = " ".join(done.stdout.split())
    assert done.returncode != 0 and "nonsense" in said and "is as it was before, and it runs with that" in said, said
    assert run("xps8950", f"cat {DAEMON_JSON}").strip() == furnished
    assert run("xps8950", "systemctl is-active docker").strip() == "active" and started() == containers


def ansible(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / "ansible-playbook", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)


RELATIONS = {
    "docker-ce": {"Depends": "docker-ce-cli, containerd.io", "Conflicts": "docker.io"},
    "docker-ce-cli": {"Conflicts": "docker.io"},
    "containerd.io": {"Provides": "containerd, runc", "Conflicts": "containerd, runc", "Replaces": "containerd, runc"},
    "docker-compose-plugin": {"Conflicts": "docker-compose", "Replaces": "docker-compose"},
    "docker-buildx-plugin": {"Replaces": "docker-ce-cli"},
}
ENGINE = ["docker-ce", "docker-ce-cli", "containerd.io"]


def stand_ins(version: str) -> list[Package]:
    """Docker's packages, with no engine in them."""
    plugins = {
        f"docker-{name}-plugin": f"usr/libexec/docker/cli-plugins/docker-{name}" for name in ("compose", "buildx")
    }
    return [
        Package(name, f"5:{version}-1", {plugins[name]: "#!/bin/sh\n"} if name in plugins else {}, fields)
        for name, fields in RELATIONS.items()
    ]


@pytest.fixture
def dockers(tmp_path: Path) -> Iterator[str]:
    """The address of what stands in for Docker's repository; ``client`` is left without anything of it."""
    with served(tmp_path, "10.77.0.1") as url:
        run("client", "echo 'Acquire::http::Proxy::10.77.0.1 DIRECT;' > /etc/apt/apt.conf.d/99dockers")
        yield f"{url}/debian"
        purge = f"dpkg --purge --force-all {' '.join(RELATIONS)} apparmor"
        files = f"{LIST} {OWN} {KEYRING} /etc/apt/keyrings/tars-docker.asc /etc/apt/apt.conf.d/99dockers"
        run("client", f"apt-mark unhold docker-ce; {purge}; rm -f {files}; rm -f /var/lib/apt/lists/10.77.0.1*")


def engine(folder: Path, repository: str) -> subprocess.CompletedProcess[str]:
    """Bring Docker's own packages to ``client``, as the role does where the spec says so."""
    role = {"role": "tars.home.docker_engine", "docker_engine_source": "docker", "docker_engine_repository": repository}
    play = [{"hosts": "all", "gather_facts": False, "remote_user": "root", "roles": [role]}]
    (folder / "engine.yml").write_text(json.dumps(play))
    where = ["-i", f"{ADDRESSES['client']},", "-e", json.dumps({"ansible_ssh_common_args": SSH})]
    return ansible(*where, str(folder / "engine.yml"), "--tags", "install")


def test_the_owners_entry_keyring_and_held_version_are_kept(tmp_path: Path, dockers: str) -> None:
    top = repository(tmp_path / "debian", stand_ins("26.0.0"), suite="trixie")
    entry = f"deb [arch=amd64 signed-by={KEYRING}] {dockers} trixie stable"
    write("client", KEYRING, (top / "gpg").read_text())
    write("client", LIST, entry)
    run("client", f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(ENGINE)}")
    run("client", "apt-mark hold docker-ce")
    repository(top, stand_ins("29.0.0"), suite="trixie")

    done = engine(tmp_path, dockers)
    assert done.returncode == 0, done.stdout
    assert run("client", f"cat {LIST}").strip() == entry and not host("client").file(OWN).exists
    versions = run("client", "dpkg-query --show --showformat '${Package} ${Version}\\n' " + " ".join(RELATIONS))
    assert dict(line.split() for line in versions.splitlines()) == {
        **dict.fromkeys(ENGINE, "5:26.0.0-1"),
        "docker-compose-plugin": "5:29.0.0-1",
        "docker-buildx-plugin": "5:29.0.0-1",
    }


def test_an_entry_of_our_own_gives_way_to_the_owners(tmp_path: Path, dockers: str) -> None:
    top = repository(tmp_path / "debian", stand_ins("29.0.0"), suite="trixie")
    done = engine(tmp_path, dockers)
    assert done.returncode == 0, done.stdout
    assert OWN in run("client", "apt-get indextargets --format '$(SOURCESENTRY)'")
    run("client", f"test -x /usr/libexec/docker/cli-plugins/docker-compose && dpkg --verify {' '.join(RELATIONS)}")

    write("client", KEYRING, (top / "gpg").read_text())
    write("client", LIST, f"deb [signed-by={KEYRING}] {dockers}/ trixie stable")
    refused = host("client").run("apt-get update")
    assert "Conflicting values set for option Signed-By" in refused.stderr, "or the rest proves nothing"
    done = engine(tmp_path, dockers)
    assert done.returncode == 0 and not host("client").file(OWN).exists, done.stdout
    run("client", "apt-get update --error-on=any")
    assert LIST in run("client", "apt-get indextargets --format '$(SOURCESENTRY)'")
