# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the lab's start, the first and the second run of site.yml, and the memory of the stack.

    .venv/bin/python -m tests.bench.site_runs [--cold] > site.json
    .venv/bin/python -m tests.bench.site_runs --against COMMIT [--runs 3] > compared.json

``--cold`` also drops the lab's cache and times a start without it. The second run is divided by the time of a playbook
with as many ``ansible.builtin.ping`` tasks, run right after it on the same machine: unlike seconds, this ratio can be
compared between computers. The requests that the second run sends to the NAS are counted as well: its logins, and its
requests for each resource that the spec describes there (``resources.py``). Login and logout are among the requests;
a compound request counts once, as on the wire.

``--against`` compares the second run with that of another commit, in one lab. The other checkout sets up the lab and is
timed first, then this one, which migrates the data. Both use the same secrets, certificates and recorded digests. The
ratio is this checkout's median divided by the other's.
"""

import argparse
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tars_provision.spec.load import load

from .plays import BIN, DESKTOP, INVENTORY, NAS, ROOT, median_ratio, on, site, tasks, timed, unchanged
from .resources import resources

SITE_STATE = ("authority", "group_vars", "recorded")
"""Folders beside the spec that are not, or not completely, in git: certificates, secrets, digests and fingerprints."""


def pings(count: int) -> float:
    """Return the seconds that a playbook of ``count`` ping tasks takes on the desktop."""
    ping_tasks = [{"name": f"Ping {number}", "ansible.builtin.ping": {}} for number in range(count)]
    play = [{"name": "As many tasks as site.yml", "hosts": "desktop", "gather_facts": False, "tasks": ping_tasks}]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump(play, file)
        file.flush()
        return timed(BIN / "ansible-playbook", "-i", INVENTORY, file.name)[0]


def nas_requests() -> list[str]:
    """Return every request in the journal of the NAS since it started, as API.method, oldest first."""
    journal = on(NAS, "journalctl --unit dsm-twin --output cat")
    return re.findall(r"request (\S+) from", journal)


LOAD = """
import json, subprocess, urllib.request
find = ["docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "tars-ollama-1"]
address = subprocess.run(find, capture_output=True, text=True, check=True).stdout.split()[0]
def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    return json.load(urllib.request.urlopen(f"http://{address}:11434/api/{path}", data, timeout=120))
for model in call("tags")["models"]:
    if "embed" in model["name"] or "minilm" in model["name"]:
        call("embed", {"model": model["name"], "input": "Where is the key?"})
    else:
        body = {"model": model["name"], "prompt": "Where is the key?", "stream": False}
        call("generate", {**body, "options": {"num_ctx": 2048, "num_predict": 8}})
"""
"""Run on the desktop: makes the model server load all its models."""


def memory_mib() -> dict[str, float]:
    """Return the memory of each container in MiB with the models loaded, as ``docker stats`` reports it."""
    on(DESKTOP, f"python3 - <<'END'\n{LOAD}\nEND")
    output = on(DESKTOP, "docker stats --no-stream --format '{{.Name}} {{.MemUsage}}'")
    unit = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    usage = re.findall(r"^(\S+) ([\d.]+)([KMG]iB)", output, flags=re.MULTILINE)
    return {name: round(float(amount) * unit[suffix], 1) for name, amount, suffix in usage}


def copy_state(source: Path, target: Path) -> None:
    """Copy a checkout's state of the lab to another checkout."""
    inventory = Path(INVENTORY).parent
    for name in SITE_STATE:
        if (source / inventory / name).exists():
            shutil.copytree(source / inventory / name, target / inventory / name, dirs_exist_ok=True)


def checkout_of(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder and give it this checkout's state of the lab; return the folder."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    copy_state(ROOT, folder)
    return folder


def second_runs(checkout: Path, runs: int) -> list[float]:
    """Bring the lab to the state of a checkout; return the seconds of its runs after that, which change nothing."""
    site(checkout=checkout)
    return [unchanged(site(checkout=checkout)) for _ in range(runs)]


def compare(commit: str, runs: int) -> dict[str, object]:
    """Time the second runs of a commit, then those of this checkout in the same lab; return the seconds and the ratio.

    The commit comes first: its application cannot use a database that a later one has migrated.
    """
    with tempfile.TemporaryDirectory(prefix="tars-bench-") as folder:
        other = checkout_of(commit, Path(folder))
        theirs = second_runs(other, runs)
        copy_state(other, ROOT)
    ours = second_runs(ROOT, runs)
    return {
        "against": commit,
        "site_second_s": ours,
        "against_second_s": theirs,
        "ratio": median_ratio(ours, theirs),
    }


def measure() -> dict[str, object]:
    """Time the first and the second run in a new lab; return these times, the requests to the NAS and the memory."""
    first_s = site()[0]
    before = nas_requests()
    second_s, output = site()
    requests = nas_requests()[len(before) :]
    wanted = sum(resources(load(ROOT / INVENTORY).model_dump(mode="json")).values())
    count = tasks(output)
    ping_s = pings(count)
    memory = memory_mib()
    return {
        "site_first_s": first_s,
        "site_second_s": second_s,
        "site_tasks": count,
        "ping_s": ping_s,
        "site_second_per_ping": round(second_s / ping_s, 2),
        "nas_logins": requests.count("SYNO.API.Auth.login"),
        "nas_requests": len(requests),
        "nas_resources": wanted,
        "nas_requests_per_resource": round(len(requests) / wanted, 2),
        "memory_mib": memory,
        "memory_total_mib": round(sum(memory.values()), 1),
    }


def main() -> None:
    """Run the benchmark and print its result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.site_runs", description=__doc__.splitlines()[0])
    parser.add_argument("--cold", action="store_true", help="drop the lab's cache first and time a start without it")
    parser.add_argument("--against", metavar="COMMIT", help="compare the second run with that of another commit")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each checkout with --against (default 3)")
    options = parser.parse_args()
    result: dict[str, object] = {"machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()}
    timed(BIN / "tars-provision", "lab", "down", *(["--cache"] if options.cold else []))
    if options.cold:
        result["lab_up_cold_s"] = timed(BIN / "tars-provision", "lab", "up")[0]
        timed(BIN / "tars-provision", "lab", "down")
    result["lab_up_warm_s"] = timed(BIN / "tars-provision", "lab", "up")[0]
    result |= compare(options.against, options.runs) if options.against else measure()
    timed(BIN / "tars-provision", "lab", "down")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
