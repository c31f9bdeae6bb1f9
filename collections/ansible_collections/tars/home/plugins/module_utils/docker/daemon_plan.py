# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker.service and its configuration file need: the changes from their state to the desired one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.change import Change
from .daemon_config import LIMITED, DaemonConfigError, activation, desired, differences, render
from .service import CONFIG_FILE, UNIT, Service

ACTIVATIONS = ("", "reload", "restart", "start")
"""What dockerd has to do, in rising order. One that does not run reads its whole configuration at its start."""

LOGS = f"systemctl status {UNIT}; journalctl --unit={UNIT} --lines=50"


@dataclass(frozen=True)
class Goal:
    """The desired state: keys of daemon.json (see the module's options), and whether the unit is enabled and runs."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    lists: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    log_limits: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = False
    started: bool = False
    installed: bool = True
    """False: check mode before the package with the unit is installed."""

    def content(self, path: str, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the desired content of the file at `path`; raises DaemonConfigError as `daemon_config.desired`."""
        return desired(path, current, self.settings, self.lists, self.log_limits)


@dataclass(frozen=True)
class State:
    """The state of dockerd and its file.

    Attributes:
        pending: the activation that an interrupted run has left over.
        refusal: why `dockerd --validate` refuses the present file, empty if it accepts it.
        refusal_merged: the same for the file with the desired content.
        no_answer: why `docker version` got no answer from a running daemon, empty if it did.
        swarm: state of the node in a Docker swarm, empty or `inactive` if it is not part of one.
    """

    service: Service
    path: str = CONFIG_FILE
    content: Mapping[str, Any] = field(default_factory=dict)
    pending: str = ""
    refusal: str = ""
    refusal_merged: str = ""
    no_answer: str = ""
    swarm: str = ""


def plan(state: State, goal: Goal) -> list[Change]:
    """Return the changes in their order.

    A change is `enable` or `set` (`subject` is the unit, or the file with its keys), or one of ACTIVATIONS.

    Raises:
        DaemonConfigError: the unit cannot run, dockerd refuses the file, or it does not answer.
    """
    service = state.service
    if (goal.enabled or goal.started) and goal.installed:
        _require_unit(service)
    content = goal.content(state.path, state.content)
    needed = max(activation(state.content, content), state.pending, key=ACTIVATIONS.index)
    _require_valid(state, content)
    changes = [Change("enable", UNIT)] if goal.enabled and not service.enabled else []
    if content != state.content:
        before, after = differences(state.content, content)
        changes.append(Change("set", f"{', '.join(sorted({*before, *after}))} in {state.path}"))
    if service.active and needed:
        changes.append(Change(needed, UNIT))
    elif goal.started and not service.active:
        changes.append(Change("start", UNIT))
    elif goal.started and state.no_answer:
        raise DaemonConfigError(f"{UNIT} runs, but does not answer docker version: {state.no_answer}\nNext: {LOGS}")
    return changes


def predict(state: State, changes: Sequence[Change], goal: Goal) -> State:
    """Return the state after the changes."""
    kinds = {change.kind for change in changes}
    service = state.service
    if "enable" in kinds:
        service = replace(service, unit_file="enabled")
    if "start" in kinds:
        service = replace(service, active=True)
    pending = "" if kinds & set(ACTIVATIONS) else state.pending
    return replace(state, service=service, content=goal.content(state.path, state.content), pending=pending, refusal="")


def _require_unit(service: Service) -> None:
    if service.loaded == "masked":
        raise DaemonConfigError(
            f"{UNIT}: found a masked unit, expected one that is enabled and runs. Next: systemctl unmask {UNIT}, "
            "unless it was masked for a reason, then run again."
        )
    if service.loaded == "not-found":
        raise DaemonConfigError(
            f"{UNIT}: systemd has no such unit, expected one that is enabled and runs. Next: install docker.io or "
            "docker-ce, then run again."
        )


def _require_valid(state: State, content: Mapping[str, Any]) -> None:
    """Refuse a file with which dockerd would not start, also one that is only restored after a failed restart."""
    if content.get("live-restore") and state.swarm not in ("", "inactive"):
        raise DaemonConfigError(
            f"This machine is a node of a Docker swarm ({state.swarm}), in which dockerd does not start with "
            "live-restore. Next: docker swarm leave --force, which ends the swarm's services here, then run again."
        )
    refusal = state.refusal_merged or (state.refusal if state.service.active else "")
    if refusal:
        where = (
            state.path if content == state.content or not state.refusal_merged else f"{state.path} with the settings"
        )
        raise DaemonConfigError(
            f"dockerd refuses {where}, and would not start with it: {refusal}\nThe file is unchanged. Next: correct "
            f"the key named in {state.path}, in the settings of this task, or the flag in the unit (systemctl cat "
            f"{UNIT}; /etc/default/docker), then run again."
        )


def show(state: State) -> dict[str, Any]:
    """Return the state as return values."""
    return {"path": state.path, "enabled": state.service.enabled, "running": state.service.active}


def diff(before: State, after: State) -> list[dict[str, str]]:
    """Return what diff mode shows of the file and of the unit; of the file only the keys that differ."""
    old, new = differences(before.content, after.content)
    pairs = [(before.path, render(old), render(new)), (UNIT, _text(before.service), _text(after.service))]
    return [{"before_header": name, "after_header": name, "before": b, "after": a} for name, b, a in pairs if b != a]


def _text(service: Service) -> str:
    return f"enabled: {service.enabled}\nrunning: {service.active}\n"


def warnings(state: State, goal: Goal) -> list[str]:
    """Return that the log driver takes no limits, if some are desired."""
    driver = state.content.get("log-driver")
    if not goal.log_limits or driver in LIMITED:
        return []
    return [f"{state.path} sets the log driver {driver}, which takes no limits for the size of logs."]
