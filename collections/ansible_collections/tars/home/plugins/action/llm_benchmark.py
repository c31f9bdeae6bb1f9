# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.tars.home.plugins.plugin_utils import benchmark


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no annotations
    """Call the module once for each answer, show it, and add the run to the history on the controller."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Measure, compare with the history, and fail for each objection."""
        self._supports_check_mode = True
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        loaded = self._call(step="load")
        if loaded.get("failed") or self._task.check_mode:
            return {**result, **loaded}
        self._show(f"loaded in {loaded['load_s']:.1f} s")
        given: dict[str, Any] = loaded["invocation"]["module_args"]
        answers = []
        for number in range(-given["warmups"], given["epochs"]):
            called = self._call(step="answer", number=number)
            if called.get("failed"):
                return {**result, **called}
            answer = called["answer"]
            name = f"epoch {number + 1} of {given['epochs']}" if number >= 0 else "warm-up"
            self._show(f"{name}: {answer['decode_tps']:.1f} tok/s, first token after {answer['ttft_s']:.2f} s")
            answers += [answer] if number >= 0 else []
        run = {
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "host": self._variables.get("inventory_hostname", ""),
            **{key: given[key] for key in ("model", "num_ctx", "prompt_tokens", "output_tokens", "seed", "warmups")},
            **{key: loaded[key] for key in ("identity", "load_s", "resident", "gpus")},
            "summary": benchmark.summary(answers),
            "answers": answers,
        }
        history = Path(given["history"]).expanduser()
        comparison = benchmark.compare(run, read(history))
        bandwidth = benchmark.bandwidth(given["memory_bandwidth_gb_s"], loaded["gpus"])
        if given["gpu"] and bandwidth is None:
            # The other checks apply; that this one does not is always reported.
            names = ", ".join(card["name"] for card in loaded["gpus"]) or "no card"
            self._display.warning(
                f"The memory bandwidth of {names} is unknown, so the speed is only compared with the lowest one "
                "that passes. Next: set memory_bandwidth_gb_s to the value of its data sheet."
            )
        objections = benchmark.objections(
            run, given["floor_tokens_per_s"], bandwidth, gpu=given["gpu"], container=given["container"]
        )
        add(history, {**run, "objections": objections})
        result |= {"changed": False, "run": run, "comparison": comparison, "objections": objections}
        if objections:
            result |= {"failed": True, "msg": "\n".join(objections)}
        return result

    def _call(self, **more: Any) -> dict[str, Any]:
        called: dict[str, Any] = self._execute_module(
            module_args={**self._task.args, **more}, task_vars=self._variables
        )
        return called

    def _show(self, line: str) -> None:
        self._display.display(f"    [{self._variables.get('inventory_hostname', '')}] {line}")


def read(history: Path) -> list[dict[str, Any]]:
    """Return earlier runs, oldest first."""
    if not history.exists():
        return []
    return [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines() if line.strip()]


def add(history: Path, run: dict[str, Any]) -> None:
    """Add a run as the last line."""
    history.parent.mkdir(parents=True, exist_ok=True)
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")
