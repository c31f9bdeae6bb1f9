# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine of the lab: made bare from a cached tree, booted with systemd, switched off like a real one."""

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
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from tars_lab import base, cgroups, host, network, processes
from tars_lab.commands import LabError, run
from tars_lab.layout import Lab, Machine, recorded

_BOOT_SECONDS = 90
_POWER_OFF_SECONDS = 60
# What nfs-ganesha (file handles) and a container engine (keys, bpf) call beyond systemd-nspawn's own list.
_SYSTEM_CALLS = "@keyring bpf add_key keyctl open_by_handle_at name_to_handle_at"
# Modules and the clock are the host's business (a kernel that is told its first time zone moves the clock by it, see
# settimeofday(2)); CAP_SYS_RESOURCE is not had by everyone who may otherwise run the lab.
_DENIED = "CAP_SYS_MODULE,CAP_SYS_RESOURCE,CAP_SYS_TIME"
# systemd-nspawn mounts control groups read-only; a container engine inside makes its own.
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


def create(lab: Lab, machine: Machine, tree: Path, furnish: Callable[[Path], None]) -> None:
    """Make a bare machine from a tree, replacing one of that name; it must be off. `furnish` adds to its files."""
    rootfs = lab.rootfs(machine.name)
    base.remove(rootfs)
    partial = rootfs.with_name("rootfs.partial")
    base.remove(partial)
    base.copy(tree, partial)
    configure(lab, machine, partial)
    _contain(machine, partial)
    furnish(partial)
    partial.rename(rootfs)


def configure(lab: Lab, machine: Machine, rootfs: Path) -> None:
    """Give a copy of a tree the name, the address and the keys of a machine."""
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
    ipv4.write_text(f"[Network]\n{'DHCP=ipv4' if machine.born else static}\n")
    run(["systemctl", "--root", rootfs, "enable", "--quiet", "systemd-networkd", "ssh"])
    _keys(lab, machine, rootfs)


def _contain(machine: Machine, rootfs: Path) -> None:
    """Fit a machine to the kernel of the host, on which it is to run."""
    units = rootfs / "etc/systemd/system"
    (units / "writable-cgroups.service").write_text(_CGROUPS_UNIT)
    run(["systemctl", "--root", rootfs, "enable", "--quiet", "writable-cgroups"])
    if "rpc_pipefs" not in Path("/proc/filesystems").read_text():
        # The packages of NFS programs bring this mount; on a kernel without NFS it fails at every boot.
        (units / "run-rpc_pipefs.mount").symlink_to("/dev/null")
    if machine.kind == "xps8950":
        # Debian 12's package calls the folder by its old name, and dpkg keeps the two apart.
        _nfs_client(rootfs, "/sbin" if machine.suite == "bookworm" else "/usr/sbin")


def _keys(lab: Lab, machine: Machine, rootfs: Path) -> None:
    """Let the controller in, and let it know the machine."""
    key = lab.state_dir / "ssh/id_ed25519"
    authorized = rootfs / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(key.with_suffix(".pub"), authorized)
    host_key = rootfs / "etc/ssh/ssh_host_ed25519_key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", machine.name, "-f", host_key])


def controller_key(lab: Lab) -> None:
    """The key with which the controller enters every machine, made once."""
    key = lab.state_dir / "ssh/id_ed25519"
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tars-lab", "-f", key])


def know(lab: Lab) -> None:
    """Write the host keys of the machines that exist where ssh looks them up."""
    lines = []
    for machine in lab.machines:
        key = lab.rootfs(machine.name) / "etc/ssh/ssh_host_ed25519_key.pub"
        if key.exists():
            public = " ".join(key.read_text().split()[:2])
            names = filter(None, (machine.name, machine.address, machine.address6, machine.born))
            lines.append(f"{','.join(names)} {public}\n")
    path = lab.state_dir / "ssh/known_hosts"
    with _known_hosts:
        path.with_suffix(".new").write_text("".join(lines))
        path.with_suffix(".new").replace(path)


def _nfs_client(rootfs: Path, programs: str) -> None:
    """Put the stand-in for the kernel's NFS client where mount(8) looks for it, also after nfs-common is installed."""
    folder = rootfs / _NFS_CLIENT.relative_to("/")
    library = importlib.util.find_spec("mfusepy")
    if library is None or library.origin is None:
        raise LabError("mfusepy is not installed in this Python; the lock of the project names it")
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
    """Switch the machine on, unless it is; returns at once."""
    if cgroups.pids(lab, machine.name):
        return
    rootfs = lab.rootfs(machine.name)
    if not rootfs.exists():
        raise LabError(f"machine {machine.name}: it has no root file system; `lab up` makes it")
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
    # A reboot runs this again: what the machine had set in its network does not survive it, as on a real one.
    script = rootfs.with_name("boot.sh")
    nspawn = f"status=0\n{shlex.join(command)} || status=$?\n"
    script.write_text(f"set -e\n{network.plug(lab, machine)}{nspawn}{network.unplug(lab, machine)}exit $status\n")
    processes.launch(lab, machine.name, ["/bin/sh", str(script)], environment)


def wait(lab: Lab, machine: Machine) -> None:
    """Wait until the machine has booted with nothing failed and has the addresses it gives itself."""
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
        f"machine {machine.name}: wanted it running within {_BOOT_SECONDS} s, found {state}\n{failed}"
        f"its console: {lab.log(machine.name)}; its journal: `lab logs {machine.name}`"
    )


def _wait_online(lab: Lab, machine: Machine) -> None:
    """Wait for the addresses: systemd calls a machine running as soon as the network's manager has started."""
    command = ["/usr/lib/systemd/systemd-networkd-wait-online", "--interface=eth0", f"--timeout={_BOOT_SECONDS}"]
    done = execute(lab, machine, command)
    if done.returncode:
        raise LabError(
            f"machine {machine.name}: wanted its network up within {_BOOT_SECONDS} s: {done.stderr.strip()}\n"
            f"its journal: `lab logs {machine.name}`"
        )


def system_state(lab: Lab, machine: Machine) -> str:
    """`off`, or systemd's own word for the state of the machine (starting, running, degraded, stopping…)."""
    if cgroups.init(lab, machine.name) is None:
        return "starting" if cgroups.pids(lab, machine.name) else "off"
    # Until the bus is there, systemctl answers on standard error alone.
    with contextlib.suppress(LabError):
        return execute(lab, machine, ["systemctl", "is-system-running"]).stdout.strip() or "starting"
    return "off"


def execute(lab: Lab, machine: Machine, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program inside the machine, as root, whatever the state of its network."""
    return subprocess.run(enter(lab, machine, command), capture_output=True, text=True, stdin=subprocess.DEVNULL)


def enter(lab: Lab, machine: Machine, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` inside the machine."""
    leader = cgroups.init(lab, machine.name)
    if leader is None:
        raise LabError(f"machine {machine.name} is off; `lab start {machine.name}` boots it")
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    inside = ["env", "-i", path, "HOME=/root", "LANG=C.UTF-8", f"TERM={os.environ.get('TERM', 'dumb')}"]
    return ["nsenter", "--target", str(leader), "--all", "--wdns=/root", *inside, *command]


def power_off(lab: Lab, name: str) -> None:
    """Switch the machine off as its power button would; what does not end in time is killed."""
    leader = cgroups.init(lab, name)
    if leader is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGRTMIN + 4)
        cgroups.wait_empty(lab, name, _POWER_OFF_SECONDS)
    if not cgroups.kill(lab, name):
        raise LabError(f"machine {name}: processes {cgroups.pids(lab, name)} cannot be killed")
    cgroups.remove(lab, name)


def start(name: str) -> None:
    """Boot a machine of the running lab and wait until it is up."""
    lab = recorded()
    boot(lab, lab.machine(name))
    wait(lab, lab.machine(name))


def stop(name: str) -> None:
    """Switch a machine of the running lab off; its disk stays as it is."""
    lab = recorded()
    power_off(lab, lab.machine(name).name)
