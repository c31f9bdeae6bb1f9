# SPDX-License-Identifier: GPL-3.0-or-later
"""The dependencies between packages run one way (layers.yml), and folders and file names stay easy to find."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCES = {"collections/": "collections", "library/": "library", "app/": "app"}
RULES = yaml.safe_load(Path(__file__).with_name("layers.yml").read_text())
SECTIONS = {name: section for name, section in RULES.items() if isinstance(section, dict)}


def full(section: str, key: str) -> str:
    """Return the path of a key from the root of the repository; `.` is the rest of its section."""
    if key in SECTIONS or key.startswith(tuple(SOURCES)):
        return key
    return section if key == "." else f"{section}/{key}"


ALLOWED: dict[str, set[str]] = {
    full(section, key): {full(section, entry) for entry in entries}
    for section, keys in SECTIONS.items()
    for key, entries in keys.items()
}


@functools.cache
def python_files() -> tuple[str, ...]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return tuple(name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink())


@functools.cache
def modules() -> dict[str, str]:
    """Return the file of every importable module of the three source trees, by its dotted name."""
    return {
        ".".join(PurePosixPath(name.removesuffix("/__init__.py").removesuffix(".py")).parts[1:]): name
        for name in python_files()
        if name.startswith(tuple(SOURCES)) and "/tests/" not in name
    }


def imports(module: str, file: str, text: str) -> Iterator[str]:
    """Yield the files of this repository that a module imports, anywhere in its text."""
    package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            target = name
            while target and target not in modules():
                target = target.rpartition(".")[0]
            if target:
                yield modules()[target]


@functools.cache
def all_imports() -> frozenset[tuple[str, str]]:
    """Return every import of one source file by another, as the paths of both."""
    return frozenset(
        (file, imported)
        for module, file in modules().items()
        for imported in imports(module, file, (ROOT / file).read_text())
        if imported != file
    )


def package_of(file: str) -> str | None:
    """Return the longest key that contains a file."""
    keys = [key for key in ALLOWED if file == key or file.startswith(f"{key}/")]
    return max(keys, key=len, default=None)


def permitted(importer: str, imported: str) -> bool:
    """Tell whether a file may import another: from its own package, or from one that its package may import."""
    source, target = package_of(importer), package_of(imported)
    if source is None or target is None:
        return False
    return source == target or any(target == key or target.startswith(f"{key}/") for key in ALLOWED[source])


def test_every_source_file_belongs_to_a_package() -> None:
    orphans = [file for file in modules().values() if package_of(file) is None and not file.endswith("/__init__.py")]
    assert not orphans, "add their folders to tests/checks/layers.yml"


def test_the_declared_dependencies_form_no_cycle() -> None:
    sections = {key for key in ALLOWED if key in SECTIONS}
    graph = {key: {entry for entry in entries if entry not in sections} for key, entries in ALLOWED.items()}
    for key in ALLOWED:
        # Where a folder is allowed whole, so is every package in it.
        graph[key] |= {inner for inner in ALLOWED for entry in graph[key] if inner.startswith(f"{entry}/")}
    graphlib.TopologicalSorter(graph).prepare()


def is_foreign_route(importer: str, imported: str) -> bool:
    """Tell whether a file imports routes without being the module that assembles the application.

    A capability uses another's service or schemas.
    """
    return imported.endswith("/routes.py") and importer not in ("app/tars_app/main.py", "app/tars_app/api.py")


def test_packages_import_only_what_is_allowed() -> None:
    forbidden = [
        f"{file} -> {imported}"
        for file, imported in sorted(all_imports())
        if not permitted(file, imported) or is_foreign_route(file, imported)
    ]
    assert forbidden == []


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("module_utils/network/firewall.py", "module_utils/system/files.py", True),
        ("module_utils/system/files.py", "module_utils/network/firewall.py", False),
        ("module_utils/system/files.py", "module_utils/system/apt.py", True),
        ("modules/dsm_share.py", "module_utils/dsm/errors.py", True),
        ("module_utils/dsm/plans/share.py", "module_utils/dsm/nas/storage.py", False),
    ],
)
def test_the_rules_are_read_as_written(importer: str, imported: str, expected: bool) -> None:
    plugins = "collections/ansible_collections/tars/home/plugins"
    assert permitted(f"{plugins}/{importer}", f"{plugins}/{imported}") is expected


def test_no_folder_holds_more_than_25_python_files() -> None:
    sizes = Counter(PurePosixPath(name).parent.as_posix() for name in python_files())
    assert {name: size for name, size in sizes.items() if size > 25 and name not in RULES["large_folders"]} == {}


def test_no_module_shadows_the_standard_library() -> None:
    stems = {
        name: path.parent.name if path.name == "__init__.py" else path.stem
        for name, path in ((name, PurePosixPath(name)) for name in python_files())
    }
    shadows = [name for name, stem in stems.items() if stem in sys.stdlib_module_names]
    assert sorted(shadows) == sorted(RULES["standard_names"])
