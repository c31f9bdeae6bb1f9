# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, repair, inspect and remove the whole lab; `down` leaves the host as it was before `up`."""

import contextlib
import fcntl
import hashlib
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tars_lab import base, cgroups, dhcp, host, images, layout, machine, network, processes, registry
from tars_lab.commands import LabError, Progress, run
from tars_lab.dsm_twin import install as dsm_twin
from tars_lab.layout import Lab, Machine
from tars_provision.controller import trust, vault

_LOCK = Path("/run/lock/tars-lab")
_DSM_MODEL = "DS1515+"


def up(inventory: Path, progress: Progress = print, *, keep: bool = False, lab: Lab | None = None) -> Lab:
    """Start the lab of an inventory, or complete one that runs partly; return it.

    Running machines stay as they are. A machine that is off gets a new disk, or with `keep` boots from its present one.
    On return every machine has booted and the registry serves every image. Raises LabError.
    """
    host.check()
    lab = lab or layout.load(Path(inventory))
    with _lock(lab):
        lab.record()
        if processes.clear(lab):
            progress("killed processes of an interrupted build")
        for mount in _unmount(lab):
            progress(f"removed {mount} of an interrupted build")
        network.up(lab)
        dhcp.up(lab)
        registry.up(lab)
        machine.controller_key(lab)
        progress(f"network {lab.network} on {lab.bridge}, registry {lab.registry}")
        password = vault.ensure(Path(lab.inventory))["dsm_password"]
        base.minimal(lab, progress)
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(_machine_up, lab, m, password, keep, progress) for m in lab.machines]
            jobs.append(pool.submit(images.up, lab, progress))
        problems = [str(error) for job in jobs if (error := job.exception())]
        if problems:
            raise LabError("\n".join(problems))
        processes.clear(lab)
    progress("the lab is up")
    return lab


def _machine_up(lab: Lab, wanted: Machine, dsm_password: str, keep: bool, progress: Progress) -> None:
    def customize(rootfs: Path) -> None:
        if wanted.dsm_account:
            dsm_twin.install(rootfs, _factory(wanted, dsm_password))
            _forget_repository(lab, progress)

    began = time.monotonic()
    rootfs = lab.rootfs(wanted.name)
    if machine.system_state(lab, wanted) == "off":
        if not (keep and rootfs.exists()):
            tree = base.machine(lab, wanted.kind, progress, wanted.suite)
            began = time.monotonic()
            machine.create(lab, wanted, tree, customize)
        machine.boot(lab, wanted)
        machine.wait(lab, wanted)
    machine.write_known_hosts(lab)
    if wanted.dsm_account:
        _record_certificate(lab, wanted)
    lease = f", DHCP address {wanted.dhcp_address}" if wanted.dhcp_address else ""
    progress(f"{wanted.name} is up ({wanted.address}{lease}, {time.monotonic() - began:.0f} s)")


def serial_number(name: str) -> str:
    """Return the serial number of the NAS with that name."""
    return f"LAB{int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**9:09d}"


def _factory(wanted: Machine, password: str) -> dict[str, object]:
    """Return the settings of a NAS after its first-run wizard (see `dsm_twin.install.install`)."""
    return {
        "model": _DSM_MODEL,
        "serial": serial_number(wanted.name),
        "account": wanted.dsm_account,
        "password": password,
        "hostname": wanted.name,
        "volumes": list(wanted.volumes),
    }


def _record_certificate(lab: Lab, wanted: Machine) -> None:
    """Record the fingerprint of the NAS's own certificate, as a person would at the first connection."""
    pem = (lab.rootfs(wanted.name) / "etc/dsm-twin/cert.pem").read_text()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    trust.record(Path(lab.inventory), wanted.name, fingerprint, replace=True)


def _forget_repository(lab: Lab, progress: Progress) -> None:
    """Remove the recorded id of the repository of the backups, which was on the disk of an earlier NAS."""
    record = Path(lab.inventory) / "recorded/backup.yml"
    if record.exists():
        record.unlink()
        progress("the NAS is new: removed the recorded id of its repository of backups")


def down(progress: Progress = print, *, cache: bool = False, keep: bool = False, lab: Lab | None = None) -> list[str]:
    """Remove machines, namespaces, bridge, rules, mounts and processes of the lab; return what was removed.

    `cache` removes the cache as well, `keep` leaves the disks of the machines. Also removes the remains of a lab whose
    processes crashed.
    """
    lab = lab or _last()
    removed = []
    with _lock(lab):
        removed += ["processes of an interrupted build"] if processes.clear(lab) else []
        groups = [name for name in cgroups.names(lab) if name not in (registry.NAME, dhcp.NAME)]
        if groups:
            progress(f"switching off {', '.join(groups)}")
        with ThreadPoolExecutor() as pool:
            for name, job in [(name, pool.submit(machine.power_off, lab, name)) for name in groups]:
                job.result()
                removed.append(f"machine {name}")
        removed += registry.down(lab)
        removed += dhcp.down(lab)
        removed += network.down(lab)
        removed += _unmount(lab)
        # The site is here if there is no checkout that has it; its secrets are those of the machines.
        folders = [] if keep else [lab.state_dir / "machines", lab.state_dir / "site"]
        for folder in [*folders, *([lab.cache_dir] if cache else [])]:
            if folder.exists():
                base.remove(folder)
                removed.append(str(folder))
        (lab.state_dir / "lab.json").unlink(missing_ok=True)
    for line in removed:
        progress(f"removed {line}")
    return removed


def status(lab: Lab | None = None) -> dict[str, Any]:
    """Return the state of every part as plain data; `up` is true when nothing is missing."""
    try:
        lab = lab or layout.recorded()
    except LabError as error:
        return {"up": False, "detail": str(error), "machines": {}, "registry": None, "images": {}}
    machines = {
        m.name: {"address": m.address, "address6": m.address6, "state": machine.system_state(lab, m)}
        for m in lab.machines
    }
    answers = registry.answers(lab)
    served = {reference: registry.digest(lab, reference) if answers else None for reference in lab.images.values()}
    ready = answers and all(m["state"] in ("running", "degraded") for m in machines.values()) and all(served.values())
    return {
        "up": ready,
        "inventory": lab.inventory,
        "network": lab.network,
        "machines": machines,
        "registry": lab.registry if answers else None,
        "images": served,
    }


def _last() -> Lab:
    """Return the recorded lab; without a record, one with the default names of bridge and folders."""
    try:
        return layout.recorded()
    except LabError:
        return Lab("", "", "", "", "http://127.0.0.1:0", {}, ())


def _unmount(lab: Lab) -> list[str]:
    """Unmount what an interrupted build or boot left below the lab's folders, innermost first; return what it was."""
    folders = tuple(f"{folder}/" for folder in (lab.state_dir, lab.cache_dir))
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [mount_point for line in lines if (mount_point := line.split()[4]).startswith(folders)]
    for mount_point in reversed(mounts):
        run(["umount", "--lazy", mount_point])
    return [f"mount {mount_point}" for mount_point in mounts]


@contextlib.contextmanager
def _lock(lab: Lab) -> Iterator[None]:
    """Hold the lock that keeps two commands from changing a lab or its cache at the same time."""
    lab.state_dir.mkdir(parents=True, exist_ok=True)
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                f"{_LOCK}: locked by another command that is changing the lab; try again when it has ended"
            ) from error
        yield
