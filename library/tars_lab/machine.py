# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine of the lab: created from a cached tree, booted with systemd, switched off like a real one."""

import contextlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from tars_lab import base, cgroups, host, network, processes
from tars_lab.commands import LabError, run
from tars_lab.layout import Lab, Machine, recorded
from tars_provision import next_step
from tars_provision.files import write_atomic

_BOOT_SECONDS = 180
_POWER_OFF_SECONDS = 60
# System calls of nfs-ganesha (file handles) and of a container engine (keys, bpf) beyond systemd-nspawn's own list.
_SYSTEM_CALLS = "@keyring bpf add_key keyctl open_by_handle_at name_to_handle_at"
# A machine must not change the host's modules and clock (a kernel that gets its first time zone moves the clock by it,
# see settimeofday(2)). CAP_SYS_RESOURCE is missing on some hosts that can otherwise run the lab.
_DENIED = "CAP_SYS_MODULE,CAP_SYS_RESOURCE,CAP_SYS_TIME"
# systemd-nspawn mounts control groups read-only; a container engine inside the machine creates its own.
_CGROUPS_UNIT = """\
[Unit]
Description=Writable control groups
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'for mount in /sys/fs/cgroup /sys/fs/cgroup/*; do \
if mountpoint --quiet "$mount"; then mount -o remount,bind,rw "$mount"; fi; done'

[Install]
WantedBy=sysinit.target
"""
_known_hosts = threading.Lock()
_NFS_CLIENT = Path("/usr/local/lib/nfs-mount")


def create(lab: Lab, machine: Machine, tree: Path, customize: Callable[[Path], None]) -> None:
    """Create a machine from a tree and replace one with that name, which must be off.

    `customize` gets the new root file system and can add files to it.
    """
    rootfs = lab.rootfs(machine.name)
    base.remove(rootfs)
    partial = rootfs.with_name("rootfs.partial")
    base.remove(partial)
    base.copy(tree, partial)
    configure(lab, machine, partial)
    _adapt_to_host(machine, partial)
    customize(partial)
    partial.rename(rootfs)


def configure(lab: Lab, machine: Machine, rootfs: Path) -> None:
    """Write the name, the address and the keys of a machine into a copy of a tree."""
    etc = rootfs / "etc"
    (etc / "hostname").write_text(f"{machine.name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {machine.name}\n::1 localhost ip6-localhost\n")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    (etc / "resolv.conf").write_text(host.resolver())
    if settings := host.pip_settings():
        (etc / "pip.conf").write_text(settings)
    (etc / "systemd/network/10-eth0.network").write_text(
        f"[Match]\nName=eth0\n\n[Network]\nAddress={machine.address6}/{IPv6Network(lab.prefix6).prefixlen}\n"
        "IPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n"
    )
    length = IPv4Network(lab.network).prefixlen
    static = f"Address={machine.address}/{length}\nGateway={lab.gateway}\n"
    ipv4 = etc / "systemd/network/10-eth0.network.d/ipv4.conf"
    ipv4.parent.mkdir()
    ipv4.write_text(f"[Network]\n{'DHCP=ipv4' if machine.dhcp_address else static}\n")
    run(["systemctl", "--root", rootfs, "enable", "--quiet", "systemd-networkd", "ssh"])
    _install_keys(lab, machine, rootfs)


def _adapt_to_host(machine: Machine, rootfs: Path) -> None:
    """Adapt a machine to the kernel of the host, which it shares."""
    units = rootfs / "etc/systemd/system"
    (units / "writable-cgroups.service").write_text(_CGROUPS_UNIT)
    run(["systemctl", "--root", rootfs, "enable", "--quiet", "writable-cgroups"])
    if "rpc_pipefs" not in Path("/proc/filesystems").read_text():
        # The packages of NFS programs contain this mount unit; on a kernel without NFS it fails at every boot.
        (units / "run-rpc_pipefs.mount").symlink_to("/dev/null")
    if machine.kind == "xps8950":
        # Debian 12's package uses the old path of the folder, and dpkg treats the two paths as different.
        _nfs_client(rootfs, "/sbin" if machine.suite == "bookworm" else "/usr/sbin")


def _install_keys(lab: Lab, machine: Machine, rootfs: Path) -> None:
    """Authorize the controller's key on the machine and create the machine's host key."""
    key = lab.state_dir / "ssh/id_ed25519"
    authorized = rootfs / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(key.with_suffix(".pub"), authorized)
    host_key = rootfs / "etc/ssh/ssh_host_ed25519_key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", machine.name, "-f", host_key])


def controller_key(lab: Lab) -> None:
    """Create the ssh key with which the controller logs in to every machine, unless it exists."""
    key = lab.state_dir / "ssh/id_ed25519"
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tars-lab", "-f", key])


def write_known_hosts(lab: Lab) -> None:
    """Write the host keys of the existing machines to the known_hosts file of the lab."""
    with _known_hosts:
        write_atomic(lab.state_dir / "ssh/known_hosts", "".join(_host_keys(lab)).encode())


def _host_keys(lab: Lab) -> Iterator[str]:
    """Yield the line of each machine that exists."""
    for machine in lab.machines:
        key = lab.rootfs(machine.name) / "etc/ssh/ssh_host_ed25519_key.pub"
        if key.exists():
            public = " ".join(key.read_text().split()[:2])
            names = filter(None, (machine.name, machine.address, machine.address6, machine.dhcp_address))
            yield f"{','.join(names)} {public}\n"


def _nfs_client(rootfs: Path, programs: str) -> None:
    """Install the stand-in for the kernel's NFS client where mount(8) expects it.

    dpkg diverts the files of nfs-common, so that the stand-in stays when that package is installed.
    """
    folder = rootfs / _NFS_CLIENT.relative_to("/")
    library = importlib.util.find_spec("mfusepy")
    if library is None or library.origin is None:
        raise LabError("mfusepy: not installed in this Python; install the packages of requirements.lock")
    source = Path(__file__).with_name("nfs_client")
    shutil.copytree(source, folder / "tars_lab/nfs_client", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(library.origin, folder / "mfusepy.py")
    program = folder / "mount_nfs4.py"
    (folder / "tars_lab/nfs_client/mount_nfs4.py").rename(program)
    program.chmod(0o755)
    for name in ("mount.nfs", "mount.nfs4"):
        place = f"{programs}/{name}"
        run(["dpkg-divert", "--root", rootfs, "--local", "--no-rename", "--divert", f"{place}.kernel", "--add", place])
        (rootfs / place.lstrip("/")).symlink_to(_NFS_CLIENT / program.name)


def boot(lab: Lab, machine: Machine) -> None:
    """Switch the machine on unless it is on; return at once. Raises LabError when it has no disk."""
    if cgroups.pids(lab, machine.name):
        return
    rootfs = lab.rootfs(machine.name)
    if not rootfs.exists():
        raise LabError(
            f"machine {machine.name}: no root file system at {rootfs}; create it with {next_step.command('lab', 'up')}"
        )
    command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"]
    command += [
        "--directory",
        str(rootfs),
        "--machine",
        machine.name,
        "--console=pipe",
        "--resolv-conf=off",
        "--timezone=off",
    ]
    command += [f"--network-namespace-path=/run/netns/{lab.netns(machine.name)}", "--link-journal=no"]
    command += ["--capability=all", f"--drop-capability={_DENIED}", f"--system-call-filter={_SYSTEM_CALLS}"]
    command += [f"--bind={device}" for device in ("/dev/fuse", "/dev/autofs") if Path(device).exists()]
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
    if cgroups.legacy():
        command.append("--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1")
    # A reboot runs this script again, so that network settings made by hand do not survive it, as on a real machine.
    script = rootfs.with_name("boot.sh")
    nspawn = f"status=0\n{shlex.join(command)} || status=$?\n"
    script.write_text(f"set -e\n{network.plug(lab, machine)}{nspawn}{network.unplug(lab, machine)}exit $status\n")
    processes.launch(lab, machine.name, ["/bin/sh", str(script)], environment)


def wait(lab: Lab, machine: Machine) -> None:
    """Wait until the machine has booted without a failed unit and has its addresses. Raises LabError."""
    deadline = time.monotonic() + _BOOT_SECONDS
    state = "not started"
    while time.monotonic() < deadline:
        state = system_state(lab, machine)
        if state in ("running", "degraded", "off"):
            break
        time.sleep(0.3)
    if state == "running":
        _wait_online(lab, machine)
        return
    failed = (
        execute(lab, machine, ["systemctl", "--failed", "--no-legend", "--plain"]).stdout if state == "degraded" else ""
    )
    raise LabError(
        f"machine {machine.name}: {state} after {_BOOT_SECONDS} s at most, expected running\n{failed}"
        f"see its console {lab.log(machine.name)} and its journal: {next_step.command('lab', 'logs', machine.name)}"
    )


def _wait_online(lab: Lab, machine: Machine) -> None:
    """Wait for the addresses: systemd reports a machine as running as soon as its network manager has started."""
    command = ["/usr/lib/systemd/systemd-networkd-wait-online", "--interface=eth0", f"--timeout={_BOOT_SECONDS}"]
    done = execute(lab, machine, command)
    if done.returncode:
        raise LabError(
            f"machine {machine.name}: network not up after {_BOOT_SECONDS} s: {done.stderr.strip()}\n"
            f"see its journal: {next_step.command('lab', 'logs', machine.name)}"
        )


def system_state(lab: Lab, machine: Machine) -> str:
    """Return `off`, or the state of the machine as systemd reports it (starting, running, degraded, stopping…)."""
    if cgroups.init(lab, machine.name) is None:
        return "starting" if cgroups.pids(lab, machine.name) else "off"
    # Before the bus runs, systemctl writes to standard error only.
    with contextlib.suppress(LabError):
        return execute(lab, machine, ["systemctl", "is-system-running"]).stdout.strip() or "starting"
    return "off"


def execute(lab: Lab, machine: Machine, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program inside the machine as root; this does not use its network. Raises LabError when it is off."""
    return subprocess.run(enter(lab, machine, command), capture_output=True, text=True, stdin=subprocess.DEVNULL)


def enter(lab: Lab, machine: Machine, command: Sequence[str]) -> list[str]:
    """Return the command line that runs `command` inside the machine. Raises LabError when it is off."""
    leader = cgroups.init(lab, machine.name)
    if leader is None:
        raise LabError(
            f"machine {machine.name}: it is off; boot it with {next_step.command('lab', 'start', machine.name)}"
        )
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    inside = ["env", "-i", path, "HOME=/root", "LANG=C.UTF-8", f"TERM={os.environ.get('TERM', 'dumb')}"]
    return ["nsenter", "--target", str(leader), "--all", "--wdns=/root", *inside, *command]


def power_off(lab: Lab, name: str) -> None:
    """Shut the machine down as its power button would; kill what still runs after a minute."""
    leader = cgroups.init(lab, name)
    if leader is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGRTMIN + 4)
        cgroups.wait_empty(lab, name, _POWER_OFF_SECONDS)
    _kill(lab, name)


def _kill(lab: Lab, name: str) -> None:
    """Kill the processes of a machine. Raises LabError."""
    if not cgroups.kill(lab, name):
        raise LabError(
            f"machine {name}: processes {cgroups.pids(lab, name)} cannot be killed; see /proc/PID/stack for the reason"
        )
    cgroups.remove(lab, name)


def destroy(name: str) -> None:
    """Switch a machine of the recorded lab off at once, without a shutdown, and delete its disk. Raises LabError."""
    lab = recorded()
    _kill(lab, lab.machine(name).name)
    base.remove(lab.rootfs(name))


def start(name: str) -> None:
    """Boot a machine of the recorded lab and wait until it is up. Raises LabError."""
    lab = recorded()
    boot(lab, lab.machine(name))
    wait(lab, lab.machine(name))


def stop(name: str) -> None:
    """Shut a machine of the recorded lab down; its disk stays. Raises LabError."""
    lab = recorded()
    power_off(lab, lab.machine(name).name)
