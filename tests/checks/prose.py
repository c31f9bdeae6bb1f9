# SPDX-License-Identifier: GPL-3.0-or-later
"""Find words that this project does not use (banned_words.yml) in every tracked text file.

`python tests/checks/prose.py` checks the whole tree; with paths, it checks these files and folders. The exit code is 1
if there are findings.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHECKS = Path(__file__).parent

# A space of a pattern: blanks, or a line break with the marks that continue a comment or a string.
_SPACE = r"""(?:[ \t]+|[ \t]*\\?["']?\n[ \t]*(?:#|//|\*|>|f?["'])?[ \t]*)"""


@dataclass(frozen=True)
class Word:
    """A banned pattern, what to use instead, and the contexts in which it is accepted."""

    pattern: re.Pattern[str]
    use: str
    allow: tuple[re.Pattern[str], ...]

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield the matches outside the accepted contexts."""
        accepted = [match.span() for allow in self.allow for match in allow.finditer(text)]
        for match in self.pattern.finditer(text):
            if not any(start <= match.start() and match.end() <= end for start, end in accepted):
                yield match


@functools.cache
def _configuration() -> dict[str, list[dict[str, object]] | list[str]]:
    configuration: dict[str, list[dict[str, object]] | list[str]] = yaml.safe_load(
        (CHECKS / "banned_words.yml").read_text()
    )
    return configuration


@functools.cache
def words() -> tuple[Word, ...]:
    """Return the banned patterns, compiled."""
    compiled = []
    for entry in _configuration()["words"]:
        assert isinstance(entry, dict)
        flags = 0 if entry.get("case") else re.IGNORECASE
        allow = entry.get("allow", [])
        assert isinstance(allow, list)
        pattern, *contexts = (
            re.compile(str(text).replace(" ", _SPACE), flags | re.MULTILINE) for text in [entry["pattern"], *allow]
        )
        compiled.append(Word(pattern, str(entry["use"]), tuple(contexts)))
    return tuple(compiled)


class _Names(ast.NodeVisitor):
    """Collect assigned names outside one-line comprehensions and lambdas."""

    def __init__(self, banned: frozenset[str]) -> None:
        self.banned = banned
        self.places: list[tuple[int, str]] = []

    def visit(self, node: ast.AST) -> None:
        short = isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda)
        if short and node.lineno == node.end_lineno:  # type: ignore[attr-defined]  # expressions have both
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in self.banned:
            self.places.append((node.lineno, node.id))
        if isinstance(node, ast.arguments):
            # A keyword-only argument is explained by its call: message(path, found="a folder", expected="a file").
            arguments = [argument for argument in (*node.posonlyargs, *node.args) if argument.arg in self.banned]
            self.places += [(argument.lineno, argument.arg) for argument in arguments]
        if isinstance(node, ast.ClassDef):
            # A field is explained by its class and its annotation.
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
            for part in node.body:
                if part not in fields:
                    self.visit(part)
            return
        self.generic_visit(node)


def findings(name: str, text: str) -> list[str]:
    """Return the findings in a file as `path:line: found word; use …`, in the order of their lines.

    Args:
        name: path of the file, relative to the repository.
        text: its content.
    """
    places = [
        (text.count("\n", 0, match.start()) + 1, " ".join(match.group().split()), word.use)
        for word in words()
        for match in word.matches(text)
    ]
    for match in words()[0].pattern.finditer(name):
        places.append((1, f"{match.group()} (in the file's name)", words()[0].use))
    if name.endswith(".py"):
        names = _Names(frozenset(str(entry) for entry in _configuration()["names"]))
        names.visit(ast.parse(text))
        places += [(line, f"variable {variable}", "a name for the value") for line, variable in names.places]
    return [f"{name}:{line}: found {found!r}; use {use}" for line, found, use in sorted(places)]


def tracked(*paths: str) -> Iterator[tuple[str, str]]:
    """Yield name and content of the tracked text files below these paths (of all, without paths)."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *paths],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    skip = [re.compile(str(pattern)) for pattern in _configuration()["skip"]]
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        if not path.is_file() or path.is_symlink() or any(pattern.search(name) for pattern in skip):
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def main(paths: list[str]) -> int:
    """Print the findings; return 1 if there are any."""
    lines = [finding for name, text in tracked(*paths) for finding in findings(name, text)]
    for finding in lines:
        print(finding)
    print(f"{len(lines)} findings", file=sys.stderr)
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
