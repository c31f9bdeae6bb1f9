# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nvidia on the new desktop, with stand-ins for the card and the packages (tars_lab.nvidia).

Checked with Docker, which passes the card to a container, with apt, and with reboots of the machine. Each test builds
on the previous ones.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tars_lab import apt_repository, cgroups, machine, nvidia
from tars_lab.layout import Lab

from ...conftest import BIN, INVENTORY, ROOT, environment
from ...waiting import wait_for

pytestmark = pytest.mark.lab

PLAYBOOK = """
- hosts: desktop
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: tars.home.nvidia}
      tags: [nvidia]
    - ansible.builtin.import_role: {name: tars.home.docker_engine}
      vars:
        docker_engine_settings: {features: {cdi: true}}
      tags: [docker_engine]
"""
VERIFY = """
- hosts: desktop
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: tars.home.nvidia, tasks_from: verify}
"""
IMAGE = "redis:8.0.2"
RUN = f"docker run --rm --device nvidia.com/gpu=all --entrypoint nvidia-smi {IMAGE} -L"
CARD = "GPU 0: NVIDIA GeForce RTX 3070 (UUID: GPU-"


class Desktop:
    """The desktop, the playbooks of the role, and the repositories of its packages."""

    def __init__(self, lab: Lab, repositories: Path, url: str) -> None:
        self.lab, self.repositories, self.url = lab, repositories, url
        self.machine = next(member for member in lab.machines if member.kind == "xps8950")
        self.playbook, self.verify = repositories / "playbook.yml", repositories / "verify.yml"
        self.playbook.write_text(PLAYBOOK)
        self.verify.write_text(VERIFY)

    def publish(self, *drivers: str, toolkit: str = "1.20.0") -> None:
        kernel = os.uname().release
        packages = [package for version in drivers for package in nvidia.driver(version, kernel)]
        once = {(package.name, package.version): package for package in packages}
        apt_repository.repository(self.repositories / "driver", once.values())
        apt_repository.repository(self.repositories / "toolkit", nvidia.toolkit(toolkit))

    def ansible(self, program: str, *arguments: str | Path, **variables: object) -> str:
        """Run a program of Ansible with the role's variables; return its output, with the exit status as last line."""
        extra_vars = {
            "nvidia_driver_source": "nvidia",
            "nvidia_driver_repository": f"{self.url}/driver",
            "nvidia_driver_repository_key": f"{self.url}/driver/gpg",
            "nvidia_toolkit_repository": f"{self.url}/toolkit",
            "nvidia_toolkit_repository_key": f"{self.url}/toolkit/gpg",
            **variables,
        }
        command = [BIN / program, "-i", INVENTORY, *arguments, "--extra-vars", json.dumps(extra_vars)]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600)
        return f"{done.stdout}{done.stderr}\nexit {done.returncode}"

    def run(self, tags: str = "nvidia", **variables: object) -> str:
        return self.ansible("ansible-playbook", self.playbook, "--tags", tags, **variables)

    def run_without_modules(self) -> None:
        """Run the role where no module can be executed, because the machine has no interpreter of this name."""
        output = self.run(ansible_python_interpreter="/nonexistent/python3")
        assert "changed=0 " in output and "exit 0" in output, output

    def module(self, name: str, arguments: str = "") -> dict[str, Any]:
        """Run a module of the collection; return its result, also of a failure."""
        output = self.ansible("ansible", "desktop", "--one-line", "-m", f"tars.home.{name}", "-a", arguments)
        assert "=> " in output, output
        result: dict[str, Any] = json.JSONDecoder().raw_decode(output.partition("=> ")[2])[0]
        return result

    def findings(self) -> list[str]:
        return [finding["name"] for finding in self.module("nvidia_info")["findings"]]

    def shell(self, script: str, *, fails: bool = False) -> str:
        done = machine.execute(self.lab, self.machine, ["sh", "-c", script])
        assert fails or done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def reboot(self) -> None:
        leader = cgroups.init(self.lab, self.machine.name)
        self.shell("systemctl reboot")
        wait_for(lambda: cgroups.init(self.lab, self.machine.name) not in (leader, None), "the boot of the desktop")
        machine.wait(self.lab, self.machine)

    def eventually(self, script: str, wanted: str) -> None:
        def shown() -> bool:
            output = self.shell(script, fails=True)
            assert wanted in output, output
            return True

        wait_for(shown, f"{wanted!r} in the output of {script}", pause_s=0.5)


@pytest.fixture(scope="module")
def desktop(new_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    top = tmp_path_factory.mktemp("nvidia")
    with apt_repository.served(top, new_lab.gateway) as url:
        desktop = Desktop(new_lab, top, url)
        desktop.publish("550.163.01")
        yield desktop


def test_without_a_card_nothing_is_done(desktop: Desktop) -> None:
    output = desktop.run()
    assert "changed=0 " in output and "exit 0" in output, output
    desktop.run_without_modules()
    assert desktop.module("nvidia_driver", "required=true")["finding"]["name"] == "no card"


def test_a_first_run_requests_a_reboot(desktop: Desktop) -> None:
    nvidia.plug(desktop.lab, desktop.machine)
    output = desktop.run("nvidia,docker_engine")
    assert "exit 0" in output, output
    assert "nouveau holds the card" in output and "Next: reboot" in output, output
    assert "550.163.01-1+standin" in desktop.shell("dpkg-query --show nvidia-driver")
    assert desktop.findings() == ["nouveau holds the card"]
    # apt offers only one branch, which is pinned.
    assert "1000" in desktop.shell("apt-cache policy nvidia-driver libcuda1 | grep -A1 '550.163'")


def test_the_role_reboots_on_request_and_a_container_lists_the_card(desktop: Desktop) -> None:
    output = desktop.run(nvidia_reboot=True)
    assert "exit 0" in output, output
    assert desktop.shell(RUN).startswith(CARD)
    assert "changed=0 " in (output := desktop.run()), output
    desktop.run_without_modules()


@pytest.mark.parametrize(
    ("fault", "undo", "names"),
    [
        ("touch /run/tars-lab-card/lost", "rm /run/tars-lab-card/lost", ["card lost"]),
        (
            "mv /usr/bin/nvidia-smi /usr/bin/away",
            "mv /usr/bin/away /usr/bin/nvidia-smi",
            ["driver does not answer", "CDI stale"],
        ),
        ("rm /dev/nvidia-uvm", "mknod --mode=666 /dev/nvidia-uvm c 1 3", ["CDI stale"]),
        ("mv /var/run/cdi/nvidia.yaml /run", "mv /run/nvidia.yaml /var/run/cdi", ["CDI missing"]),
        (
            "dpkg --force-depends --remove nvidia-container-toolkit",
            "apt-get -qq install nvidia-container-toolkit && systemctl restart nvidia-cdi-refresh.service",
            ["toolkit missing"],
        ),
    ],
)
def test_injected_faults_are_reported_by_name(desktop: Desktop, fault: str, undo: str, names: list[str]) -> None:
    desktop.shell(fault)
    assert desktop.findings() == names
    desktop.shell(undo)


def test_an_upgrade_stays_on_the_branch_and_works_after_a_reboot(desktop: Desktop) -> None:
    desktop.shell(f"docker run -d --name held --restart unless-stopped --device nvidia.com/gpu=all {IMAGE}")
    desktop.publish("550.200.00", "590.44.01")
    names = "nvidia-driver nvidia-smi libcuda1 nvidia-persistenced"
    desktop.shell(f"apt-get -qq update && apt-get -qq --yes install --only-upgrade {names}")
    assert "550.200.00" in desktop.shell("dpkg-query --show nvidia-driver")
    assert "590.44.01" in desktop.shell("apt-cache policy nvidia-driver")
    assert desktop.findings() == ["version mismatch", "CDI stale"]
    assert "Next: reboot" in desktop.run()
    desktop.reboot()
    # Docker starts before it knows the cards; the container starts nevertheless.
    desktop.eventually("docker exec held nvidia-smi -L", CARD)
    assert "libnvidia-ml.so.550.200.00" in desktop.shell("cat /var/run/cdi/nvidia.yaml")
    output = desktop.ansible("ansible-playbook", desktop.verify, nvidia_container="held")
    assert "exit 0" in output, output


def test_a_module_that_cannot_be_loaded_is_reported(desktop: Desktop) -> None:
    card, dep = "/run/tars-lab-card", f"/lib/modules/{os.uname().release}/modules.dep"
    unload = f"docker rm --force held; rm -r {card}/kernel {card}/bus/0000:01:00.0/driver /proc/driver/nvidia"
    desktop.shell(f"{unload}; mv {dep} {dep}.away")
    assert desktop.findings()[0] == "module not built"
    desktop.shell(f"mv {dep}.away {dep}; touch {card}/secure-boot")
    output = desktop.run(nvidia_required=True)
    assert "signature refused" in output and "mokutil --import" in output and "exit 2" in output, output
    desktop.shell(f"rm {card}/secure-boot")
    assert "exit 0" in (output := desktop.run(nvidia_required=True)), output
    assert desktop.shell(RUN).startswith(CARD)


def test_an_old_toolkit_gets_units(desktop: Desktop) -> None:
    desktop.publish("550.200.00", toolkit="1.17.8")
    names = " ".join(f"nvidia-container-toolkit{part}=1.17.8-1+standin" for part in ("", "-base"))
    desktop.shell(f"apt-get -qq update && apt-get -qq --yes --allow-downgrades install {names}")
    desktop.shell("rm -rf /var/run/cdi")
    assert desktop.module("nvidia_cdi")["spec"] == "/etc/cdi/nvidia.yaml"
    assert desktop.module("nvidia_cdi")["changed"] is False
    assert desktop.shell(RUN).startswith(CARD)
