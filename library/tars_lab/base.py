# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems in the cache: one tree for each release of Debian, and from it one for each kind of machine.

A tree is built under a temporary name and renamed when it is complete, so that an interrupted build leaves nothing
usable and the next build starts again. The name of a tree contains a digest of what it is built from.
"""

import fcntl
import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tars_lab import host, processes
from tars_lab.commands import Progress, run
from tars_lab.dsm_twin import install as dsm_twin
from tars_lab.layout import SUITE, Lab

_RECIPE = "1"  # Increase it when this file builds something else from the same packages.
_MACHINE = ["dbus", "iproute2", "iputils-ping", "openssh-server", "procps", "python3", "python3-apt", "systemd-sysv"]
_KINDS = {
    # Libraries of the stand-in for the kernel's NFS client.
    "xps8950": ["fuse3", "libnfs14"],
    "bookworm-xps8950": ["fuse3", "libnfs13"],
    "ds1515plus": sorted(dsm_twin.PACKAGES),
    # A desktop with its own kernel (tars_lab.virtual). Installing the NFS client there later would take long.
    "kernel": ["linux-image-cloud-amd64", "nfs-common"],
    "client": ["bind9-dnsutils", "curl", "libnfs-utils", "netcat-openbsd", "nmap", "openssl"],
}
_APT = ["apt-get", "-qq", "-o", "APT::Install-Recommends=false", "-o", "DPkg::Options::=--force-unsafe-io"]
_building: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def minimal(lab: Lab, progress: Progress, suite: str = SUITE) -> Path:
    """Return the tree of a minimal Debian without an init system, the base of the machines and the container images."""
    mirror = host.debian_mirror()
    digest = _digest(_RECIPE, suite, str(mirror), host.pip_settings(), *host.apt_settings().values())
    name = f"{_kind('minimal', suite)}-{digest}"

    def build(tree: Path) -> None:
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(tree)]
        command += [mirror] if mirror else []
        processes.build(lab, command, lab.log("debootstrap"), "making the Debian base")
        _host_settings(lab, tree, lab.log("debootstrap"))
        in_tree(lab, tree, [*_APT, "update"], lab.log("debootstrap"))

    return _cached(lab, name, progress, build)


def machine(lab: Lab, kind: str, progress: Progress, suite: str = SUITE) -> Path:
    """Return the tree of one kind of machine: init system, ssh, python, and the packages that this kind comes with."""
    parent = minimal(lab, progress, suite)
    name = f"{_kind('machine', suite)}-{_digest(parent.name, *_MACHINE)}"
    common = _cached(lab, name, progress, lambda tree: _install(lab, parent, tree, _MACHINE))
    packages = _KINDS.get(_kind(kind, suite)) or _KINDS.get(kind, _KINDS["client"])
    name = f"{_kind(kind, suite)}-{_digest(common.name, *packages)}"
    return _cached(lab, name, progress, lambda tree: _install(lab, common, tree, packages))


def in_tree(lab: Lab, tree: Path, command: list[str], log: Path) -> None:
    """Run a program inside a tree that is not booted, in the host's network."""
    words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--directory", str(tree), "--pipe"]
    words += [
        "--resolv-conf=off",
        "--timezone=off",
        "--setenv=DEBIAN_FRONTEND=noninteractive",
        "--setenv=LC_ALL=C.UTF-8",
    ]
    processes.build(lab, [*words, *command], log, f"in {tree}")


def copy(source: Path, target: Path) -> None:
    """Copy a tree with owners, modes and links; blocks are shared where the file system supports it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["cp", "--archive", "--reflink=auto", source, target])


def _install(lab: Lab, parent: Path, tree: Path, packages: list[str]) -> None:
    copy(parent, tree)
    log = lab.log(tree.name.removesuffix(".partial"))
    in_tree(lab, tree, [*_APT, "install", *packages], log)
    in_tree(lab, tree, ["apt-get", "clean"], log)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (tree / "etc/machine-id").write_text("")


def _cached(lab: Lab, name: str, progress: Progress, build: Callable[[Path], None]) -> Path:
    tree = lab.cache_dir / "trees" / name
    kind = name.rsplit("-", 1)[0]
    tree.parent.mkdir(parents=True, exist_ok=True)
    # Threads of a command build different kinds; another command waits for a kind that is being built.
    with _building[kind], tree.with_name(f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            began = time.monotonic()
            progress(f"building the {kind} tree")
            partial = tree.with_name(f"{name}.partial")
            remove(partial)
            build(partial)
            for old in tree.parent.glob(f"{kind}-*"):
                if old != partial:
                    remove(old)
            partial.rename(tree)
            progress(f"built the {kind} tree ({time.monotonic() - began:.0f} s)")
    return tree


def remove(tree: Path) -> None:
    """Delete a tree, complete or partial, if it exists."""
    if tree.exists():
        run(["rm", "--recursive", "--force", "--one-file-system", tree])


def _host_settings(lab: Lab, tree: Path, log: Path) -> None:
    """Give the tree the host's settings for apt, its certificates and its resolver."""
    for name, content in host.apt_settings().items():
        path = tree / "etc/apt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600 if name.startswith("auth") else 0o644)
    known = (tree / "etc/ssl/certs/ca-certificates.crt").read_text()
    local = tree / "usr/local/share/ca-certificates"
    remove(local)
    local.mkdir(parents=True)
    for number, pem in enumerate(host.certificates(known)):
        (local / f"host-{number}.crt").write_text(pem)
    in_tree(lab, tree, ["update-ca-certificates"], log)
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").write_text(host.resolver())


def _kind(kind: str, suite: str) -> str:
    return kind if suite == SUITE else f"{suite}-{kind}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
