# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's configuration, which the role `backup` writes to /opt/tars/backup.json."""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .errors import BackupError, UsageError

SCHEMA = 1
DEFAULT_PATH = Path("/opt/tars/backup.json")

RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
"""The names of the retention rules."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
HOOK_KINDS = ("mail", "ntfy", "webhook")

MINIMUM_GOOD = 3
"""Good backups that always stay."""


@dataclass(frozen=True)
class Mount:
    """The mount that the repository must be on."""

    path: Path
    types: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Hook:
    """A way to send alarms to a person, with the options of its kind; its secret is in a file of its own."""

    kind: str
    url: str = ""
    to: tuple[str, ...] = ()
    sender: str = ""
    server: str = ""
    port: int = 587
    encryption: str = "starttls"
    user: str = ""


@dataclass(frozen=True)
class Alarms:
    """When the state of the backups needs attention."""

    silence_h: int = 3
    """Hours without a good backup."""
    drill_days: int = 45
    """Days since the last drill."""
    sheet_days: int = 180
    """Days after which a person is reminded to try the recovery sheet."""
    free_percent: int = 10
    """Free part of the share below which it counts as nearly full."""
    hooks: tuple[Hook, ...] = ()
    """Who is sent the problems; at most one of each kind."""


@dataclass(frozen=True)
class Question:
    """A question that a drill asks, and the path of a document among its sources, with or without its share."""

    question: str
    path: str


@dataclass(frozen=True)
class Server:
    """A rest-server in append-only mode: URL of the repository, account, and files with its password and its CA."""

    url: str
    account: str
    password_file: Path
    ca_file: Path | None


@dataclass(frozen=True)
class Copy:
    """A second repository of the backups: on a disk, given by the UUID of its file system, a mount, or a server."""

    repository_id: str | None
    retention: Mapping[str, int]
    disk: str | None
    mount: Mount | None
    repository: Path | None
    """Folder on the mount; that of a disk is at its top."""
    server: Server | None


@dataclass(frozen=True)
class Configuration:
    """Places, key and rules of the backups; folders and files are absolute."""

    contract: Path
    restic: Path
    key_file: Path
    repository: Path
    repository_id: str | None
    mount: Mount
    staging: Path
    state: Path
    site: Path
    work: Path
    host: str
    zone: str
    retention: Mapping[str, int]
    configuration: tuple[Path, ...]
    models: str
    free_mib: int
    alarms: Alarms = Alarms()
    questions: tuple[Question, ...] = ()
    copies: Mapping[str, Copy] = field(default_factory=dict)
    name: str = ""
    """Name of the copy that this configuration describes; empty for the first repository."""
    server: Server | None = None
    """Where the repository is if not in a folder. `repository` is then a local path that does not exist."""

    def of_copy(self, name: str) -> Configuration:
        """Return the configuration of a copy, which all commands use as that of the first repository.

        A disk has no mount yet; mounting it sets `mount` (see media.py).

        Raises:
            UsageError: there is no such copy.
        """
        copy = self.copies.get(name)
        if copy is None:
            raise UsageError(
                "copy",
                found=repr(name),
                expected=f"a copy of this desktop: {', '.join(self.copies) or 'it has none'}",
                next_step="Add it to backup.copies in the spec, and run the site playbook",
            )
        state = self.state / "copies" / name
        mount = copy.mount or Mount(self.state.parent / "disks" / name, (), "")
        return replace(
            self,
            repository=copy.repository or (state if copy.server else mount.path) / "repository",
            repository_id=copy.repository_id,
            mount=mount,
            state=state,
            retention=copy.retention,
            copies={},
            name=name,
            server=copy.server,
        )

    @property
    def good(self) -> Path:
        """Return the folder of the marks of good backups, beside the repository."""
        return self.repository.parent / "good"

    @property
    def cache(self) -> Path:
        """Return the folder of restic's cache."""
        return self.work.parent / "cache"

    @property
    def origin(self) -> Path:
        """Return the folder beside a copy with the files `config` and `keys` of the first repository."""
        return self.repository.parent / "origin"

    @property
    def alarm_secrets(self) -> Path:
        """Return the file with the secrets of the hooks by their kind, beside the key."""
        return self.key_file.parent / "backup_alarms.json"

    @property
    def status(self) -> Path:
        """Return the folder that the application can read: the state of the backups, without secrets.

        It is not below the folder of the backups, which only root can enter.
        """
        data = self.state.parent
        return data.with_name(f"{data.name}-status")

    @property
    def drill(self) -> Path:
        """Return the folder of the data of a drill, which exists while one runs."""
        return self.state.parent / "drill"

    @property
    def reports(self) -> Path:
        """Return the folder of the reports of drills, beside the repository."""
        return self.repository.parent / "drills"


class _Reader:
    """Take typed values out of a JSON object, and collect what is wrong with them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = dict(document)
        self.problems: list[str] = []

    def problem(self, key: str, value: object, expected: str) -> None:
        self.problems.append(f"{key}: found {json.dumps(value, default=str)}; expected {expected}")

    def take(self, key: str, kind: type | tuple[type, ...], expected: str, default: Any) -> Any:
        if key not in self.document:
            self.problems.append(f"{key}: not present; expected {expected}")
            return default
        value = self.document.pop(key)
        if isinstance(value, kind) and not (isinstance(value, bool) and kind is int):
            return value
        self.problem(key, value, expected)
        return default

    def path(self, key: str) -> Path:
        value = self.take(key, str, "an absolute path", "/")
        if not value.startswith("/"):
            self.problem(key, value, "an absolute path")
        return Path(value)


def load(path: Path = DEFAULT_PATH) -> Configuration:
    """Return the configuration of a file.

    Raises:
        BackupError: the file cannot be read or is not valid; the message names everything that is wrong.
    """
    next_step = "Run the site playbook, whose role tars.home.backup writes this file"
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BackupError(path, found=error, expected="a readable JSON file", next_step=next_step) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        schema = document.get("schema") if isinstance(document, dict) else document
        raise BackupError(path, found=f"schema {schema!r}", expected=f"schema {SCHEMA}", next_step=next_step)
    optional: dict[str, Any] = {"questions": [], "copies": {}, "copy_ids": {}}
    reader = _Reader({**optional, **{key: value for key, value in document.items() if key != "schema"}})
    configuration = Configuration(
        contract=reader.path("contract"),
        restic=reader.path("restic"),
        key_file=reader.path("key_file"),
        repository=reader.path("repository"),
        repository_id=reader.take("repository_id", (str, type(None)), "the id of a repository or null", None),
        mount=_mount(reader),
        staging=reader.path("staging"),
        state=reader.path("state"),
        site=reader.path("site"),
        work=reader.path("work"),
        host=reader.take("host", str, "a name", ""),
        zone=_zone(reader),
        retention=_retention(reader),
        configuration=tuple(Path(str(entry)) for entry in reader.take("configuration", list, "a list of paths", [])),
        models=_choice(reader, "models", ("digests", "bytes")),
        free_mib=reader.take("free_mib", int, "a number of MiB", 0),
        alarms=_alarms(reader),
        questions=_questions(reader),
    )
    configuration = replace(configuration, copies=_copies(reader, configuration.mount.types, configuration.key_file))
    if configuration.mount.path not in configuration.repository.parents:
        reader.problem("repository", str(configuration.repository), "a folder below mount.path")
    reader.problems += [f"{key}: unknown key" for key in reader.document]
    if reader.problems:
        raise BackupError(path, found="; ".join(reader.problems), expected="valid values", next_step=next_step)
    return configuration


def _mount(reader: _Reader, types: tuple[str, ...] = ()) -> Mount:
    outer = reader.take("mount", dict, "an object with path, types and source", {})
    inner = _Reader({"types": list(types), **outer} if types else outer)
    mount = Mount(
        path=inner.path("path"),
        types=tuple(str(entry) for entry in inner.take("types", list, "a list of file system types", [])),
        source=inner.take("source", str, "the device, as findmnt shows it", ""),
    )
    reader.problems += [f"mount.{problem}" for problem in inner.problems]
    return mount


def _alarms(reader: _Reader) -> Alarms:
    """Return the limits of the optional key `alarms`; those that it does not name have their defaults."""
    if "alarms" not in reader.document:
        return Alarms()
    inner = _Reader(reader.take("alarms", dict, "an object of limits", {}))
    limits = {}
    for name in ("silence_h", "drill_days", "sheet_days", "free_percent"):
        if name in inner.document:
            value = inner.take(name, int, "a whole number", 1)
            if value < 0 or (name == "silence_h" and value < 1):
                inner.problem(name, value, "at least 1" if name == "silence_h" else "at least 0")
            limits[name] = value
    hooks = _hooks(inner)
    inner.problems += [f"{key}: unknown key" for key in inner.document]
    reader.problems += [f"alarms.{problem}" for problem in inner.problems]
    return Alarms(**limits, hooks=hooks)


def _hooks(reader: _Reader) -> tuple[Hook, ...]:
    """Return the hooks; each kind once."""
    expected = f"a list of objects with kind ({', '.join(HOOK_KINDS)}) and its options"
    entries = reader.take("hooks", list, expected, []) if "hooks" in reader.document else []
    try:
        hooks = tuple(Hook(**{**entry, "to": tuple(entry.get("to", ()))}) for entry in entries)
    except (TypeError, AttributeError):
        reader.problem("hooks", entries, expected)
        return ()
    kinds = [hook.kind for hook in hooks]
    if len(set(kinds)) < len(kinds) or not set(kinds) <= set(HOOK_KINDS):
        reader.problem("hooks", kinds, f"{', '.join(HOOK_KINDS)}, each at most once")
    return hooks


def _questions(reader: _Reader) -> tuple[Question, ...]:
    expected = "a list of objects with question and path"
    entries = reader.take("questions", list, expected, [])
    try:
        return tuple(Question(**{name: str(value) for name, value in entry.items()}) for entry in entries)
    except (TypeError, AttributeError):
        reader.problem("questions", entries, expected)
        return ()


def _copies(reader: _Reader, types: tuple[str, ...], key_file: Path) -> dict[str, Copy]:
    """Return the copies; mounts have the first one's `types` unless they name others."""
    copies = {}
    ids = reader.take("copy_ids", dict, "an object of names of copies and ids of repositories", {})
    for name, value in reader.take("copies", dict, "an object of names and copies", {}).items():
        if not _NAME.match(name) or not isinstance(value, dict):
            reader.problem("copies", name, "names of lower-case letters, digits, - and _, each with an object")
            continue
        inner = _Reader(value)
        kinds = [key for key in ("disk", "mount", "server") if key in value]
        if len(kinds) != 1:
            inner.problems.append(
                f"place: found {' and '.join(kinds) or 'no place'}; expected one of disk, mount, server"
            )
        mount = _mount(inner, types) if "mount" in value else None
        repository = inner.path("repository") if mount else None
        if mount and repository and mount.path not in repository.parents:
            inner.problem("repository", str(repository), "a folder below mount.path")
        copies[name] = Copy(
            repository_id=ids.get(name),
            retention=_retention(inner),
            disk=inner.take("disk", str, "the UUID of a file system", "") if "disk" in value else None,
            mount=mount,
            repository=repository,
            server=_server(inner, key_file.with_name(f"backup_copy_{name}")) if "server" in value else None,
        )
        inner.problems += [f"{key}: unknown key" for key in inner.document]
        reader.problems += [f"copies.{name}.{problem}" for problem in inner.problems]
    return copies


def _server(reader: _Reader, secret: Path) -> Server:
    """Return the server of a copy, whose password is in the file `secret`, and its CA in a file beside that."""
    inner = _Reader(reader.take("server", dict, "an object with url, account and authority", {}))
    url = inner.take("url", str, "https://SERVER:PORT/PATH/", "")
    if not url.startswith(("http://", "https://")):
        inner.problem("url", url, "https://SERVER:PORT/PATH/")
    account = inner.take("account", str, "a name", "")
    authority = inner.take("authority", bool, "whether it has a CA of its own", False)
    reader.problems += [f"server.{problem}" for problem in inner.problems]
    return Server(url, account, secret, secret.with_name(f"{secret.name}.pem") if authority else None)


def _zone(reader: _Reader) -> str:
    name: str = reader.take("zone", str, "a time zone such as Europe/Amsterdam", "UTC")
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        reader.problem("zone", name, "a time zone of this computer, such as Europe/Amsterdam")
    return name


def _retention(reader: _Reader) -> dict[str, int]:
    rules: dict[str, int] = {}
    for name, count in reader.take("retention", dict, "an object of rules and numbers", {}).items():
        if name not in RULES:
            reader.problem("retention", name, f"the rules {', '.join(RULES)}")
        elif type(count) is not int or count < 0:
            reader.problem(f"retention.{name}", count, "a number of backups, at least 0")
        else:
            rules[name] = count
    if rules.get("last", 0) < MINIMUM_GOOD:
        reader.problem("retention.last", rules.get("last", 0), f"at least {MINIMUM_GOOD}")
    return rules


def _choice(reader: _Reader, key: str, values: tuple[str, ...]) -> str:
    value: str = reader.take(key, str, " or ".join(values), values[0])
    if value not in values:
        reader.problem(key, value, " or ".join(values))
    return value
