# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate the spec's JSON Schema for editors and its reference page from the models."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tars_provision.spec.model import PATTERNS, Site

HEAD = """\
# The spec: `tars.yml`

One file describes the desired state of a site. `./tars spec check` lists every mistake in it with line and field;
[tars.schema.json](tars.schema.json) gives editors completion and checks. This page is generated from the models in
`library/tars_provision/spec/model` by `./tars spec reference`.

Types are strict: text that looks like a number or a date needs quotes, and a list or a mapping is never taken for a
text. These rules also apply:

- There is one desktop and one NAS. Every address is inside `network.cidr` and belongs to one machine.
- Shares are opened to known machines. Mounts do not overlap, and hide no folder of the system (`/etc`, `/usr`, `/var`,
  `/root`, ...) and no folder with content of many owners (`/srv`, `/home`, ...).
- `domain` does not end with `.local`. The firewall's sources are known.
- An answer is shorter than its context. The backups have a separate share and a separate account.
"""


def schema() -> str:
    """Return the JSON Schema of a spec (draft 2020-12)."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Site.model_json_schema()}
    # JSON Schema uses the regular expressions of ECMA-262, where `$` matches at the very end alone.
    return json.dumps(described, indent=2).replace(r"\\Z", "$") + "\n"


def reference() -> str:
    """Return the reference page, Markdown: a table for each mapping in the spec."""
    return "\n".join([HEAD, *(table(path, model) for path, model in sections("", Site))])


def sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every mapping of the spec with its path, outer ones first."""
    yield path, model
    for name, field in model.model_fields.items():
        below = f"{path}.{name}".lstrip(".")
        for inner in models_in(field.annotation):
            keyed = typing.get_origin(field.annotation) is dict
            place = f"{below}.<name>" if keyed else below
            profile = inner.model_fields.get("profile")
            note = f" (profile: {typing.get_args(profile.annotation)[0]})" if profile else ""
            yield from sections(f"{place}{note}", inner)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def table(path: str, model: type[BaseModel]) -> str:
    """Return the section of the page for one mapping."""
    rows = [row(name, field) for name, field in model.model_fields.items()]
    heading = f"## `{path}`" if path else "## The file"
    head = "| Key | Value | Default | Meaning |\n|---|---|---|---|"
    return f"{heading}\n\n{inspect.cleandoc(model.__doc__ or '')}\n\n{head}\n" + "\n".join(rows) + "\n"


def row(name: str, field: FieldInfo) -> str:
    """Return the line of the table for one key."""
    default = "required" if field.is_required() else shown(field.get_default(call_default_factory=True))
    example = f" Example: `{flow(field.examples[0])}`." if field.examples else ""
    meaning = " ".join((field.description or "").split()) + example
    return f"| `{name}` | {value_of(field)} | {default} | {meaning} |"


def shown(value: Any) -> str:
    """Return a default in the form of the page."""
    if isinstance(value, BaseModel) or value in (None, (), {}, ""):
        return "optional"
    return f"`{flow(value)}`"


def flow(value: Any) -> str:
    """Return a value in YAML's flow style, of which JSON is a subset."""
    return value if isinstance(value, str) else json.dumps(value)


def value_of(field: FieldInfo) -> str:
    """Return the accepted values of a key, in words."""
    limits = {type(limit).__name__.lower(): limit for limit in field.metadata}
    kind = describe(field.annotation)
    if "ge" in limits:
        top = f" to {limits['le'].le}" if "le" in limits else " or more"
        kind = f"{kind}, {limits['ge'].ge}{top}"
    return meaning_of(field.metadata) or kind


def meaning_of(limits: Iterable[Any]) -> str:
    """Return the meaning of the pattern among a type's constraints, or an empty text."""
    patterns = [getattr(limit, "pattern", None) for limit in limits]
    return next((PATTERNS[pattern].split(", such as")[0] for pattern in patterns if pattern in PATTERNS), "")


NAMES = {
    "str": "text",
    "bool": "`true` or `false`",
    "int": "whole number",
    "float": "number",
    "IPv4Address": "IPv4 address",
    "IPv4Network": "IPv4 network",
    "IPvAnyAddress": "IP address",
    "NoneType": "",
}


def describe(annotation: Any) -> str:
    """Return a type in words."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin is typing.Annotated:
        limits = [limit for part in parts[1:] for limit in getattr(part, "metadata", ())]
        return meaning_of(limits) or describe(parts[0])
    if origin is tuple:
        return f"list of: {describe(parts[0])}"
    if origin is dict:
        return "mapping by name, see below"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(filter(None, map(describe, parts)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping, see below"
    return NAMES[annotation.__name__]
