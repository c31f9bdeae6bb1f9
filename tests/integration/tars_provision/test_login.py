# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop on which the account cannot log in or become root: a real sshd and sudo, in a root file system of the lab.

`doctor` and `status` name the reason, and the command that the message prints mends it.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tars_lab import base, layout
from tars_provision.cli import main
from tars_provision.controller import vault

from ..servers import free_port, wait_for

pytestmark = pytest.mark.integration

REMOVE = "SUDO_FORCE_REMOVE=yes apt-get -qq --yes purge sudo && rm -rf /etc/sudoers /etc/sudoers.d"
SSHD = 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$@"'


@dataclass(frozen=True)
class Machine:
    """A root file system whose sshd listens on a port of loopback. The account `owner` may log in with the key."""

    rootfs: Path
    key: Path
    port: int

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command there as root."""
        return subprocess.run(["chroot", self.rootfs, "sh", "-c", command], capture_output=True, text=True)

    def must(self, command: str) -> None:
        done = self.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    @property
    def host_key(self) -> str:
        words = (self.rootfs / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {words[0]} {words[1]}\n"


@pytest.fixture(scope="module")
def machine(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    lab = layout.load(root / "inventories/lab", state=folder / "state", bridge="tars-login")
    made = Machine(folder / "rootfs", folder / "key", free_port())
    base.copy(base.machine(lab, "xps8950", print), made.rootfs)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", made.key], check=True)
    made.must("useradd --create-home --shell /bin/bash owner && usermod --password '*' owner && ssh-keygen -A")
    (made.rootfs / "home/owner/.ssh").mkdir()
    shutil.copy(made.key.with_suffix(".pub"), made.rootfs / "home/owner/.ssh/authorized_keys")
    made.must("chown -R owner: /home/owner/.ssh && mkdir -p /run/sshd && apt-get -qq update")
    # sudo looks up its own host, whose name is that of this computer.
    (made.rootfs / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
    arguments = ["/usr/sbin/sshd", "-D", "-o", "ListenAddress=127.0.0.1", "-p", str(made.port)]
    # Its mounts and processes end with it.
    apart: list[str | Path] = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        SSHD,
        "sh",
        made.rootfs,
        *arguments,
    ]
    with subprocess.Popen(apart) as server:
        wait_for(lambda: socket.create_connection(("127.0.0.1", made.port), 1), "sshd")
        yield made
        server.kill()
    shutil.rmtree(made.rootfs)


@pytest.fixture
def site(machine: Machine, root: Path, own_home: Path, tmp_path: Path) -> Path:
    """Return a site whose desktop is the machine, and whose other addresses are on loopback."""
    known_hosts = tmp_path / "known hosts"
    known_hosts.write_text(machine.host_key)
    connect = {"user": "owner", "port": machine.port, "private_key": str(machine.key), "known_hosts": str(known_hosts)}
    text = (root / "inventories/lab/tars.yml").read_text().replace("10.77.0.0/24", "127.0.0.0/8")
    text = text.replace("10.77.0.10\n", "127.0.0.1\n").replace("10.77.0.", "127.0.77.").replace("5001", "9")
    start, end = text.index("    connect:\n"), text.index("  ds1515plus:")
    (tmp_path / "tars.yml").write_text(text[:start] + f"    connect: {json.dumps(connect)}\n" + text[end:])
    vault.ensure(tmp_path)
    return tmp_path


@pytest.fixture
def sudo(machine: Machine) -> Iterator[None]:
    """Install sudo for the account once; later, put its files back as they were then."""
    if (machine.rootfs / "root/sudo.tar").exists():
        machine.must("rm -rf /etc/sudoers /etc/sudoers.d && tar -C / -xpf /root/sudo.tar")
    else:
        machine.must("apt-get -qq --yes install sudo && echo 'owner ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/tars")
        machine.must("tar -C / -cf /root/sudo.tar etc/sudoers etc/sudoers.d usr/bin/sudo")
    yield
    machine.must("chsh --shell /bin/bash owner")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="tars-provision")


def desktop(site: Path) -> tuple[bool, str]:
    """Return whether the doctor is content with the desktop, and what it found."""
    checks = json.loads(run("doctor", "--json", "-i", site).stdout)["checks"]
    check = next(check for check in checks if check["name"] == "desktop")
    return check["ok"], check["found"]


def advised(text: str) -> str:
    """Return the command that a message prints for the machine."""
    match = re.search(r"On xps8950, as root, run `([^`]+)`", text)
    assert match, text
    return match[1]


FAULTS = {
    "a password is asked for": ("echo 'owner ALL=(ALL) ALL' > /etc/sudoers.d/tars", "Missing sudo password"),
    "not in sudoers": ("rm /etc/sudoers.d/tars", "Missing sudo password"),
    "one program only": ("echo 'owner ALL=(ALL) NOPASSWD: /bin/ls' > /etc/sudoers.d/tars", "Missing sudo password"),
    "a terminal is required": ("echo Defaults requiretty > /etc/sudoers.d/a", "must have a tty"),
    "sudoers of another owner": ("chown owner /etc/sudoers", "sudoers is owned by uid 1000, should be 0"),
    "sudoers that all can write": ("chmod 0666 /etc/sudoers", "/etc/sudoers is world writable"),
    "no setuid bit": ("chmod u-s /usr/bin/sudo", "sudo must be owned by uid 0 and have the setuid bit set"),
}


@pytest.mark.usefixtures("sudo")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_advised_command_lets_the_account_become_root(machine: Machine, site: Path, fault: str) -> None:
    break_it, reason = FAULTS[fault]
    machine.must(break_it)
    ok, text = desktop(site)
    assert not ok and text.startswith("owner@127.0.0.1: owner cannot become root without a password on xps8950: found ")
    assert reason in text
    status = run("status", "-i", site)
    assert status.exit_code == 1 and advised(status.output) == advised(text), "status fails for the same reason"
    machine.must(advised(text))
    assert desktop(site)[0]


def test_sudo_that_is_missing_is_installed_by_the_advised_command(machine: Machine, site: Path) -> None:
    machine.must(f"! dpkg --status sudo || {{ {REMOVE}; }}")
    ok, text = desktop(site)
    assert not ok and "sudo: not found" in text
    machine.must(advised(text))
    assert desktop(site)[0]
    status = run("status", "-i", site)
    assert status.exit_code == 1 and "xps8950: /opt/tars/contract.json: found no such file" in status.output


@pytest.mark.usefixtures("sudo")
def test_the_advised_command_names_the_line_of_sudoers_that_is_wrong(machine: Machine, site: Path) -> None:
    machine.must("echo nonsense > /etc/sudoers")
    ok, text = desktop(site)
    done = machine.run(advised(text))
    assert not ok and done.returncode == 1 and "/etc/sudoers:1:" in done.stdout + done.stderr


@pytest.mark.usefixtures("sudo")
def test_an_account_without_a_shell_gets_one(machine: Machine, site: Path) -> None:
    assert desktop(site)[0]
    machine.must("chsh --shell /usr/sbin/nologin owner")
    ok, text = desktop(site)
    assert not ok and "This account is currently not available" in text, "also while an old connection is open"
    machine.must(advised(text))
    assert desktop(site)[0]


@pytest.mark.usefixtures("sudo")
def test_a_host_key_that_has_changed_is_forgotten_and_a_new_one_accepted(machine: Machine, site: Path) -> None:
    known_hosts = site / "known hosts"
    other = site / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    words = other.with_suffix(".pub").read_text().split()
    known_hosts.write_text(f"[127.0.0.1]:{machine.port} {words[0]} {words[1]}\n")
    ok, text = desktop(site)
    forget, login = re.findall(r"`([^`]+)`", text)
    assert not ok and "REMOTE HOST IDENTIFICATION HAS CHANGED" in text
    subprocess.run(forget, shell=True, check=True, capture_output=True)  # noqa: S602 - as a reader
    assert known_hosts.read_text() == ""
    assert desktop(site)[1].endswith(f"accept it with `{login}`."), "now it is unknown"
    accept = login.replace("ssh ", "ssh -o StrictHostKeyChecking=accept-new -o BatchMode=yes ", 1)
    subprocess.run(f"{accept} true", shell=True, check=True, capture_output=True)  # noqa: S602 - as a reader
    assert desktop(site)[0]
