# SPDX-License-Identifier: GPL-3.0-or-later
"""Which calls of DSM's Web API a program makes, read from its source.

They look like `client.read(API, method, version, ...)`, `write` and `upload` likewise, or `Read(API, method, version,
...)`. Each of the three may be a literal, a constant of the file, either of two literals, or a column of a table of the
file. Everything else is an :class:`Unknown`, unless `SAID` tells the methods.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ASKS = {"read", "write", "upload", "Read"}
SAID: Mapping[str, tuple[str, ...]] = {
    "SYNO.Core.Group.Member": ("add", "remove"),
    "SYNO.Core.Package.Control": ("start", "stop"),
}
"""Methods of the APIs whose method is the `action` of a planner's change."""

Values = list[object]
Scope = dict[str, Values]
Tables = dict[str, list[list[Values]]]


@dataclass(frozen=True, order=True)
class Call:
    """A method of an API, and the newest version of the API that the caller speaks."""

    api: str
    method: str
    version: int


class Unknown(Exception):
    """A call whose API, method or version cannot be told from the source."""


# The client makes these of bare forms.
SESSION = {Call("SYNO.API.Info", "query", 1), Call("SYNO.API.Auth", "login", 7), Call("SYNO.API.Auth", "logout", 7)}


def calls(files: Iterable[Path]) -> set[Call]:
    """Return the calls that these Python files make; raise :class:`Unknown` for one that cannot be told."""
    return {call for path in files for call in _calls(path)}


def _calls(path: Path) -> Iterator[Call]:
    tree = ast.parse(path.read_text())
    constants = _constants(tree)
    tables = _tables(tree, constants)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for part in (*functions, *(node for node in tree.body if isinstance(node, ast.Assign))):
        for scope in _scopes(part, constants, tables):
            for node in ast.walk(part):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ASKS:
                    yield from _asked(node, scope, path)


def _asked(node: ast.Call, scope: Scope, path: Path) -> Iterator[Call]:
    """The calls that one line makes; none where it reads something else, or passes on what was said elsewhere."""
    if len(node.args) < 3 or ast.unparse(node.args[0]).endswith(".api"):
        return
    apis, methods, versions = (_values(argument, scope) for argument in node.args[:3])
    for api in apis:
        if not str(api).startswith("SYNO."):
            continue
        for method in methods or SAID.get(str(api), ()):
            for version in versions:
                if isinstance(version, int):
                    yield Call(str(api), str(method), version)
        if not (methods or api in SAID) or not versions:
            raise Unknown(f"{path}:{node.lineno}: {ast.unparse(node)}: say the method of {api} in calls.SAID")
    if not apis:
        raise Unknown(f"{path}:{node.lineno}: {ast.unparse(node)}: which API it calls cannot be told")


def _values(node: ast.expr, scope: Scope) -> Values:
    """What an expression can be; nothing where that cannot be told."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.Name):
        return scope.get(node.id, [])
    if isinstance(node, ast.IfExp):
        return [*_values(node.body, scope), *_values(node.orelse, scope)]
    return []


def _constants(tree: ast.Module) -> Scope:
    """The literals that a file names at its top."""
    found: Scope = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _values(node.value, {}):
            found[node.targets[0].id] = _values(node.value, {})
    return found


def _tables(tree: ast.Module, constants: Scope) -> Tables:
    """The rows of each mapping to tuples at a file's top."""
    found: Tables = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            rows = [row.elts for row in node.value.values if isinstance(row, ast.Tuple)]
            found[node.targets[0].id] = [[_values(cell, constants) for cell in row] for row in rows]
    return found


def _scopes(function: ast.AST, constants: Scope, tables: Tables) -> Iterator[Scope]:
    """What names mean inside a function: once, or once for each row of the table that it takes apart."""
    scope = dict(constants)
    rows: list[Scope] = []
    for node in ast.walk(function):
        if isinstance(node, (ast.Assign, ast.comprehension, ast.For)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            source = node.value if isinstance(node, ast.Assign) else node.iter
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                scope[target.id] = scope.get(target.id, []) + _values(source, constants)
            elif isinstance(target, ast.Tuple):
                # for key, (one, other) in TABLE.items()
                target = next((part for part in target.elts if isinstance(part, ast.Tuple)), target)
                named = {part.id for part in ast.walk(source) if isinstance(part, ast.Name)} & tables.keys()
                names = [part.id if isinstance(part, ast.Name) else "" for part in target.elts]
                rows += [dict(zip(names, row, strict=False)) for table in named for row in tables[table]]
    yield from ({**scope, **row} for row in rows or [{}])
