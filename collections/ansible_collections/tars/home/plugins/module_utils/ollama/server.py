# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of an Ollama server on this machine, as a resource."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from ..resource.change import Change
from ..resource.converge import Pending, Probe, Resource
from ..system import jobs
from ..system.process import PROGRAMS, attempt
from . import api, benchmark
from .models import Goal, State, diff, plan, predict, show

PULL_S = 2 * jobs.SLICE_S
"""Seconds that one call of the module follows a pull."""

_SEPARATOR = "\x1e"
# The server answers on the address of its container, which need not publish a port.
_PROBE = r"""
url=$1 container=$2 port=$3; shift 3
[ -n "$url" ] || url="http://$(docker inspect "--format=$1" "$container" | cut -d ' ' -f 1):$port" || exit 1
python3 -c '
import sys, urllib.request as r
opener = r.build_opener(r.ProxyHandler({}))
for path in sys.argv[2:]:
    sys.stdout.write(opener.open(sys.argv[1] + path, timeout=30).read().decode() + chr(30))
' "$url" /api/tags /api/ps
"""


class Server:
    """An Ollama server, by the options in `api.SERVER`, with the desired models."""

    def __init__(
        self, params: Mapping[str, Any], goal: Goal, check_mode: bool = False, run: jobs.Run = attempt
    ) -> None:
        """`run` runs a command."""
        self.params, self.goal, self.check_mode, self.run = params, goal, check_mode, run

    @property
    def url(self) -> str:
        """Return the server's address.

        Raises:
            OllamaError: its container does not run.
        """
        url = api.address(self.run, shutil.which("docker", path=PROGRAMS), self.params)
        if not url:
            name = self.params["container"]
            raise api.OllamaError(f"Container {name} does not run. Next: docker logs {name}")
        return url

    def read(self) -> State:
        """Return the state. In check mode, the server may not have been started yet."""
        try:
            url = self.url
        except api.OllamaError:
            if self.check_mode:
                return State(reachable=False)
            raise
        loaded = api.loaded(url) if self.goal.unload else []
        return State(api.held(api.tags(url)), loaded)

    def write(self, changes: Sequence[Change]) -> Pending | None:
        """Delete, unload, and pull one model for a while; return Pending while pulls are left.

        Raises:
            OllamaError: the server cannot be reached, or refuses.
        """
        url = self.url
        pulls = [change.subject for change in changes if change.kind == "pull"]
        for change in changes:
            if change.kind == "delete":
                api.delete(url, change.subject)
            elif change.kind == "unload":
                benchmark.unload(url, change.subject)
        if not pulls:
            return None
        try:
            line = api.pull(url, pulls[0], PULL_S)
        except api.OllamaError as error:
            raise api.OllamaError(
                f"{error}. Next: check the name in Ollama's library and the machine's internet access, then run again."
            ) from error
        if line is None and len(pulls) == 1:
            return None
        return Pending({"pending": [line or f"pulled {pulls[0]}"]})

    def resource(self) -> Resource[State, Change]:
        """Return the models as a resource."""
        where = [self.params["url"] or "", self.params["container"] or "", str(self.params["port"])]
        return Resource(
            read=self.read,
            plan=lambda state: plan(state, self.goal),
            predict=predict,
            write=self.write,
            show=lambda state: show(state, self.goal),
            diff=diff,
            refused="The server reported success, but its models differ.",
            advice="Next: read its log",
            probe=Probe(["sh", "-c", _PROBE, "sh", *where, api.ADDRESSES], self.parse_probe),
        )

    def parse_probe(self, status: int, output: str) -> State | None:
        """Return the state from the output of the probe; None if the server does not answer."""
        answers = output.split(_SEPARATOR)
        if status != 0 or len(answers) != 3:
            return None
        rows = json.loads(answers[1]).get("models") or []
        return State(api.held(json.loads(answers[0])), [api.full_name(row.get("model") or row["name"]) for row in rows])
