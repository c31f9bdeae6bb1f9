# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a spec: from a file to a checked `Site`, or to one report of all its mistakes."""

from __future__ import annotations

import json
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tars_provision.spec.document import Document, Location, Mistake, Problem, SpecError, read, shortened
from tars_provision.spec.model import PATTERNS, Site
from tars_provision.spec.rules import check, nearest

__all__ = ["Mistake", "SpecError", "load"]

MEANINGS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "tuple_type": "a list",
    "too_short": "at least one entry",
}
"""What was expected, by pydantic's error type, where its own message is not plain."""


def load(path: Path) -> Site:
    """Read, check and return the spec at `path`; raise :class:`SpecError` with all of its mistakes."""
    document = read(path)
    problems = list(document.problems)
    site = None
    try:
        # In its JSON form, because pydantic's strict mode accepts lists for tuples and text for addresses only there.
        site = Site.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        problems += explain_all(error.errors(), document)
    if isinstance(document.data, dict):
        problems += check(document.data)
    if site is None or problems:
        mistakes = [Mistake(path, line or document.line(at), dotted(at), *rest) for at, *rest, line in problems]
        raise SpecError(path, mistakes)
    return site


def explain_all(errors: list[ErrorDetails], document: Document) -> list[Problem]:
    """Return pydantic's errors as problems, without those that follow from a problem that is reported already."""
    # A list of which no entry is valid counts as too short as well.
    invalid = {details["loc"][:-1] for details in errors}
    errors = [details for details in errors if details["type"] != "too_short" or details["loc"] not in invalid]
    problems = [explain(details, document) for details in errors]
    return [problem for problem in problems if problem.location not in document.unreadable]


def explain(details: ErrorDetails, document: Document) -> Problem:
    """Return pydantic's error in words for the person who edits the file."""
    location = plain_location(details["loc"], document)
    kind = details["type"]
    if kind == "extra_forbidden":
        known = sorted(section_at(location[:-1], document.data).model_fields)
        return Problem(location, "an unknown key", f"one of {', '.join(known)}{nearest(location[-1], known)}")
    if kind == "missing":
        description = section_at(location[:-1], document.data).model_fields[str(location[-1])].description or "a value"
        return Problem(location, "nothing", f"this key: {description.strip().splitlines()[0]}")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = details.get("ctx", {}).get("tag", "nothing")
        return Problem((*location, "profile"), str(tag), "'xps8950' (the desktop) or 'ds1515plus' (the NAS)")
    pattern = details.get("ctx", {}).get("pattern")
    expected = PATTERNS.get(pattern or "") or MEANINGS.get(kind) or details["msg"].removeprefix("Input should be ")
    return Problem(location, _shown(details["input"]), expected)


def plain_location(location: tuple[int | str, ...], document: Document) -> Location:
    """Return the place in the file of pydantic's location, without the steps that name a kind of model or a key."""
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
        # Of a list (tuple[X, ...]) the elements, of a mapping (dict[str, X]) the values.
        inner = 0 if isinstance(step, int) else -1
        kind = kind.model_fields[step].annotation if _is_model(kind) else typing.get_args(kind)[inner]
        kind = _choose(kind, data)
    return typing.cast(type[BaseModel], kind)


def _choose(kind: Any, data: Any) -> Any:
    """Return the member of a union that the data's profile selects."""
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
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return shortened(value)
    return "nothing" if value is None else repr(value)


def dotted(location: Location) -> str:
    """Return a location as people write it: `network.dns[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
