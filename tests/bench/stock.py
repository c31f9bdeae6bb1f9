# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the second run of site.yml against the same state written with stock modules (stock/site.yml), in one go.

    .venv/bin/python tests/bench/stock.py [--runs 3] [--prove] > stock.json

Needs the lab, up and provisioned. Both take turns, over the same inventory, configuration and connections, and neither
may change anything. The ratio is that of the medians; each turn's own stands beside it, and so does the processor time
that Ansible and its workers took on this computer, which is told apart from whatever else the computer does. `--prove`
first damages both machines, lets the stock playbook repair them, and has site.yml find nothing left to do: then both
mean the same state.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from ansible_collections.tars.home.plugins.plugin_utils import build_context
from plays import BIN, DESKTOP, INVENTORY, ROOT, changed, on, site, tasks, timed

ROLES = "collections/ansible_collections/tars/home/roles"
VARIABLES = (
    *(f"{ROLES}/{role}/defaults/main.yml" for role in ("authority", "base", "docker_engine", "nas")),
    *(f"{ROLES}/{role}/defaults/main.yml" for role in ("names", "nfs_mount", "stack")),
    *(f"{ROLES}/{role}/vars/main.yml" for role in ("docker_engine", "stack")),
    *(f"roles/{profile}/{kind}/main.yml" for profile in ("ds1515plus", "xps8950") for kind in ("defaults", "vars")),
    "tests/bench/stock/variables.yml",
)
"""What is wanted, read once at the start like an inventory's."""

NEEDED = "python3-apt python3-cryptography python3-requests"
"""What the stock modules want on the desktop, and ours do not."""

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
nft insert rule inet tars judge tcp dport 8080 accept
systemctl disable tars-firewall.service
rm /opt/tars/secrets/issuer.key
sed -i s/tars.home.arpa/other.home.arpa/ /etc/dnsmasq.d/tars.conf
sed -i '/127.0.0.1/d' /etc/resolv.conf
docker stop tars-redis-1
docker rm --force tars-worker-1
"""
"""Done to the desktop by hand."""

OTHER_WISHES = {
    "nas_server_name": "stranger",
    "nas_ntp_servers": ["time.example.org"],
    "nas_shares": [{"name": "LLM_docs", "description": "Something else"}],
    "nas_nfsv4_minor": 0,
    "nas_exports": [{"share": "LLM_docs", "rules": [{"client": "10.77.0.99", "access": "rw"}]}],
    "nas_users": [{"name": "tars-backup", "description": "Somebody else"}],
    "nas_permissions": [
        {"share": "tars_backup", "permissions": [{"user": "guest", "access": "ro"}], "exclusive": True}
    ],
    "nas_snapshots": [{"share": "tars_backup", "schedule": {"hour": 3}, "retention": {"newest": 2}}],
    "nas_firewall_sections": [{"adapter": "global", "policy": "allow", "rules": []}],
}
"""What the NAS is made before the proof."""


def stock() -> tuple[float, str]:
    """Run the stock playbook as site.yml is run."""
    recorded = yaml.safe_load((ROOT / INVENTORY).with_name("recorded").joinpath("images.yml").read_text())
    (python,) = (name for name in recorded if name.startswith("python:"))
    tag = build_context.tag(build_context.archive(ROOT / "app"), {"PYTHON_IMAGE": f"{python}@{recorded[python]}"})
    given = [f"-e@{path}" for path in VARIABLES] + [f"-estock_app_image=tars-app:{tag}"]
    filters = ":".join(str(ROOT / "roles" / name / "filter_plugins") for name in ("ds1515plus", "xps8950"))
    command: list[str | Path] = [BIN / "ansible-playbook", "-i", INVENTORY, "tests/bench/stock/site.yml", *given]
    return timed(*command, ANSIBLE_FILTER_PLUGINS=filters)


def quiet(run: tuple[float, str]) -> float:
    """The seconds of a run that changed nothing; ends this program where it did."""
    seconds, output = run
    if changed(output):
        sys.exit(f"wanted a run that changes nothing, found:\n{output}")
    return seconds


def processor() -> float:
    """The processor time of all that this program has started and that has ended, in seconds."""
    spent = os.times()
    return spent.children_user + spent.children_system


def turn(run: Callable[[], tuple[float, str]]) -> tuple[float, float]:
    """Let one of both have its turn; its seconds by the clock and of processor time."""
    before = processor()
    seconds = quiet(run())
    return seconds, round(processor() - before, 1)


def median_ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    return round(statistics.median(slow) / statistics.median(fast), 2)


def prove() -> dict[str, int]:
    """Damage both machines and let the stock playbook repair them; how many of its tasks did so."""
    on(DESKTOP, DAMAGE)
    wishes = json.dumps(OTHER_WISHES)
    damaged = changed(site("--limit", "ds1515plus", "--tags", "nas", "-e", wishes)[1])
    _, output = stock()
    repaired = changed(output)
    if not repaired:
        sys.exit(f"the stock playbook did not see the damage:\n{output}")
    quiet(site())
    return {"nas_modules_that_damaged": damaged, "stock_tasks_that_repaired": repaired}


def main() -> None:
    """Time both and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--prove", action="store_true", help="damage the machines first and see the stock playbook mend them"
    )
    options = parser.parse_args()
    on(DESKTOP, f"apt-get -qq update && apt-get -qq --yes --no-install-recommends install {NEEDED}")
    result: dict[str, object] = {"machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()}
    if options.prove:
        result["proof"] = prove()
    counted = {"site_tasks": tasks(site()[1]), "stock_tasks": tasks(stock()[1])}
    turns = [(turn(site), turn(stock)) for _ in range(options.runs)]
    ours, theirs = zip(*turns, strict=True)
    (site_s, site_cpu_s), (stock_s, stock_cpu_s) = zip(*ours, strict=True), zip(*theirs, strict=True)
    result |= {
        **counted,
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
