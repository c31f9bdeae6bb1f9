# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation names exists: linked files, files in CONTRIBUTING.md, and commands with their options."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tars_provision.cli import main

ROOT = Path(__file__).parents[2]
LISTING = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
PAGES = [
    ROOT / name
    for name in subprocess.run(LISTING, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    if (ROOT / name).exists()
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")
PLACEHOLDER = re.compile(r"(?<![A-Za-z])[A-Z]{4,}(?![A-Za-z])")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    broken = []
    for target in LINK.findall(CODE.sub("", FENCE.sub("", page.read_text()))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        # Release notes are written from fragments, in CHANGELOG.md at the top.
        base = ROOT if page.parent.name == "changelog.d" else page.parent
        linked = base / path if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert not broken


def named_paths(page: Path) -> Iterator[str]:
    """Yield what a page names as paths of the repository: inline code with a slash, without commands and options."""
    for code in CODE.findall(FENCE.sub("", page.read_text())):
        first = code.split("/")[0]
        if first and "/" in code and " " not in code and (ROOT / first).exists():
            yield code


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", "docs/architecture.md"])
def test_named_files_exist(name: str) -> None:
    """A word in capitals, such as NAME, stands for any name."""
    paths = set(named_paths(ROOT / name))
    missing = [path for path in paths if not list(ROOT.glob(PLACEHOLDER.sub("*", path).rstrip("/")))]
    assert not missing
    assert paths, f"{name} names no files"


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield page and words of every `./tars` or `tars-provision` command in the documentation."""
    for page in PAGES:
        text = page.read_text()
        lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
        lines += [code.replace("\n", " ") for code in CODE.findall(FENCE.sub("", text))]
        for line in lines:
            if re.match(r"(\./tars|tars-provision|tars) [a-z-]", line):
                yield str(page.relative_to(ROOT)), shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize(
    ("page", "words"), list(dict.fromkeys((page, tuple(words)) for page, words in commands())), ids=str
)
def test_commands_and_options_exist(page: str, words: tuple[str, ...]) -> None:
    if words[0] == "test":
        return  # pytest's options, or `test_named_files_exist`
    command: click.Command = main
    rest = [word for word in words if word != ">docs/spec.md"]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        subcommand = command.get_command(click.Context(command), rest.pop(0))
        assert subcommand, f"{page}: unknown command {' '.join(words)}"
        command = subcommand
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    unknown = [word for word in rest if word.startswith("-") and word not in {*known, "--help", "-h"}]
    assert not unknown, f"{page}: unknown options of `{' '.join(words)}`"
