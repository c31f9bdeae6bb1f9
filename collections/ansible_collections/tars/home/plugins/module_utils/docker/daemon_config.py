# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of Docker's daemon.json: desired keys merged into the present ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..resource.errors import ResourceError

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
"""Keys whose new value dockerd reads at SIGHUP (moby daemon/reload.go, the same in 26 and 29).

`features` is reloaded as well, but most features, CDI among them, are registered at the start only.
"""

LIMITED = ("json-file", "local")
"""Log drivers that keep files and take max-size and max-file."""

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


class DaemonConfigError(ResourceError):
    """daemon.json or dockerd does not allow the desired settings. The message names the file and the next step."""


def parse(text: str, path: str) -> dict[str, Any]:
    """Return the content of a file; an empty or absent one (empty text) is an empty object.

    Raises:
        DaemonConfigError: the text is not JSON (with the position of the mistake), or not an object.
    """
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DaemonConfigError(f"{path} is not valid JSON: {error}. Next: edit or move the file, run again.") from None
    if not isinstance(content, dict):
        raise DaemonConfigError(
            f"{path}: found {_kind(content)}, expected an object. Next: edit or move the file, run again."
        )
    return content


def render(content: Mapping[str, Any]) -> str:
    """Return the file's text."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def merge(current: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the current keys with the desired ones; other keys stay.

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


def limit_logs(driver: str, limits: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys that limit the logs of containers, none for a driver without files, such as journald."""
    return {"log-driver": driver, "log-opts": dict(limits)} if limits and driver in LIMITED else {}


def extend(current: Mapping[str, Any], lists: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return lists that begin with these items; further present ones stay behind them."""
    extended: dict[str, Any] = {}
    for key, items in lists.items():
        present = current.get(key)
        if items:
            extended[key] = [*items, *(item for item in present or () if item not in items)]
    return extended


def desired(
    path: str,
    current: Mapping[str, Any],
    settings: Mapping[str, Any],
    lists: Mapping[str, Sequence[Any]],
    log_limits: Mapping[str, str],
) -> dict[str, Any]:
    """Return the content with the log limits, the lists and, with precedence, the settings.

    Raises:
        DaemonConfigError: a present value that is to be merged or extended has another type.
    """
    problems = [*_not(list, path, current, lists), *_not(dict, path, current, settings)]
    driver = settings.get("log-driver") or current.get("log-driver") or "local"
    if not isinstance(driver, str):
        problems.append(_mismatch(path, "log-driver", driver, str))
    elif limits := limit_logs(driver, log_limits):
        problems += [problem for problem in _not(dict, path, current, limits) if problem not in problems]
    if problems:
        raise DaemonConfigError("\n".join(problems))
    content = merge(current, extend(current, lists))
    content = merge(content, limit_logs(driver, log_limits))
    return merge(content, settings)


def _not(kind: type, path: str, current: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return a sentence for each present value that is not of this type although the given one is, at any depth."""
    problems = []
    for key, value in given.items():
        present = current.get(key)
        if not isinstance(value, kind) or value == [] or present is None:
            continue
        if not isinstance(present, kind):
            problems.append(_mismatch(path, prefix + key, present, kind))
        elif isinstance(present, dict) and isinstance(value, dict):
            problems += _not(kind, path, present, value, f"{prefix}{key}.")
    return problems


def _mismatch(path: str, key: str, value: object, expected: type) -> str:
    return (
        f"{path}: {key}: found {_kind(value)}, expected {_KINDS[expected]}. Nothing was changed. "
        f"Next: edit {key} in {path}, or remove it, then run again."
    )


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null")


def activation(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return what a running dockerd has to do for the change: nothing (empty), `reload` or `restart`.

    A key that is removed keeps its value through a reload.
    """
    changed = {key for key in (*before, *after) if before.get(key) != after.get(key)}
    if not changed:
        return ""
    return "reload" if changed <= RELOADED & set(after) else "restart"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keys that differ, before and after. The other keys may hold secrets, such as a proxy's password."""
    keys = sorted({key for key in (*before, *after) if before.get(key) != after.get(key)})
    return {key: before[key] for key in keys if key in before}, {key: after[key] for key in keys if key in after}
