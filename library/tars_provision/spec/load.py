# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a spec: from text to a checked `Site`, or to one report of all its mistakes."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tars_provision.errors import Failure
from tars_provision.spec.model import PATTERNS, Site
from tars_provision.spec.rules import Finding, Location, check, nearest

MEANINGS = {
    "ip_v4_address": "an IPv4 address, such as 192.168.1.10",
    "ip_any_address": "an IP address, such as 192.168.1.1",
    "ip_v4_network": "a network as address and prefix length with no host bits set, such as 192.168.1.0/24",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "string_type": "text",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "tuple_type": "a list",
    "too_short": "at least one entry",
}
"""What was wanted, by pydantic's error type, where its own message does not say it plainly."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a spec. `line` counts from 1."""

    file: Path
    line: int
    field: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field or 'file'}: found {self.found}; wanted {self.wanted}"


class SpecError(Failure):
    """A spec with mistakes. Its text is the report: every mistake on a line of its own."""

    exit_code = 2

    def __init__(self, path: Path, mistakes: list[Mistake]) -> None:
        self.path = path
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.field))
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n  ".join([f"{path}: {count}", *map(str, self.mistakes)]))


@dataclass
class Document:
    """A YAML file as plain data, with the line of everything in it."""

    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, location: Location) -> int:
        """Return the line (from 1) of a location, or of the nearest thing around it."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location, 1)


def load(path: Path) -> Site:
    """Read, check and return the spec at `path`; raise :class:`SpecError` with all of its mistakes."""
    document = read(path)
    findings = document.findings
    site = None
    try:
        site = Site.model_validate(document.data)
    except ValidationError as error:
        findings += [explain(details, document) for details in error.errors()]
    if isinstance(document.data, dict):
        findings += check(document.data)
    if site is None or findings:
        mistakes = [Mistake(path, line or document.line(at), dotted(at), *rest) for at, *rest, line in findings]
        raise SpecError(path, mistakes)
    return site


def read(path: Path) -> Document:
    """Read a YAML file; raise :class:`SpecError` where it is missing or not YAML."""
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        wanted = "a spec; `tars-provision init` writes one to start from"
        raise SpecError(path, [Mistake(path, 1, "", "no such file", wanted)]) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        found = " ".join(part for part in (error.context, error.problem) if part)
        raise SpecError(path, [Mistake(path, line, "", found, "YAML")]) from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SpecError(path, [Mistake(path, 1, "", str(error), "a readable file of YAML in UTF-8")]) from error
    document = Document(lines={(): 1})
    try:
        document.data = None if root is None else _plain(yaml, root, (), document)
    except RecursionError as error:
        raise SpecError(path, [Mistake(path, 1, "", "an alias inside of what it names", "data that ends")]) from error
    return document


def _plain(yaml: YAML, node: Node, location: Location, document: Document) -> Any:
    """Return a node as plain data; note lines, and keys that occur twice, in `document`."""
    document.lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, ScalarNode):
        return _text(yaml.constructor.construct_object(node))
    if isinstance(node, SequenceNode):
        return [_plain(yaml, item, (*location, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, MappingNode)
    mapping: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = _text(str(key_node.value))
        line = key_node.start_mark.line + 1
        if key in mapping:
            first = document.lines[(*location, key)]
            document.findings.append(
                Finding((*location, key), "this key again", f"it once (line {first} has it)", line)
            )
        else:
            document.lines[(*location, key)] = line
            mapping[key] = _plain(yaml, value_node, (*location, key), document)
    return mapping


def _text(value: Any) -> Any:
    """Return text without surrogates: a pair of escapes, which is how JSON writes some characters, is one character."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


def explain(details: ErrorDetails, document: Document) -> Finding:
    """Return pydantic's error in the words of a person who edits the file."""
    location = plain_location(details["loc"], document)
    kind = details["type"]
    if kind == "extra_forbidden":
        known = sorted(section_at(location[:-1], document.data).model_fields)
        return Finding(location, "an unknown key", f"one of {', '.join(known)}{nearest(location[-1], known)}")
    if kind == "missing":
        description = section_at(location[:-1], document.data).model_fields[str(location[-1])].description or "a value"
        return Finding(location, "nothing", f"this key: {description.strip().splitlines()[0]}")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = details.get("ctx", {}).get("tag", "nothing")
        return Finding((*location, "profile"), str(tag), "'xps8950' (the desktop) or 'ds1515plus' (the NAS)")
    pattern = details.get("ctx", {}).get("pattern")
    wanted = PATTERNS.get(pattern or "") or MEANINGS.get(kind) or details["msg"].removeprefix("Input should be ")
    return Finding(location, _shown(details["input"]), wanted)


def plain_location(location: tuple[int | str, ...], document: Document) -> Location:
    """Return where in the file pydantic's location is, without the steps that name a kind of model or a key."""
    plain: Location = ()
    for index, step in enumerate(location):
        last = index == len(location) - 1
        if (*plain, step) in document.lines or (last and step != "[key]"):
            plain = (*plain, step)
    return plain


def section_at(location: Location, data: Any) -> type[BaseModel]:
    """Return the model that describes the mapping at a location of a spec's plain data."""
    kind: Any = Site
    for step in location:
        data = data[step]
        kind = kind.model_fields[step].annotation if _is_model(kind) else typing.get_args(kind)[-1]
        kind = _choose(kind, data)
    assert _is_model(kind), location
    return typing.cast(type[BaseModel], kind)


def _choose(kind: Any, data: Any) -> Any:
    """Return the alternative of a type that the data means."""
    while typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return kind
    choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
    profile = data.get("profile") if isinstance(data, dict) else None
    by_profile = (choice for choice in choices if _is_model(choice) and "profile" in choice.model_fields)
    fitting = (c for c in by_profile if profile in typing.get_args(c.model_fields["profile"].annotation))
    return next(fitting, choices[0])


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"a mapping ({', '.join(map(str, value)) or 'empty'})"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)


def dotted(location: Location) -> str:
    """Return a location as people write it: `network.dns[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
