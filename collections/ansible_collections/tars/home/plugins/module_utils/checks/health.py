# SPDX-License-Identifier: GPL-3.0-or-later
"""Read-only checks of a machine, and comparisons by tasks in check mode.

A result has a name, whether it is ok, what was found, and a fix.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from ..resource.differences import Difference, differences
from . import dns as dns_query
from . import http_probe


def evaluate(check: Mapping[str, Any], reached: bool, output: str) -> dict[str, Any]:
    """Return the result of a check: ok if its object was reached and the output matches `expect`, if given."""
    expected = check.get("expect")
    ok = reached and (not expected or re.search(expected, output, re.MULTILINE) is not None)
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    return {"name": check["name"], "ok": ok, "found": " · ".join(lines)[:300], "fix": check["fix"]}


def run(checks: Sequence[Mapping[str, Any]], timeout_s: float) -> list[dict[str, Any]]:
    """Return the results of all checks, in their order. They run side by side."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda check: evaluate(check, *read(check, timeout_s)), checks))


def outcome(checks: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the module's result for the results of checks: failed with every difference if one of them is not ok."""
    failed = [(check, result) for check, result in zip(checks, results) if not result["ok"]]  # Python 3.9
    lines: list[str] = []
    different: list[Difference] = []
    for fix, group in groupby(failed, key=lambda pair: str(pair[0]["fix"])):
        unmet = [difference for check, result in group for difference in _differences(check, result)]
        different += unmet
        lines += [*map(str, unmet), f"Next: {fix}"]
    return {
        "changed": False,
        "checks": list(results),
        "differences": [difference._asdict() for difference in different],
        **({"failed": True, "msg": "\n".join(lines)} if failed else {}),
    }


def _differences(check: Mapping[str, Any], result: Mapping[str, Any]) -> list[Difference]:
    if check.get("result") is not None:
        return differences(check["name"], check["result"])
    return [Difference(check["name"], str(result["found"]) or "no output", "it to hold")]


def read(check: Mapping[str, Any], timeout_s: float) -> tuple[bool, str]:
    """Return whether a check's object was reached, and its output."""
    if check.get("result") is not None:
        return comparison(check["result"])
    if check.get("command"):
        return command(check["command"], timeout_s)
    if check.get("url"):
        return http_probe.read(check["url"], check.get("ca"), timeout_s)
    if check.get("dns"):
        return dns(check["dns"], check["server"], timeout_s)
    host, _, port = check["tcp"].rpartition(":")
    return tcp(host.strip("[]"), int(port), timeout_s)


def command(argv: Sequence[str], timeout_s: float) -> tuple[bool, str]:
    """Return whether a program ends with 0, and its output."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)
    except FileNotFoundError:
        return False, f"{argv[0]} is not installed"
    except OSError as error:
        return False, f"{argv[0]}: {error.strerror or error}"
    except subprocess.TimeoutExpired:
        return False, f"{argv[0]} gave no answer in {timeout_s:g} s"
    return done.returncode == 0, done.stdout.strip() or done.stderr.strip() or f"exit status {done.returncode}"


def comparison(result: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether a task in check mode found its desired state, and what differs or why it failed."""
    if not differences("", result):
        return True, "as desired"
    problems = result.get("changes") or [result.get("msg") or "it differs from the desired state"]
    return False, "\n".join(str(problem) for problem in problems)


def tcp(host: str, port: int, timeout_s: float) -> tuple[bool, str]:
    """Return whether a port accepts a connection."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True, f"{host} port {port} is open"
    except OSError as error:
        return False, f"{host} port {port}: {error}"


def dns(name: str, server: str, timeout_s: float) -> tuple[bool, str]:
    """Return whether a server has addresses of a name, or names of an address, and these, one a line."""
    try:
        code, records = dns_query.ask(server, name, timeout_s)
    except (OSError, ValueError) as error:
        return False, f"{server} port 53: {error}"
    return bool(records), "\n".join(records) or f"{server} answers {code}"


def table(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the results as lines for people, with the next step below each that failed."""
    width = max((len(result["name"]) for result in results), default=0)
    lines = []
    for result in results:
        # The output is cut to a line on a terminal, unless the check failed: then it is shown whole.
        output = result["found"]
        if result["ok"]:
            lines.append(f"ok    {result['name']:<{width}}  {output[:40]}{'…' if output[40:] else ''}".rstrip())
        else:
            lines.append(f"FAIL  {result['name']:<{width}}  {output}".rstrip())
            lines.append(f"      next: {result['fix']}")
    return lines
