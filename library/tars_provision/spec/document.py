# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a YAML file into plain data, with the line of every value and a problem for each value that is not plain."""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from tars_provision import next_step
from tars_provision.errors import ProvisionError

Location = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 20_000
"""Limits far beyond any real spec: aliases can multiply a short file into data that fills the memory."""

PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
}
PLAIN_VALUE = "text in quotes, a number, true or false"


class Problem(NamedTuple):
    """A value that is not accepted: its location, what was found there, and what was expected.

    `line` (from 1) is set where the location does not determine it.
    """

    location: Location
    found: str
    expected: str
    line: int = 0


@dataclass(frozen=True)
class Mistake:
    """One mistake in a spec. `line` counts from 1."""

    file: Path
    line: int
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field or 'file'}: found {self.found}; expected {self.expected}"


class SpecError(ProvisionError):
    """A spec with mistakes. Its text is the report: every mistake on a line of its own."""

    exit_code = 2

    def __init__(self, path: Path, mistakes: list[Mistake]) -> None:
        self.path = path
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.field))
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n  ".join([f"{path}: {count}", *map(str, self.mistakes)]))

    def as_data(self) -> dict[str, Any]:
        """Return the report and each mistake as plain data."""
        mistakes = [{**vars(mistake), "file": str(mistake.file)} for mistake in self.mistakes]
        return {**super().as_data(), "mistakes": mistakes}


@dataclass
class Document:
    """A YAML file as plain data. `unreadable` holds the locations whose value could not be read (`data` has None)."""

    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[Location] = field(default_factory=set)

    def line(self, location: Location) -> int:
        """Return the line (from 1) of a location, or of the nearest mapping or list around it."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location, 1)

    def reject(self, location: Location, actual: str, expected: str) -> None:
        """Note a value that is not plain data, which `data` then has as None."""
        self.unreadable.add(location)
        self.problems.append(Problem(location, actual, expected))


def read(path: Path) -> Document:
    """Read a YAML file; raise :class:`SpecError` if it is missing, not YAML, or larger than any spec."""
    yaml = YAML(typ="safe", pure=True)
    text = _read_text(path)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        actual = " ".join(part for part in (error.context, error.problem) if part).removeprefix("found ")
        raise _unusable(path, actual, "YAML", line) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _unusable(path, f"the control character U+{error.character:04X}", "printable text", line) from error
    except YAMLError as error:
        raise _unusable(path, " ".join(str(error).split()), "YAML") from error
    except RecursionError as error:
        raise _unusable(path, "too many levels of nesting", f"at most {MAX_DEPTH}") from error
    document = Document(lines={(): 1})
    if root is not None:
        document.data = _Reader(yaml, document, path).plain(root, ())
    return document


def _unusable(path: Path, actual: str, expected: str, line: int = 1) -> SpecError:
    return SpecError(path, [Mistake(path, line, "", actual, expected)])


def _read_text(path: Path) -> str:
    writes = f"{next_step.command('init', '-i', path.parent)} writes one to start from"
    expected = f"a spec; {writes}"
    try:
        if path.exists() and not path.is_file():
            raise _unusable(
                path, "a folder" if path.is_dir() else "no regular file", f"a spec; move it away, then {writes}"
            )
        if path.stat().st_size > MAX_BYTES:
            raise _unusable(path, f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _unusable(path, "no such file", expected) from error
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), "a file that can be read") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _unusable(path, f"the byte 0x{error.object[error.start]:02x}", "text in UTF-8", line) from error


class _Reader:
    """Converts YAML nodes to plain data, and notes lines and problems in a document."""

    def __init__(self, yaml: YAML, document: Document, path: Path) -> None:
        self._yaml = yaml
        self._document = document
        self._path = path
        self._values = 0

    def plain(self, node: Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self._values += 1
        if len(location) > MAX_DEPTH:
            raise _unusable(
                self._path, "an alias inside itself, or too deep nesting", f"at most {MAX_DEPTH} levels", line
            )
        if self._values > MAX_VALUES:
            raise _unusable(self._path, f"more than {MAX_VALUES} values after aliases are expanded", "fewer", line)
        self._document.lines.setdefault(location, line)
        tag = str(node.tag)
        if tag not in PLAIN_TAGS:
            self._document.reject(
                location, f"the tag {tag.replace('tag:yaml.org,2002:', '!!')}", "a value without a tag"
            )
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, location)
        if isinstance(node, SequenceNode):
            return [self.plain(item, (*location, index)) for index, item in enumerate(node.value)]
        return self._mapping(typing.cast(MappingNode, node), location)

    def _mapping(self, node: MappingNode, location: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._document.problems.append(Problem(location, "a list or mapping as a key", "text as a key", line))
                continue
            key = _without_surrogates(str(key_node.value))
            place = (*location, key)
            if key in mapping:
                expected = f"it once (line {self._document.lines[place]} has it)"
                self._document.problems.append(Problem(place, "this key again", expected, line))
                continue
            self._document.lines[place] = line
            mapping[key] = self.plain(value_node, place)
        return mapping

    def _scalar(self, node: ScalarNode, location: Location) -> str | int | float | bool | None:
        actual, expected = shortened(node.value), PLAIN_VALUE
        try:
            value = self._yaml.constructor.construct_object(node)
        except (YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError):
            # ruamel.yaml does not wrap what int(), float(), datetime() and its own tables raise.
            self._document.reject(location, actual, expected)
            return None
        if isinstance(value, str):
            return _without_surrogates(value)
        if isinstance(value, int) and value.bit_length() > 63:
            expected = "a number below 2^63"
        elif isinstance(value, float) and not math.isfinite(value):
            expected = "a finite number"
        elif value is None or isinstance(value, bool | int | float):
            return value
        else:
            actual += ", which YAML reads as a date"
        self._document.reject(location, actual, expected)
        return None


def shortened(text: str) -> str:
    """Return a text in quotes, with at most 60 of its characters."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _without_surrogates(text: str) -> str:
    """Return text in which a pair of surrogates, which JSON's escapes may produce, is one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
