# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong use of every command: missing, wrong and surplus arguments, in folders without a usable site.

Each command runs in a process of its own, without root's capabilities, so that folders can be read-only for it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tars_provision.cli import main

EXIT_CODES = {0, 1, 2, 3, 130}
LAB = {"lab up", "lab down", "lab start", "lab stop", "lab destroy", "lab shell"}
SERVES = {"demo", *LAB, "names use", "certificate timer"}
"""Commands whose right use changes this computer: they are only started with arguments that they refuse."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command of the program with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


pytestmark = pytest.mark.integration

# `init` last: it writes a sample spec into an empty folder, and a command after it would call the addresses in it.
COMMANDS = dict(sorted(commands(main), key=lambda item: item[0] == ("init",)))


def argument_of(parameter: click.Parameter) -> str:
    return parameter.type.choices[0] if isinstance(parameter.type, click.Choice) else "x"


def json_of(command: click.Command) -> list[str]:
    """Return the option for output as JSON, if the command has it."""
    return ["--json"] if any("--json" in parameter.opts for parameter in command.params) else []


def wrong_arguments(path: tuple[str, ...], command: click.Command) -> Iterator[list[str]]:
    """Yield calls with unknown options, surplus arguments, and options without their value."""
    arguments = [argument_of(parameter) for parameter in command.params if isinstance(parameter, click.Argument)]
    as_json = json_of(command)
    yield [*path, "--no-such-option", *as_json]
    yield [*path, *as_json, *arguments, "surplus", "surplus"]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.count:
            yield [*path, *as_json, *arguments, parameter.opts[-1]]
            if " ".join(path) not in SERVES:
                yield [*path, *as_json, *arguments, parameter.opts[-1], ""]


def unusable_folders(path: tuple[str, ...], command: click.Command, folder: Path) -> Iterator[list[str]]:
    """Yield calls with missing arguments, and right ones in a folder without a usable site."""
    if " ".join(path) in SERVES or isinstance(command, click.Group):
        return
    arguments = [argument_of(parameter) for parameter in command.params if isinstance(parameter, click.Argument)]
    options = {option for parameter in command.params for option in parameter.opts}
    as_json = json_of(command)
    if arguments:
        yield [*path, *as_json]
    yield [*path, *arguments]
    if "--inventory" in options:
        yield [*path, *arguments, "--inventory", str(folder), *as_json]
        yield [*path, *arguments, "--inventory", str(folder / "missing" / "tars.yml"), *as_json]
    for option in sorted({"--save", "--replay", "--dsm-password-file"} & options):
        yield [*path, *arguments, option, str(folder / "missing" / "file")]
        yield [*path, *arguments, option, str(folder), *as_json]


def make_folder(state: str, parent: Path, root: Path) -> Path:
    """Return a folder without a usable site, with a home in the same state."""
    folder = parent / state.replace(" ", "-")
    (folder / "home").mkdir(parents=True)
    if state == "not a site":
        (folder / "tars.yml").write_text("plugin: [")
        (folder / "nas.json").write_text("{")
    if state == "folders in place of files":
        # Nothing answers at these addresses, and no packet leaves this computer.
        spec = (root / "inventories/lab/tars.yml").read_text().replace("10.77.0.", "127.0.0.").replace("5001", "9")
        (folder / "tars.yml").write_text(spec.replace("user: root", "user: root\n      port: 9"))
        for name in ("group_vars/all/secrets.yml", "recorded/dsm.yml", "authority/root.pem"):
            (folder / name).mkdir(parents=True)
        (folder / "home/.config/tars/vault-password").mkdir(parents=True)
    if state == "read-only":
        for path in (folder / "home", folder):
            path.chmod(0o555)
    return folder


START = """
import atexit, gc, importlib, json, os, pkgutil, sys, tempfile, traceback
os.environ["ANSIBLE_HOME"] = tempfile.mkdtemp()  # importing Ansible writes there
import ansible.parsing.vault, ansible_runner, tars_lab.cli, tars_provision.commands
from tars_provision.cli import main
for module in pkgutil.iter_modules(tars_provision.commands.__path__):
    importlib.import_module(f"tars_provision.commands.{module.name}")
gc.freeze()
for line in sys.stdin.read().splitlines():
    folder, *arguments = line.split("\\t")
    output = tempfile.TemporaryFile("w+")
    child = os.fork()
    if not child:
        sys.stdin = open(os.devnull)
        os.dup2(output.fileno(), 1)
        os.chdir(folder)
        os.environ.update(HOME=folder + "/home", TARS_INVENTORY=folder)
        sys.argv = ["tars-provision", *arguments]
        print("$", *sys.argv, file=sys.stderr, flush=True)
        code = 1
        try:
            main(prog_name="tars-provision")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        except BaseException:
            traceback.print_exc()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)  # without freeing the memory of the imported modules, which takes longest
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output.seek(0)
    print(json.dumps([code, arguments, output.read()]), flush=True)
"""
"""Runs the command of each line of its input in a folder; one process imports the library for all of them."""

STATES = ("empty", "not a site", "folders in place of files", "read-only")


def test_no_wrong_use_of_any_command_ends_in_a_traceback(tmp_path: Path, root: Path) -> None:
    folders = [make_folder(state, tmp_path, root) for state in STATES]
    uses = [[str(tmp_path), *use] for path, command in COMMANDS.items() for use in wrong_arguments(path, command)]
    for folder in folders:
        for path, command in COMMANDS.items():
            uses += [[str(folder), *use] for use in unusable_folders(path, command, folder)]
    without_capabilities = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*without_capabilities, sys.executable, "-c", START],
        input="\n".join("\t".join(use) for use in uses),
        env={**os.environ, "PYTHONPATH": str(root / "library")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    folders[-1].chmod(0o755)
    assert "Traceback" not in done.stderr, done.stderr[max(0, done.stderr.index("Traceback") - 500) :][:3000]
    results: list[tuple[int, list[str], str]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(uses), done.stderr[-2000:]
    assert {code for code, _, _ in results} <= EXIT_CODES, done.stdout
    for code, arguments, output in results:
        if "--json" in arguments and code:
            assert isinstance(json.loads(output), dict), (arguments, output)
    assert "GetPassWarning" not in done.stderr


def test_the_walk_covers_every_command() -> None:
    names = {" ".join(path) for path in COMMANDS}
    assert names >= SERVES | {"site", "plan", "verify", "doctor", "ask", "nas facts", "spec check", "certificate renew"}
