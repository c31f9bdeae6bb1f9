# SPDX-License-Identifier: GPL-3.0-or-later
"""Read-only checks of a machine. The result of one has a name, whether it is ok, what was found, and a fix."""

from __future__ import annotations

import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from . import dns as dns_query
from . import http_probe as page


def judge(check: Mapping[str, Any], reached: bool, found: str) -> Dict[str, Any]:
    """The result of a check: its object was reached, and what was found matches the expression, where one is given."""
    expected = check.get("expect")
    ok = reached and (not expected or re.search(expected, found, re.MULTILINE) is not None)
    lines = [line.strip() for line in found.strip().splitlines() if line.strip()]
    return {"name": check["name"], "ok": ok, "found": " · ".join(lines)[:300], "fix": check["fix"]}


def run(checks: Sequence[Mapping[str, Any]], timeout_s: float) -> List[Dict[str, Any]]:
    """The results of all checks, in their order. They run side by side."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda check: judge(check, *read(check, timeout_s)), checks))


def read(check: Mapping[str, Any], timeout_s: float) -> Tuple[bool, str]:
    """Ask a check's object: whether it was reached, and what it said."""
    if check.get("result") is not None:
        return comparison(check["result"])
    if check.get("command"):
        return command(check["command"], timeout_s)
    if check.get("url"):
        return page.read(check["url"], check.get("ca"), timeout_s)
    if check.get("dns"):
        return dns(check["dns"], check["server"], timeout_s)
    host, _, port = check["tcp"].rpartition(":")
    return tcp(host.strip("[]"), int(port), timeout_s)


def command(argv: Sequence[str], timeout_s: float) -> Tuple[bool, str]:
    """A program that ends with 0. Its output is what was found."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout_s)
    except FileNotFoundError:
        return False, f"{argv[0]} is not installed"
    except subprocess.TimeoutExpired:
        return False, f"{argv[0]} gave no answer in {timeout_s:g} s"
    return done.returncode == 0, done.stdout.strip() or done.stderr.strip() or f"exit status {done.returncode}"


def comparison(result: Mapping[str, Any]) -> Tuple[bool, str]:
    """Return whether a task in check mode found its desired state, and what differs or why it failed."""
    problems = result.get("changes") or ([result["msg"]] if result.get("msg") and "changes" not in result else [])
    return not problems, "\n".join(str(problem) for problem in problems) or "as desired"


def tcp(host: str, port: int, timeout_s: float) -> Tuple[bool, str]:
    """A port that accepts a connection."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True, f"{host} port {port} is open"
    except OSError as error:
        return False, f"{host} port {port}: {error}"


def dns(name: str, server: str, timeout_s: float) -> Tuple[bool, str]:
    """A name that a server knows the addresses of, or an address that it knows the name of: one a line."""
    try:
        code, found = dns_query.ask(server, name, timeout_s)
    except (OSError, ValueError) as error:
        return False, f"{server} port 53: {error}"
    return bool(found), "\n".join(found) or f"{server} says {code}"


def table(results: Sequence[Mapping[str, Any]]) -> List[str]:
    """The results as lines for people, and below each that failed what to do."""
    width = max((len(result["name"]) for result in results), default=0)
    lines = []
    for result in results:
        # A line on a terminal, unless something is wrong: then all of it.
        found = result["found"]
        if result["ok"]:
            lines.append(f"ok    {result['name']:<{width}}  {found[:40]}{'…' if found[40:] else ''}".rstrip())
        else:
            lines.append(f"FAIL  {result['name']:<{width}}  {found}".rstrip())
            lines.append(f"      next: {result['fix']}")
    return lines
