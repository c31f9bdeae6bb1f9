# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's daemon.json: a desired set of keys merged into what is there, and how the running daemon takes it up."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

PATH = "/etc/docker/daemon.json"

RELOADED = frozenset(
    (
        "debug",
        "default-runtime",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    )
)
"""Keys whose new value dockerd takes up at SIGHUP (moby daemon/reload.go, the same in 26 and 29).

`features` is reloaded as well, but what most of them switch on, CDI among them, is registered at the start alone.
"""

UNIT = "docker.service"

ACTIVATIONS = ("", "reload", "restart", "start")
"""What dockerd has to do, in rising order. One that does not run reads everything at its start."""

LIMITED = ("json-file", "local")
"""Log drivers that keep files and take max-size and max-file."""


class DaemonConfigError(Exception):
    """The present file or the present daemon stands in the way. The message names it and the next step."""


@dataclass(frozen=True)
class Service:
    """docker.service as systemd and the kernel have it. `command` is dockerd with its flags, empty without a unit.

    `loaded` and `unit_file` are systemd's LoadState and UnitFileState.
    """

    active: bool
    command: Tuple[str, ...]
    loaded: str = "not-found"
    unit_file: str = ""

    @property
    def enabled(self) -> bool:
        return self.unit_file == "enabled"

    @property
    def flags(self) -> Tuple[str, ...]:
        """The flags, but for the one that names the configuration file."""
        kept: List[str] = []
        words = iter(self.command[1:])
        for word in words:
            if word == "--config-file":
                next(words, None)
            elif not word.startswith("--config-file="):
                kept.append(word)
        return tuple(kept)

    @property
    def path(self) -> str:
        """The configuration file it reads."""
        words = list(self.command)
        for number, word in enumerate(words):
            if word.startswith("--config-file="):
                return word.partition("=")[2]
            if word == "--config-file" and number + 1 < len(words):
                return words[number + 1]
        return PATH


def parse_service(show: str, cmdline: bytes) -> Service:
    """`systemctl show` of docker.service, and /proc/PID/cmdline of its process, empty where none runs.

    The process tells its flags with all variables filled in. A unit that does not run has its words without those.
    """
    values: Dict[str, str] = dict(line.split("=", 1) for line in show.splitlines() if "=" in line)
    if cmdline:
        command = tuple(word.decode("utf-8", "replace") for word in cmdline.rstrip(b"\0").split(b"\0"))
    else:
        argv = values.get("ExecStart", "").partition("argv[]=")[2].partition(" ; ")[0]
        command = tuple(word for word in argv.split() if not word.startswith("$"))
    active = values.get("ActiveState") in ("active", "reloading")
    return Service(active, command, values.get("LoadState", "not-found"), values.get("UnitFileState", ""))


@dataclass(frozen=True)
class Plan:
    """What docker.service needs: to be started at boot from now on, and one of ACTIVATIONS."""

    enable: bool = False
    activation: str = ""

    def __bool__(self) -> bool:
        return self != Plan()


def plan(service: Service, enabled: bool, started: bool, needed: str) -> Plan:
    """What brings the service to what is wanted. `needed` is what a daemon that runs has to do for its file."""
    activation = needed if service.active else "start" if started else ""
    return Plan(enabled and not service.enabled, activation)


def states(service: Service, plan: Plan) -> Tuple[str, str]:
    """The unit in words, before and after a plan."""
    text = "enabled: {}\nrunning: {}\n"
    after = (service.enabled or plan.enable, service.active or plan.activation == "start")
    return text.format(service.enabled, service.active), text.format(*after)


def refuse_rest(service: Service, enabled: bool, started: bool) -> None:
    """Refuse a service for which a plan would have something left to do."""
    if plan(service, enabled, started, ""):
        raise DaemonConfigError(
            f"{UNIT} is wanted {' and '.join(['enabled'] * enabled + ['running'] * started)}. After the change it is "
            f"{service.unit_file or 'not enabled'} and {'runs' if service.active else 'does not run'}. Next: systemctl "
            f"status {UNIT}; journalctl --unit={UNIT} --lines=50"
        )


def refuse_silence(said: str) -> None:
    """Refuse a daemon that does not answer: `said` is what docker met instead, empty where it answers."""
    if said:
        raise DaemonConfigError(
            f"{UNIT} runs, and dockerd is wanted to answer docker version, which says: {said}\nNext: systemctl status "
            f"{UNIT}; journalctl --unit={UNIT} --lines=50"
        )


def refuse_unit(service: Service) -> None:
    """Refuse a docker.service that cannot be enabled or started."""
    if service.loaded == "masked":
        raise DaemonConfigError(
            f"{UNIT} is wanted enabled and running, and is masked. Next: systemctl unmask {UNIT}, unless somebody had "
            "a reason to mask it, then run again."
        )
    if service.loaded == "not-found":
        raise DaemonConfigError(
            f"{UNIT} is wanted enabled and running, and systemd knows no such unit. Next: install docker.io or "
            "docker-ce, then run again."
        )


def parse(text: str, path: str) -> Dict[str, Any]:
    """The file's content. An empty or absent file (empty text) is an empty object.

    Raises:
        DaemonConfigError: with the place of the mistake.
    """
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DaemonConfigError(f"{path} is not JSON: {error}. Correct it, or move it away, then run again.") from None
    if not isinstance(content, dict):
        raise DaemonConfigError(
            f"{path} holds a JSON {type(content).__name__}, an object is needed. Move it away, then run again."
        )
    return content


def merge(current: Mapping[str, Any], desired: Mapping[str, Any]) -> Dict[str, Any]:
    """Desired keys over current ones; foreign keys stay.

    Objects are merged, other values replaced, a null removes its key.
    """
    merged = dict(current)
    for key, value in desired.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(present if isinstance(present, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def limit_logs(driver: str, limits: Mapping[str, str]) -> Dict[str, Any]:
    """What limits the logs of containers where their driver keeps files. Another one, as journald, has its own ways."""
    return {"log-driver": driver, "log-opts": dict(limits)} if limits and driver in LIMITED else {}


def extend(current: Mapping[str, Any], lists: Mapping[str, List[Any]]) -> Dict[str, Any]:
    """Lists that begin with these items; further ones stay behind them."""
    extended: Dict[str, Any] = {}
    for key, items in lists.items():
        present = current.get(key)
        if items:
            extended[key] = [*items, *(item for item in present or () if item not in items)]
    return extended


def wanted(
    current: Mapping[str, Any],
    settings: Mapping[str, Any],
    lists: Mapping[str, List[Any]],
    log_limits: Mapping[str, str],
) -> Dict[str, Any]:
    """The file's content with everything that is asked for. Settings have the last word."""
    content = merge(current, extend(current, lists))
    driver = settings.get("log-driver") or current.get("log-driver") or "local"
    content = merge(content, limit_logs(driver, log_limits))
    return merge(content, settings)


def activation(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What dockerd needs to take up the change: nothing (empty), `reload` or `restart`.

    A key that is gone keeps its value through a reload.
    """
    changed = {key for key in (*before, *after) if before.get(key) != after.get(key)}
    if not changed:
        return ""
    return "reload" if changed <= RELOADED & set(after) else "restart"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """The keys that differ, before and after. The others may hold what is not to be shown, as a proxy's password."""
    keys = sorted({key for key in (*before, *after) if before.get(key) != after.get(key)})
    return {key: before[key] for key in keys if key in before}, {key: after[key] for key in keys if key in after}


def refuse_swarm(after: Mapping[str, Any], swarm: str) -> None:
    """Refuse what keeps dockerd from starting: live-restore on a node of a swarm (moby Config.IsSwarmCompatible).

    `swarm` is the state of the node, `inactive` where it is none.
    """
    if after.get("live-restore") and swarm not in ("", "inactive"):
        raise DaemonConfigError(
            f"This machine is a node of a Docker swarm ({swarm}), and dockerd does not start with live-restore in one. "
            "Next: docker swarm leave --force, which ends the swarm's services here, then run again."
        )


def read(path: str) -> Dict[str, Any]:
    """The content of the file at a path; see `parse`."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return parse(file.read(), path)


def render(content: Mapping[str, Any]) -> str:
    """The file's text."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
