# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of the lab's NAS, mounted on this computer by the lab's NFS client.

The NAS is a machine of a lab of its own, and exports the share with nfs-ganesha as it does in the lab. The client is
libnfs through FUSE, as the kernel of this computer need not have one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tars_lab import layout, lifecycle, machine
from tars_lab.dsm_twin.ganesha import CONFIG, Export, Rule, Service, render_export, render_service

from ...integration.servers import wait_for

ROOT = Path(__file__).parents[3]
NAME, EXPORT = "ds1515plus", "/volume1/LLM_docs"
OPTIONS = "ro,nosuid,nodev,noexec,vers=4.1,soft,timeo=50,retrans=2"
"""As the role `nfs_mount` mounts a share of documents."""


@contextmanager
def mounted_share(mount_point: Path) -> Iterator[Path]:
    """Mount the share read-only, and yield its folder on the disk of the NAS."""
    with tempfile.TemporaryDirectory(prefix="tars-bench-") as folder:
        spec = (ROOT / "inventories/lab/tars.yml").read_text().replace("10.77.0.", "10.76.0.")
        (Path(folder) / "tars.yml").write_text(spec)
        lab = layout.load(Path(folder), state=Path("/var/lib/tars-lab7"), bridge="tars7", prefix6="fd77:7a52:0:7::/64")
        nas = replace(lab.machine(NAME), dhcp_address="")
        lab = replace(lab, images={}, machines=(nas,))
        lifecycle.down(_report, lab=lab)
        try:
            lifecycle.up(Path(folder), _report, lab=lab)
            share = lab.rootfs(NAME) / EXPORT.lstrip("/")
            share.mkdir()
            service = Service(enabled=True, v4=True, minor=1)
            rule = Rule(lab.gateway, writable=False, root_squash="root", insecure=True, security=("sys",))
            config = render_service(service) + render_export(Export(1, EXPORT, (rule,)), service)
            (lab.rootfs(NAME) / CONFIG.relative_to("/")).write_text(config)
            started = machine.execute(lab, nas, ["systemctl", "restart", "nfs-ganesha"])
            assert started.returncode == 0, started.stderr
            words = [f"{nas.address}:{EXPORT}", str(mount_point), "-o", OPTIONS]
            command = [sys.executable, "-m", "tars_lab.nfs_client.mount_nfs4", *words]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "library")})
            try:
                wait_for(mount_point.is_mount, "the mount")
                yield share
            finally:
                subprocess.run(["umount", mount_point], check=True)
        finally:
            lifecycle.down(_report, lab=lab)


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
