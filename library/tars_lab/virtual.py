# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of the lab with its own kernel, in QEMU: for features that the host's kernel may lack, such as NFS.

It is connected to the lab's bridge, runs in the control group with its name, and keeps its disk beside the other
machines'. Without KVM its one processor is emulated, and everything in it takes about ten times as long.
"""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tars_lab import base, cgroups, machine, network, processes
from tars_lab.commands import LabError, Progress, run
from tars_lab.layout import Lab, Machine

# Programs, each with the Debian and Ubuntu package that contains it; needed only for such a machine.
_PROGRAMS = {"mkfs.ext4": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86", "ssh": "openssh-client"}
_DISK = "4G"
_MEMORY_MIB = 1024
_TUN = Path("/dev/net/tun")


def missing_packages() -> list[str]:
    """Return the missing distribution packages that such a machine needs in addition to those of the lab."""
    return sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None})


def check() -> None:
    """Raise LabError with all reasons at once when this host cannot run such a machine."""
    problems = []
    if missing := missing_packages():
        problems.append(
            f"packages: a machine with its own kernel needs {', '.join(missing)}; "
            f"run `apt-get install {' '.join(missing)}`"
        )
    if not _TUN.exists():
        problems.append(f"{_TUN}: not found; a machine with its own kernel needs a host kernel with TUN/TAP")
    if problems:
        raise LabError("\n".join(problems))


def create(lab: Lab, wanted: Machine, progress: Progress) -> None:
    """Create the machine, which must be off, with Debian's kernel for cloud machines. Raises LabError."""
    check()
    rootfs = lab.rootfs(wanted.name)
    base.remove(rootfs.parent)
    base.copy(base.machine(lab, "kernel", progress), rootfs)
    machine.configure(lab, wanted, rootfs)
    machine.write_known_hosts(lab)
    for folder in ("etc", "var"):
        # Makes systemd skip its work after an update of /usr; emulated, ldconfig alone takes half a minute.
        (rootfs / folder / ".updated").touch()
    run(["truncate", f"--size={_DISK}", _disk(lab, wanted)])
    run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", rootfs, _disk(lab, wanted)])


def boot(lab: Lab, wanted: Machine) -> None:
    """Switch the machine on unless it is on; return at once. Its console goes to the log with its name."""
    if cgroups.pids(lab, wanted.name):
        return
    port, mtu, plug = network.tap(lab, wanted)
    kernel, initrd = (max((lab.rootfs(wanted.name) / "boot").glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img"))
    command = ["qemu-system-x86_64", "-name", wanted.name, "-nodefaults", "-display", "none", "-serial", "stdio"]
    # QEMU 7.2 sets wrong flags after cmpxchg16b, which Linux uses often: a double fault within minutes.
    command += ["-accel", "tcg,thread=single", "-cpu", "qemu64,-cx16,-svm", "-smp", "1", "-m", f"{_MEMORY_MIB}"]
    command += ["-kernel", str(kernel), "-initrd", str(initrd)]
    command += ["-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1 quiet mitigations=off"]
    command += ["-drive", f"file={_disk(lab, wanted)},format=raw,if=virtio,cache=unsafe", "-device", "virtio-rng-pci"]
    command += ["-netdev", f"tap,id=eth0,ifname={port},script=no,downscript=no"]
    command += ["-device", f"virtio-net-pci,netdev=eth0,mac={lab.mac(wanted.name)},host_mtu={mtu},romfile="]
    script = lab.rootfs(wanted.name).with_name("boot.sh")
    script.write_text(f"set -e\n{plug}exec {shlex.join(command)}\n")
    processes.launch(lab, wanted.name, ["/bin/sh", str(script)], {"PATH": os.environ["PATH"]})


def execute(lab: Lab, wanted: Machine, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program inside the machine as root, by ssh; exit status 255 means that the machine was not reached."""
    options = ["BatchMode=yes", f"UserKnownHostsFile={lab.state}/ssh/known_hosts", "ConnectTimeout=5"]
    options += ["ServerAliveInterval=15", "ServerAliveCountMax=20"]
    words = ["ssh", "-i", f"{lab.state}/ssh/id_ed25519", *(f"-o{option}" for option in options)]
    words += [f"root@{wanted.address}", shlex.join(command)]
    return subprocess.run(words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)


def wait(lab: Lab, wanted: Machine, seconds: float, *, after: str = "") -> str:
    """Wait until the machine has booted without a failed unit; return the id of this boot.

    `after` is the id of an earlier boot to ignore. Raises LabError with the last state after so many seconds.
    """
    deadline = time.monotonic() + seconds
    last_state = "no answer"
    while time.monotonic() < deadline:
        done = execute(
            lab, wanted, ["sh", "-c", "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait"]
        )
        boot_id, state = (*done.stdout.split(), "", "")[:2]
        if boot_id and boot_id != after:
            if state == "running":
                return boot_id
            last_state = state
            if state == "degraded":
                last_state += f": {execute(lab, wanted, ['systemctl', '--failed', '--plain', '--no-legend']).stdout}"
                break
        time.sleep(1)
    raise LabError(
        f"machine {wanted.name}: {last_state} after {seconds:.0f} s at most, expected running\n"
        f"see its console {lab.log(wanted.name)}"
    )


def _disk(lab: Lab, wanted: Machine) -> Path:
    return lab.rootfs(wanted.name).with_name("disk.raw")
