# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill on the story's desktop: what it proves, what its services can reach, and that the household goes on.

The machines are read with docker, psql, ss and curl, not with the program.
"""

from __future__ import annotations

import json
import shlex
import statistics
from typing import Any

import pytest

from ..conftest import tars
from .conftest import AUTHORITY, eventually, host
from .test_story import TRUST, put, search, states

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.disaster, pytest.mark.usefixtures("provisioned")]

TENT = b"The tent was repaired by the sailmaker in Lemmer after the summer, according to note TN-6610.\n"

# Services of the drill may still be starting.
REACH = """
import socket, sys, time
for word in sys.argv[1:]:
    address, _, tries = word.partition("*")
    host, port = address.rsplit(":", 1)
    outcome = "refused"
    for _ in range(int(tries or 1)):
        try:
            socket.create_connection((host, int(port)), 2).close()
            outcome = "reached"
            break
        except OSError:
            time.sleep(0.3)
    print(address, outcome, flush=True)
"""

# Waits for the application of a drill, and tries from it to reach the addresses in the arguments.
WATCH = """
until docker exec tars-drill-app true 2>/dev/null; do sleep 0.2; done
docker ps --format '{{.Names}} {{.Ports}}' --filter label=tars.drill >/root/drill-ports
docker exec --interactive tars-drill-app python - "$@" </root/reach.py >/root/drill-reach 2>&1
"""

TIMES = f"""
while [ ! -e /root/stop-times ]; do
  curl -sS -o /dev/null --fail --max-time 30 -w '%{{time_total}}\\n' {TRUST} \\
    'https://tars.home.arpa/api/search?q=tent' || echo failed
done >/root/times 2>&1
"""


@pytest.fixture(scope="module", autouse=True)
def saved(provisioned: None) -> str:
    """Add a document, make a backup of it, and return the id of the backup."""
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0
    put("tent.txt", TENT)
    eventually(lambda: states().get("tent.txt") == "indexed")
    return str(json.loads(tars("backup", "run", "--json").stdout)["id"])


def background(name: str, script: str, *arguments: str) -> None:
    """Start a script on a machine that goes on after the connection has ended."""
    words = f"setsid sh -c {shlex.quote(script)} sh {shlex.join(arguments)} </dev/null >/dev/null 2>&1 &"
    assert host(name).run(words).rc == 0


def times() -> list[float]:
    """End the requests, and return the seconds that each took."""
    client = host("client")
    client.check_output("touch /root/stop-times")
    eventually(lambda: client.run("pgrep -f '[w]hile.*stop-times'").rc == 1)
    return [float(line) for line in client.check_output("cat /root/times; rm /root/times /root/stop-times").split()]


def household() -> list[str]:
    """Return containers with their start, networks with their members, data folders, and rows of the household."""
    desktop = host("xps8950")
    rows = "SELECT count(*), (SELECT count(*) FROM vectors), (SELECT max(seen_from) FROM versions) FROM versions"
    containers = "docker inspect --format '{{.Name}} {{.State.StartedAt}} {{.RestartCount}}'"
    networks = "docker network inspect --format '{{.Name}} {{range .Containers}}{{.Name}} {{end}}'"
    return [
        desktop.check_output(f"{containers} $(docker ps --all --quiet) | sort"),
        " ".join(sorted(desktop.check_output(f"{networks} $(docker network ls --quiet)").split())),
        desktop.check_output(
            "ls /var/lib/tars /var/lib/tars/backup;"
            " ss --listening --numeric --tcp --no-header | awk '{print $4}' | sort"
        ),
        desktop.check_output(f"docker exec tars-postgres-1 psql -U tars -d tars -Atc {shlex.quote(rows)}"),
    ]


def left() -> str:
    """Return what is left of drills on the desktop."""
    script = "docker ps --all --quiet --filter label=tars.drill; docker network ls --quiet --filter label=tars.drill; "
    return str(host("xps8950").check_output(f"{script}ls -d /var/lib/tars/backup/drill 2>/dev/null; true")).strip()


def p95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def test_a_drill_answers_from_the_backup_while_the_household_goes_on(saved: str) -> None:
    desktop, client = host("xps8950"), host("client")
    before = household()
    background("client", TIMES)
    client.check_output("sleep 12")
    idle = times()
    living = desktop.check_output(
        "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' tars-postgres-1"
    ).split()[0]
    gateway = desktop.check_output("docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' tars_back")
    outside = [f"{living}:5432", f"{gateway}:22", "10.77.0.20:5001", "10.77.0.10:443", "10.77.0.10:22"]
    inside = ["postgres:5432", "redis:6379", "chroma:8000", "ollama:11434"]
    assert desktop.run(f"cat >/root/reach.py <<'END'{REACH}END").rc == 0
    background("xps8950", WATCH, *outside, *(f"{address}*200" for address in inside))
    background("client", TIMES)

    passed = json.loads(tars("drill", "--json").stdout)

    during = times()
    figures = {"idle": idle, "during": during}
    shown: dict[str, Any] = {
        name: {"requests": len(values), "p50_s": statistics.median(values), "p95_s": p95(values)}
        for name, values in figures.items()
    }
    report = json.loads(desktop.check_output(f"cat {shlex.quote(passed['report'].replace('.html', '.json'))}"))
    print(json.dumps({"search": shown, "steps": report["steps"], "recovery_s": report["recovery_s"]}))
    assert passed["backup"] == saved and passed["questions"] >= 1, passed
    assert left() == "" and household() == before
    ports = dict(line.partition(" ")[::2] for line in desktop.check_output("cat /root/drill-ports").splitlines())
    assert "tars-drill-app" in ports and not any("->" in published for published in ports.values()), ports
    reach = dict(line.split() for line in desktop.check_output("cat /root/drill-reach").splitlines())
    assert reach == {**dict.fromkeys(outside, "refused"), **dict.fromkeys(inside, "reached")}
    assert report["ok"] and all(check["ok"] for check in report["checks"]), report
    assert any("tent.txt" in question["path"] for question in report["questions"]), report["questions"]
    page = desktop.check_output(f"cat {shlex.quote(passed['report'])}")
    assert "passed" in page and "<svg" in page
    assert min(len(values) for values in figures.values()) >= 10, "too few requests to compare"


def test_a_killed_drill_leaves_nothing_behind() -> None:
    desktop = host("xps8950")
    before = household()
    desktop.check_output("systemctl start --no-block tars-drill.service")
    eventually(lambda: desktop.run("docker inspect tars-drill-postgres").rc == 0)
    desktop.check_output("systemctl kill --kill-who=main --signal=KILL tars-drill.service")
    eventually(lambda: "inactive" in (state := unit_state()) or "failed" in state)
    assert left() == "" and household() == before
    desktop.check_output("systemctl reset-failed tars-drill.service")
    assert "tent.txt" in search("tent")


def unit_state() -> str:
    """Return the state of the unit that drills run in."""
    return str(host("xps8950").run("systemctl is-active tars-drill.service").stdout)
