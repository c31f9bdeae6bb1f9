# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a person waits for: the lab's start, the first and the second run of site.yml, and the stack's memory.

    .venv/bin/python tests/bench/site.py [--cold] > site.json

``--cold`` also drops the lab's cache and times a start from nothing. The second run is set against a playbook of as
many ``ansible.builtin.ping`` tasks as site.yml has, run right after it on the same machine: that ratio, unlike seconds,
can be compared between computers. So can what the second run asks of the NAS: its logins, and its requests for each
resource that the spec wants there, as ``resources.py`` counts them. Login and logout are among the requests; several
reads that go by one compound request count once, as they do on the wire.
"""

import argparse
import json
import os
import platform
import re
import tempfile

from plays import BIN, DESKTOP, INVENTORY, NAS, ROOT, on, site, tasks, timed
from resources import resources

from tars_provision.load import load


def pings(count: int) -> float:
    """Time a playbook of ``count`` ping tasks on the desktop, in seconds."""
    each = [{"name": f"Ping {number}", "ansible.builtin.ping": {}} for number in range(count)]
    play = [{"name": "As many tasks as site.yml", "hosts": "desktop", "gather_facts": False, "tasks": each}]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump(play, file)
        file.flush()
        return timed(BIN / "ansible-playbook", "-i", INVENTORY, file.name)[0]


def nas_requests() -> list[str]:
    """Return every request that the NAS noted in its journal since it started, as API.method, oldest first."""
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
"""Makes the model server load every model it has, run on the desktop."""


def memory_mib() -> dict[str, float]:
    """Return the memory of each container in MiB with the models loaded, as ``docker stats`` reports it."""
    on(DESKTOP, f"python3 - <<'END'\n{LOAD}\nEND")
    output = on(DESKTOP, "docker stats --no-stream --format '{{.Name}} {{.MemUsage}}'")
    unit = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    usage = re.findall(r"^(\S+) ([\d.]+)([KMG]iB)", output, flags=re.MULTILINE)
    return {name: round(float(amount) * unit[suffix], 1) for name, amount, suffix in usage}


def main() -> None:
    """Run the benchmark and print its result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cold", action="store_true", help="drop the lab's cache first and time a start from nothing")
    options = parser.parse_args()
    spec = load(ROOT / INVENTORY)
    result: dict[str, object] = {"machine": platform.platform(), "cores": os.cpu_count()}
    timed(BIN / "tars-provision", "lab", "down", *(["--cache"] if options.cold else []))
    if options.cold:
        result["lab_up_cold_s"] = timed(BIN / "tars-provision", "lab", "up")[0]
        timed(BIN / "tars-provision", "lab", "down")
    result["lab_up_warm_s"] = timed(BIN / "tars-provision", "lab", "up")[0]
    result["site_first_s"] = site()[0]
    before = nas_requests()
    second, output = site()
    asked = nas_requests()[len(before) :]
    wanted = sum(resources(spec.model_dump(mode="json")).values())
    count = tasks(output)
    ping = pings(count)
    memory = memory_mib()
    result |= {
        "site_second_s": second,
        "site_tasks": count,
        "ping_s": ping,
        "site_second_per_ping": round(second / ping, 2),
        "nas_logins": asked.count("SYNO.API.Auth.login"),
        "nas_requests": len(asked),
        "nas_resources": wanted,
        "nas_requests_per_resource": round(len(asked) / wanted, 2),
        "memory_mib": memory,
        "memory_total_mib": round(sum(memory.values()), 1),
    }
    timed(BIN / "tars-provision", "lab", "down")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
