# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the second run of site.yml with the same state written with stock modules (stock/site.yml).

    .venv/bin/python -m tests.bench.stock [--runs 3] [--prove] > stock.json

Needs the lab, up and provisioned. Both take turns, with the same inventory, configuration and connections, and neither
may change anything. The ratio is that of the medians; the result also holds the ratio of each turn, and the processor
time of Ansible and its workers, which other work on this computer does not distort. `--prove` first changes both
machines by hand, lets the stock playbook repair them, and checks that site.yml then has nothing to change: so both
describe the same state.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from tars_provision.profiles import role_variables
from tars_provision.spec.load import load

from .collection import collection
from .plays import BIN, DESKTOP, INVENTORY, ROOT, changed, median_ratio, on, site, tasks, timed, unchanged

ROLES = "collections/ansible_collections/tars/home/roles"
VARIABLES = (
    *(f"{ROLES}/{role}/defaults/main.yml" for role in ("authority", "backup", "base", "docker_engine", "nas")),
    *(f"{ROLES}/{role}/defaults/main.yml" for role in ("names", "nfs_mount", "stack")),
    *(f"{ROLES}/{role}/vars/main.yml" for role in ("backup", "docker_engine", "stack")),
    "roles/ds1515plus/defaults/main.yml",
    *(f"roles/{profile}/vars/main.yml" for profile in ("ds1515plus", "xps8950")),
    "tests/bench/stock/variables.yml",
)
"""Files of variables that describe the desired state, read once at the start. Those of the spec follow them."""

TEMPLATES = [ROOT / ROLES / role / "templates" for role in ("backup", "stack")]
"""Folders of templates that both playbooks render: what they write is compared, not how it is described."""

NEEDED = "python3-apt python3-cryptography python3-requests"
"""Debian packages that the stock modules need on the desktop, and this collection does not."""

DAMAGE = """
chmod 0644 /opt/tars/secrets/redis_password
chown root /var/lib/tars/caddy
rm /opt/tars/Caddyfile
echo '{"live-restore": false}' > /etc/docker/daemon.json
systemctl unmask rpcbind.socket
systemctl disable --now srv-tars-documents-LLM_docs.automount
rm /etc/systemd/system/srv-tars-documents-LLM_docs.automount
cd /etc/systemd/system
printf '# Written by tars.home.nfs_mounts, changes are lost.\\n[Automount]\\nWhere=/srv/old\\n' > srv-old.automount
echo '# stranger' >> /etc/tars/firewall.nft
nft insert rule inet tars admission tcp dport 8080 accept
systemctl disable tars-firewall.service
rm /opt/tars/secrets/issuer.key
sed -i s/tars.home.arpa/other.home.arpa/ /etc/dnsmasq.d/tars.conf
sed -i '/127.0.0.1/d' /etc/resolv.conf
docker stop tars-redis-1
docker rm --force tars-worker-1
chmod 0644 /opt/tars/secrets/backup_key
systemctl disable --now tars-drill.timer
echo '{}' > /opt/tars/backup.json
"""
"""Commands that change the desktop by hand."""

OTHER_STATE = {
    "nas_server_name": "stranger",
    "nas_ntp_servers": ["time.example.org"],
    "nas_shares": [{"name": "LLM_docs", "description": "Something else"}],
    "nas_nfsv4_minor": 0,
    "nas_exports": [{"share": "LLM_docs", "rules": [{"client": "10.77.0.99", "access": "rw"}]}],
    "nas_users": [{"name": "tars-backup", "description": "Somebody else"}],
    "nas_permissions": [
        {"share": "tars_backup", "permissions": [{"user": "guest", "access": "ro"}], "exclusive": True}
    ],
    "nas_snapshots": [
        {"share": "tars_backup", "schedule": {"hour": 3}, "retention": {"newest": 2}},
        {"share": "LLM_docs", "visible": False},
    ],
    "nas_firewall_sections": [{"adapter": "global", "policy": "allow", "rules": []}],
}
"""Variables of the role nas that differ from the desired state, applied before the proof."""


def stock() -> tuple[float, str]:
    """Run the stock playbook as site.yml is run; return its wall time in seconds and its output."""
    recorded = yaml.safe_load((ROOT / INVENTORY).with_name("recorded").joinpath("images.yml").read_text())
    (python,) = (name for name in recorded if name.startswith("python:"))
    context = collection("plugin_utils.build_context")
    tag = context.tag(context.archive(ROOT / "app"), {"PYTHON_IMAGE": f"{python}@{recorded[python]}"})
    spec = load(ROOT / INVENTORY)
    of_spec = {**role_variables(spec, spec.desktop), **role_variables(spec, spec.nas)}
    given = [f"-e@{path}" for path in VARIABLES] + ["-e", json.dumps(of_spec), f"-estock_app_image=tars-app:{tag}"]
    with tempfile.TemporaryDirectory() as folder:
        for templates in TEMPLATES:
            shutil.copytree(templates, Path(folder, "templates"), dirs_exist_ok=True)
        shutil.copytree(ROOT / "tests/bench/stock", folder, dirs_exist_ok=True)
        return timed(BIN / "ansible-playbook", "-i", INVENTORY, f"{folder}/site.yml", *given)


def processor() -> float:
    """Return the processor time of the ended processes that this program started, in seconds."""
    spent = os.times()
    return spent.children_user + spent.children_system


def turn(run: Callable[[], tuple[float, str]]) -> tuple[float, float]:
    """Run one of both; return its wall time and its processor time, in seconds."""
    before = processor()
    seconds = unchanged(run())
    return seconds, round(processor() - before, 1)


def prove() -> dict[str, int]:
    """Change both machines by hand and repair them with the stock playbook.

    Return how many modules changed the NAS, and how many tasks of the stock playbook repaired something.
    """
    on(DESKTOP, DAMAGE)
    damaged = changed(site("--limit", "ds1515plus", "--tags", "nas", "-e", json.dumps(OTHER_STATE))[1])
    _, output = stock()
    repaired = changed(output)
    if not repaired:
        sys.exit(f"the stock playbook did not detect the changes:\n{output}")
    unchanged(site())
    return {"nas_modules_that_damaged": damaged, "stock_tasks_that_repaired": repaired}


def main() -> None:
    """Time both and print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stock", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each (default 3)")
    parser.add_argument(
        "--prove", action="store_true", help="first change the machines by hand and repair them with the stock playbook"
    )
    options = parser.parse_args()
    on(DESKTOP, f"apt-get -qq update && apt-get -qq --yes --no-install-recommends install {NEEDED}")
    result: dict[str, object] = {"machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()}
    if options.prove:
        result["proof"] = prove()
    task_counts = {"site_tasks": tasks(site()[1]), "stock_tasks": tasks(stock()[1])}
    turns = [(turn(site), turn(stock)) for _ in range(options.runs)]
    ours, theirs = zip(*turns, strict=True)
    (site_s, site_cpu_s), (stock_s, stock_cpu_s) = zip(*ours, strict=True), zip(*theirs, strict=True)
    result |= {
        **task_counts,
        "site_s": site_s,
        "stock_s": stock_s,
        "ratios": [round(slow / fast, 2) for fast, slow in zip(site_s, stock_s, strict=True)],
        "ratio": median_ratio(stock_s, site_s),
        "site_cpu_s": site_cpu_s,
        "stock_cpu_s": stock_cpu_s,
        "cpu_ratio": median_ratio(stock_cpu_s, site_cpu_s),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
