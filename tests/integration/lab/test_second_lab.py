# SPDX-License-Identifier: GPL-3.0-or-later
"""A second lab, created and removed; it shares only the cache with another running lab."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tars_lab import cgroups, layout, lifecycle, machine
from tars_lab.commands import LabError
from tars_lab.layout import Lab

from ...waiting import wait_for

pytestmark = pytest.mark.lab

_EXPORT = """\
NFS_CORE_PARAM {{ Protocols = 4; Enable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;
    allow_set_io_flusher_fail = true; }}
NFSV4 {{ Graceless = true; Only_Numeric_Owners = true; }}
EXPORT {{ Export_Id = 1; Path = /volume1/docs; Pseudo = /volume1/docs; Access_Type = RW; Squash = No_Root_Squash;
    SecType = sys; Attr_Expiration_Time = 1; FSAL {{ Name = VFS; }}
    CLIENT {{ Clients = {client}; Access_Type = RW; }} }}
"""


# With the machine's own systemd: a shell started from this computer has the capabilities of this computer.
NOW = 'if systemd-run --quiet --pipe --wait date --set="@$(date +%s)" 2>&1; then exit 1; fi'


def host_state() -> dict[str, object]:
    """Return what a lab could leave on the host, as the host's own tools report it."""

    def lines(*command: str) -> list[str]:
        return sorted(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    return {
        "namespaces": [line.split()[0] for line in lines("ip", "netns", "list")],
        "links": [link["ifname"] for link in json.loads("".join(lines("ip", "-j", "link")))],
        # Tests that run at the same time mount file systems in the folder for temporary files.
        "mounts": [
            line
            for line in lines("findmnt", "--noheadings", "--raw", "--output", "TARGET,FSTYPE")
            if not line.startswith(f"{tempfile.gettempdir()}/")
        ],
        "tables": lines("nft", "list", "tables"),
        "groups": lines("find", "/sys/fs/cgroup", "-maxdepth", "3", "-name", "tars-lab.*"),
        "processes": [line for line in lines("ps", "-eo", "args=") if "tars9" in line or "tars-lab9" in line],
        "forwarding": lines("sysctl", "net.ipv4.ip_forward"),
    }


@pytest.fixture(scope="module")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    inventory = tmp_path_factory.mktemp("inventory")
    spec = (root / "inventories/lab/tars.yml").read_text().replace("10.77.0.", "10.79.0.")
    (inventory / "tars.yml").write_text(spec)
    lab = layout.load(inventory, state=Path("/var/lib/tars-lab9"), bridge="tars9", prefix6="fd77:7a52:0:9::/64")
    lifecycle.down(lab=lab)
    before = host_state()
    lifecycle.up(inventory, lab=lab)
    yield lab
    removed = lifecycle.down(lab=lab)
    assert {
        "machine xps8950",
        "machine ds1515plus",
        "machine client",
        "registry",
        "DHCP server",
        "bridge tars9",
    } <= set(removed)
    assert host_state() == before
    assert lifecycle.down(lab=lab) == []


def inside(lab: Lab, name: str, script: str) -> str:
    done = machine.execute(lab, lab.machine(name), ["bash", "-ec", script])
    assert done.returncode == 0, f"{name}: {script}\n{done.stdout}{done.stderr}"
    return done.stdout


def wait_until(true: Callable[[], object]) -> None:
    wait_for(true, "a machine", pause_s=0.5)


def test_every_part_is_up(lab: Lab) -> None:
    status = lifecycle.status(lab)
    assert status["up"], status
    assert {m["state"] for m in status["machines"].values()} == {"running"}


@pytest.mark.skipif(not cgroups.legacy(), reason="a group without a controller of its own, as here, has no weight")
def test_a_busy_computer_gives_the_lab_the_time_of_several_sessions(lab: Lab) -> None:
    top = Path(f"/sys/fs/cgroup/cpu/tars-lab.{lab.bridge}")
    assert int((top / "cpu.shares").read_text()) == 8 * int((top.parent / "cpu.shares").read_text())


def test_the_controller_can_log_in_with_known_host_keys(lab: Lab) -> None:
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-i", f"{lab.state}/ssh/id_ed25519"]
    options += ["-o", f"UserKnownHostsFile={lab.state}/ssh/known_hosts"]
    for member in lab.machines:
        for address in (member.dhcp_address or member.address, member.address6):
            command = ["ssh", *options, f"root@{address}", "hostname"]
            assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == member.name


def test_the_desktop_has_no_docker_and_no_nfs_client(lab: Lab) -> None:
    assert inside(lab, "xps8950", "command -v docker mount.nfs4.kernel || echo none").strip() == "none"


def test_machines_reach_each_other_and_the_registry(lab: Lab) -> None:
    for address in ("10.79.0.110", "fd77:7a52:0:9::10", "10.79.0.120", "fd77:7a52:0:9::20"):
        inside(lab, "client", f"nc -z -w 5 {address} 22")
    reply = inside(lab, "client", f"curl -sS {lab.registry}/v2/library/postgres/tags/list")
    assert json.loads(reply)["tags"]


def test_a_second_up_changes_no_machine(lab: Lab) -> None:
    before = {member.name: cgroups.init(lab, member.name) for member in lab.machines}
    lifecycle.up(Path(lab.inventory), lab=lab)
    assert {member.name: cgroups.init(lab, member.name) for member in lab.machines} == before


def test_a_second_command_is_rejected_while_another_changes_the_lab(lab: Lab) -> None:
    with lifecycle._lock(lab), pytest.raises(LabError, match="another command"):
        lifecycle.up(Path(lab.inventory), lab=lab)


def test_a_reboot_keeps_the_disk_and_resets_the_network(lab: Lab) -> None:
    leader = cgroups.init(lab, "client")
    inside(lab, "client", "echo kept >/root/kept; sync; ip address add 10.79.0.99/24 dev eth0; systemctl reboot")
    wait_until(lambda: cgroups.init(lab, "client") not in (leader, None))
    machine.wait(lab, lab.machine("client"))
    assert inside(lab, "client", "cat /root/kept; ip -brief address show eth0").count("10.79.0.99") == 0


def test_a_machine_cannot_set_the_clock_of_this_computer(lab: Lab) -> None:
    assert "Operation not permitted" in inside(lab, "client", NOW)
    inside(lab, "client", "timedatectl set-timezone Etc/GMT-5")
    assert inside(lab, "client", "date +%z").strip() == "+0500"


def test_up_repairs_a_crashed_lab(lab: Lab) -> None:
    cgroups.kill(lab, "client")
    cgroups.kill(lab, "registry")
    subprocess.run(["nft", "delete", "table", "ip", "tars_lab_tars9"], check=True)
    (lab.state_dir / "machines/client/rootfs.partial").mkdir()
    assert not lifecycle.status(lab)["up"]
    lifecycle.up(Path(lab.inventory), lab=lab)
    assert lifecycle.status(lab)["up"]
    test_machines_reach_each_other_and_the_registry(lab)


@pytest.fixture
def share(lab: Lab) -> str:
    """Export a folder of the NAS to the desktop with a handwritten configuration of nfs-ganesha; return its source."""
    config = _EXPORT.format(client="10.79.0.110")
    (lab.rootfs("ds1515plus") / "etc/ganesha/ganesha.conf").write_text(config)
    inside(lab, "ds1515plus", "mkdir -p /volume1/docs; systemctl restart nfs-ganesha")
    wait_until(lambda: inside(lab, "ds1515plus", "ss -Hltn sport = 2049"))
    return "10.79.0.120:/volume1/docs"


def test_an_automount_unit_mounts_the_share(lab: Lab, share: str) -> None:
    where = "/srv/tars/documents/docs"
    units = lab.rootfs("xps8950") / "etc/systemd/system"
    options = "ro,soft,timeo=20,retrans=1"
    unit = "srv-tars-documents-docs"
    (units / f"{unit}.mount").write_text(f"[Mount]\nWhat={share}\nWhere={where}\nType=nfs4\nOptions={options}\n")
    (units / f"{unit}.automount").write_text(f"[Automount]\nWhere={where}\nTimeoutIdleSec=5\n")
    inside(lab, "ds1515plus", "echo first >/volume1/docs/a.txt; chmod 600 /volume1/docs/a.txt")
    inside(lab, "xps8950", f"systemctl daemon-reload; systemctl start {unit}.automount")
    assert inside(lab, "xps8950", f"cat {where}/a.txt").strip() == "first"
    assert "ro," in inside(lab, "xps8950", f"findmnt --noheadings --types fuse.nfs4 --output OPTIONS {where}")
    as_user = machine.execute(
        lab, lab.machine("xps8950"), ["setpriv", "--reuid=10001", "--clear-groups", "cat", f"{where}/a.txt"]
    )
    assert "Permission denied" in as_user.stderr
    inside(lab, "ds1515plus", "echo second >/volume1/docs/a.txt; echo new >/volume1/docs/b.txt")
    wait_until(lambda: inside(lab, "xps8950", f"cat {where}/a.txt; ls {where}").split() == ["second", "a.txt", "b.txt"])
    inside(lab, "xps8950", f"systemctl stop {unit}.automount {unit}.mount; ! findmnt {where}")


def test_a_mount_fails_while_the_nas_is_off_and_works_again_after(lab: Lab, share: str) -> None:
    inside(lab, "ds1515plus", "echo text >/volume1/docs/a.txt")
    inside(lab, "xps8950", f"mkdir -p /mnt/docs; mount -t nfs4 -o soft,timeo=20,retrans=1 {share} /mnt/docs")
    machine.power_off(lab, "ds1515plus")
    gone = machine.execute(lab, lab.machine("xps8950"), ["cat", "/mnt/docs/a.txt"])
    assert "Input/output error" in gone.stderr
    machine.boot(lab, lab.machine("ds1515plus"))
    machine.wait(lab, lab.machine("ds1515plus"))
    (lab.rootfs("ds1515plus") / "etc/ganesha/ganesha.conf").write_text(_EXPORT.format(client="10.79.0.110"))
    inside(lab, "ds1515plus", "systemctl restart nfs-ganesha")
    wait_until(lambda: machine.execute(lab, lab.machine("xps8950"), ["cat", "/mnt/docs/a.txt"]).stdout == "text\n")
    inside(lab, "xps8950", "umount /mnt/docs")


def test_a_file_written_through_the_mount_is_complete_on_the_nas(lab: Lab, share: str) -> None:
    inside(lab, "xps8950", f"mkdir -p /mnt/docs; mount -t nfs4 -o soft,timeo=20,retrans=1 {share} /mnt/docs")
    inside(
        lab, "xps8950", "cd /mnt/docs; head -c 3000001 /dev/urandom >x; chmod 640 x; mv x 'y ä'; ln -s 'y ä' l; sync"
    )
    on_desktop = inside(lab, "xps8950", "sha256sum </mnt/docs/y*; stat -c '%a %s' /mnt/docs/y*; readlink /mnt/docs/l")
    assert on_desktop == inside(lab, "ds1515plus", "cd /volume1/docs; sha256sum <y*; stat -c '%a %s' y*; readlink l")
    assert "640 3000001\ny ä\n" in on_desktop
    inside(lab, "xps8950", "umount /mnt/docs")


def test_an_export_for_other_machines_cannot_be_mounted(lab: Lab, share: str) -> None:
    refused = machine.execute(
        lab, lab.machine("xps8950"), ["mount", "-t", "nfs4", "-o", "retry=0", "10.79.0.120:/volume1/other", "/mnt"]
    )
    assert refused.returncode == 32
    assert "mount.nfs: " in refused.stderr
