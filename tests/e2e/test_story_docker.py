# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker that its owner has configured before: foreign settings stay, and containers keep running.

The desktop's Docker is the real one. The lab cannot reach Docker's repository, so its packages are stand-ins with
upstream's names and relations, and without content except for the plugins; apt and dpkg on the machine are real.
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
OWNERS_SETTINGS = {"labels": ["owner=me"], "shutdown-timeout": 21}
"""Keys of daemon.json that no role sets."""


def run(name: str, command: str) -> str:
    """Run a command on a machine, which must succeed; return its output."""
    done = host(name).run(command)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def write(name: str, path: str, text: str) -> None:
    run(name, f"mkdir -p $(dirname {path}) && cat > {path} <<'END'\n{text.rstrip()}\nEND")


def started() -> dict[str, str]:
    """Return the start time of every running container on the desktop, by name."""
    listing = run("xps8950", "docker inspect --format '{{.Name}} {{.State.StartedAt}}' $(docker ps --quiet)")
    return {name: moment for name, moment in (line.split() for line in listing.splitlines())}


@pytest.fixture
def owners_configuration() -> Iterator[str]:
    """Write foreign keys to daemon.json, in another format, and a foreign entry for Docker's repository.

    Yield the text of daemon.json.
    """
    before = run("xps8950", f"cat {DAEMON_JSON}")
    text = json.dumps({**OWNERS_SETTINGS, **json.loads(before)}, indent=7)
    write("xps8950", DAEMON_JSON, text)
    write(
        "xps8950", LIST, f"deb [arch=amd64 signed-by={KEYRING}] https://download.docker.com/linux/debian trixie stable"
    )
    yield text
    write("xps8950", DAEMON_JSON, before)
    run("xps8950", f"rm {LIST}; systemctl restart docker")


def test_foreign_settings_stay_and_containers_survive_a_restart(owners_configuration: str) -> None:
    site = ["--limit", "xps8950", "--tags", "docker_engine"]
    listed = run("xps8950", f"cat {LIST}")
    done = playbook("site", *site)
    assert done.code == 0 and done.recap("xps8950")["changed"] == 0, done.output
    assert run("xps8950", f"cat {DAEMON_JSON}").strip() == owners_configuration

    # Containers that were started without live-restore, which a restart alone would stop.
    write("xps8950", DAEMON_JSON, json.dumps({**json.loads(owners_configuration), "live-restore": False}))
    run("xps8950", "systemctl reload docker")
    eventually(lambda: run("xps8950", "docker info --format '{{.LiveRestoreEnabled}}'").strip() == "false")
    containers, daemon = started(), run("xps8950", "pidof dockerd")
    assert len(containers) > 3, containers
    done = playbook("site", *site, "-e", "docker_engine_log_max_size=11m")
    assert done.code == 0 and done.recap("xps8950")["changed"] == 1, done.output
    assert run("xps8950", "pidof dockerd") != daemon, "sizes of logs are read only at the start"
    assert started() == containers
    content = json.loads(run("xps8950", f"cat {DAEMON_JSON}"))
    assert content["log-opts"]["max-size"] == "11m" and OWNERS_SETTINGS.items() <= content.items()
    assert run("xps8950", "docker info --format '{{.Labels}}'").strip() == "[owner=me]"
    request = f"curl -sS --fail --insecure https://{ADDRESSES['xps8950']}/health"
    eventually(lambda: host("client").run(request).rc == 0)
    assert run("xps8950", f"cat {LIST}") == listed and not host("xps8950").file(OWN).exists


def test_units_stopped_by_hand_run_again_after_a_run() -> None:
    containers = set(started())
    mounts = run("xps8950", "findmnt --noheadings --types autofs --output TARGET | grep /srv/tars | sort")
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
    assert run("xps8950", "findmnt --noheadings --types autofs --output TARGET | grep /srv/tars | sort") == mounts
    files = run("xps8950", "systemctl show --value --property UnitFileState docker.service rpcbind.socket")
    assert files.split() == ["enabled", "masked"]
    done = playbook("site", *site)
    assert done.code == 0 and done.recap("xps8950")["changed"] == 0, done.output


def test_a_service_that_crashes_repeatedly_is_repaired() -> None:
    def caddy(of: str) -> str:
        return run("xps8950", f"docker inspect --format '{{{{.State.{of}}}}}' tars-caddy-1").strip()

    write("xps8950", "/opt/tars/Caddyfile", "{ broken")
    run("xps8950", "docker restart tars-caddy-1")
    eventually(lambda: caddy("Status") == "restarting")
    done = playbook("site", "--limit", "xps8950", "--tags", "stack")
    assert done.code == 0, done.output
    assert caddy("Health.Status") == "healthy"


def test_a_page_with_an_untrusted_certificate_is_reported() -> None:
    """The module as the role calls it, but with authorities that did not sign the page's certificate."""
    check = {"url": f"https://{ADDRESSES['xps8950']}/health", "ca": "/etc/ssl/certs/ca-certificates.crt"}
    options = json.dumps({"project": "tars", "folder": "/opt/tars", "check": check})
    command: list[str | Path] = [
        BIN / "ansible",
        "-i",
        INVENTORY,
        "xps8950",
        "-m",
        "tars.home.compose_project",
        "-a",
        options,
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert all(part in done.stdout for part in (*check.values(), "certificate verify failed")), done.stdout


def test_settings_with_which_docker_does_not_start_are_undone_and_reported(
    owners_configuration: str, tmp_path: Path
) -> None:
    containers = started()
    # dockerd's own validation accepts a log driver that does not exist.
    task = {
        "name": "Set an invalid log driver",
        "tars.home.docker_daemon_config": {"settings": {"log-driver": "nonsense"}},
    }
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "desktop", "gather_facts": False, "tasks": [task]}]))
    done = ansible("-i", "inventories/lab/tars.yml", str(tmp_path / "play.yml"))
    output = " ".join(done.stdout.split())
    assert done.returncode != 0 and "nonsense" in output and "is restored, and dockerd runs with that" in output, output
    assert run("xps8950", f"cat {DAEMON_JSON}").strip() == owners_configuration
    assert run("xps8950", "systemctl is-active docker").strip() == "active" and started() == containers


def ansible(*arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [BIN / "ansible-playbook", *arguments]
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
    """Return stand-ins for Docker's packages, without an engine."""
    plugins = {
        f"docker-{name}-plugin": f"usr/libexec/docker/cli-plugins/docker-{name}" for name in ("compose", "buildx")
    }
    return [
        Package(name, f"5:{version}-1", {plugins[name]: "#!/bin/sh\n"} if name in plugins else {}, fields)
        for name, fields in RELATIONS.items()
    ]


@pytest.fixture
def dockers(tmp_path: Path) -> Iterator[str]:
    """Serve a stand-in for Docker's repository and yield its address; remove all of it from ``client`` at the end."""
    with served(tmp_path, "10.77.0.1") as url:
        run("client", "echo 'Acquire::http::Proxy::10.77.0.1 DIRECT;' > /etc/apt/apt.conf.d/99dockers")
        yield f"{url}/debian"
        purge = f"dpkg --purge --force-all {' '.join(RELATIONS)} apparmor"
        files = f"{LIST} {OWN} {KEYRING} /etc/apt/keyrings/tars-docker.asc /etc/apt/apt.conf.d/99dockers"
        run("client", f"apt-mark unhold docker-ce; {purge}; rm -f {files}; rm -f /var/lib/apt/lists/10.77.0.1*")


def engine(folder: Path, repository: str) -> subprocess.CompletedProcess[str]:
    """Install Docker's own packages on ``client``, as the role does for `docker.source: docker`."""
    role = {"role": "tars.home.docker_engine", "docker_engine_source": "docker", "docker_engine_repository": repository}
    play = [{"hosts": "all", "gather_facts": False, "remote_user": "root", "roles": [role]}]
    (folder / "engine.yml").write_text(json.dumps(play))
    connection = ["-i", f"{ADDRESSES['client']},", "-e", json.dumps({"ansible_ssh_common_args": SSH})]
    return ansible(*connection, str(folder / "engine.yml"), "--tags", "install")


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


def test_our_own_entry_is_replaced_by_the_owners(tmp_path: Path, dockers: str) -> None:
    top = repository(tmp_path / "debian", stand_ins("29.0.0"), suite="trixie")
    done = engine(tmp_path, dockers)
    assert done.returncode == 0, done.stdout
    assert OWN in run("client", "apt-get indextargets --format '$(SOURCESENTRY)'")
    run("client", f"test -x /usr/libexec/docker/cli-plugins/docker-compose && dpkg --verify {' '.join(RELATIONS)}")

    write("client", KEYRING, (top / "gpg").read_text())
    write("client", LIST, f"deb [signed-by={KEYRING}] {dockers}/ trixie stable")
    update = host("client").run("apt-get update")
    assert "Conflicting values set for option Signed-By" in update.stderr, "precondition of this test"
    done = engine(tmp_path, dockers)
    assert done.returncode == 0 and not host("client").file(OWN).exists, done.stdout
    run("client", "apt-get update --error-on=any")
    assert LIST in run("client", "apt-get indextargets --format '$(SOURCESENTRY)'")


def test_verify_reports_the_differences_of_every_part_before_it_fails() -> None:
    run("xps8950", "systemctl disable docker tars-firewall && chmod 0755 /opt/tars/secrets")
    try:
        done = playbook("verify", "--limit", "xps8950")
    finally:
        repaired = playbook("site", "--limit", "xps8950")
    assert done.code == 2, done.output
    report = done.output.partition("Report every failed check")[2]
    for part in ("host_firewall: ", "docker_engine: ", "stack: "):
        assert part in report, done.output
    assert repaired.code == 0, repaired.output
    assert playbook("verify", "--limit", "xps8950").code == 0
