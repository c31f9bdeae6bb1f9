# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `tars-provision`: options and exit codes. The commands themselves are in `commands`.

Exit codes: 0 done, 1 failed, 2 wrong usage or a spec with mistakes, 3 changes pending, 130 cancelled.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from tars_provision import __version__, project
from tars_provision.errors import ProvisionError

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """Gives every way to end its exit code, and imports `lab` only when it is used."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit with its code. Errors are one message on standard error."""
        with _terminated_as_cancelled(), _any_text():
            code = self._run(*args, **{**extra, "standalone_mode": False})
        sys.exit(code)

    def _run(self, *args: Any, **extra: Any) -> int:
        from tars_provision.ansible.environment import project_settings

        try:
            with project_settings():
                code = super().main(*args, **extra)
        except ProvisionError as error:
            click.echo(f"Error: {error}", err=True)
            return error.exit_code
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (KeyboardInterrupt, click.Abort):
            click.echo("cancelled", err=True)
            return 130
        except BrokenPipeError:
            # The reader of a pipe, such as head, has ended. Nothing can be written any more, also not at exit.
            sys.stdout = None
            return 1
        except OSError as error:
            click.echo(f"Error: {error.filename or 'this computer'}: {error.strerror or error}", err=True)
            return 1
        return code if isinstance(code, int) else 0

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(context), "lab"])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command by its name, or None."""
        if name == "lab":
            from tars_lab.cli import lab

            return lab
        return super().get_command(context, name)


def _cancel(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _terminated_as_cancelled() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, _cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _any_text() -> Iterator[None]:
    """Write characters that the terminal's encoding lacks as escapes instead of failing."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    errors: list[tuple[TextIO, Any]] = [(stream, stream.errors) for stream in streams]
    for stream, _ in errors:
        stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]  # checked above
    try:
        yield
    finally:
        for stream, before in errors:
            stream.reconfigure(errors=before)  # type: ignore[attr-defined]  # checked above


def inventory_option(command: Command) -> Command:
    """Add --inventory, which selects the site."""
    return click.option(
        "-i",
        "--inventory",
        type=click.Path(path_type=Path),
        default=lambda: project.default_inventory(),
        callback=lambda _context, _option, value: project.inventory_dir(value),
        help=f"The site: its folder, or the tars.yml in it.  [default: $TARS_INVENTORY, {project.DEFAULT_SITE}]",
    )(command)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to standard error."
)


def _limit(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """Return the value of --limit. An empty one, as from an unset variable of a shell, would select all machines."""
    if value == "":
        raise click.BadParameter("found an empty name; expected the name of a machine")
    return value or ""


limit_option = click.option("--limit", metavar="HOST", callback=_limit, help="Only this machine.")
verbose_option = click.option(
    "-v", "--verbose", "verbosity", count=True, help="Show Ansible's own output; repeat for more."
)


@click.group(
    cls=Commands,
    epilog=None if project.INSTALLED else "`./tars test` runs the test suite.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name=None, version=__version__, prog_name="tars-provision")
def main() -> None:
    """Provision a private assistant that answers from your documents, on a GPU desktop and a Synology NAS.

    Begin with `demo`, which needs nothing but this computer. For your own machines: `init`, edit
    the tars.yml that it names, `plan`, `site`, `verify`, `ask`.
    """


@main.command()
@click.option(
    "-i",
    "--inventory",
    type=click.Path(path_type=Path),
    default=lambda: project.home_inventory(),
    help=f"The site: its folder, which is created, or the tars.yml in it.  [default: {project.DEFAULT_HOME}]",
)
@click.option(
    "--dsm-password-file", type=click.File(), help="File with the password of the NAS's account; - is standard input."
)
@click.option("--trust-again", is_flag=True, help="Record the NAS's certificate although another one is recorded.")
@click.option("-y", "--yes", is_flag=True, help="Trust the certificate that the NAS presents, without asking.")
@json_option
@click.pass_context
def init(
    context: click.Context, inventory: Path, dsm_password_file: Any, trust_again: bool, yes: bool, as_json: bool
) -> None:
    """Prepare a site: a spec to edit, its secrets, and the certificate of its NAS.

    Run it again after editing the spec; existing files are never replaced.
    """
    from tars_provision.commands import init as command
    from tars_provision.commands.outcome import console_of, finish

    given = dsm_password_file.readline().rstrip("\n") if dsm_password_file else None
    folder, console = project.inventory_dir(inventory), console_of(as_json)
    prepared = command.init(folder, given, console, trust_again=trust_again, yes=yes)
    context.exit(finish(prepared, as_json=as_json))


@main.command()
@inventory_option
@click.option("--check", is_flag=True, help="Change nothing; exit code 3 if something would change.")
@click.option("--diff", is_flag=True, help="Show changes as diffs.")
@limit_option
@verbose_option
@json_option
@click.pass_context
def site(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Configure the machines as the spec describes. A second run changes nothing."""
    _play(context, "site", as_json, **options)


@main.command()
@inventory_option
@limit_option
@verbose_option
@json_option
@click.pass_context
def plan(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Show what `site` would change, and change nothing. Exit code 3 if something would."""
    _play(context, "site", as_json, check=True, diff=True, **options)


@main.command()
@inventory_option
@limit_option
@verbose_option
@json_option
@click.pass_context
def verify(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Check that the machines are as the spec describes, without changing anything."""
    _play(context, "verify", as_json, **options)


def _play(context: click.Context, playbook: str, as_json: bool, *, inventory: Path, **options: Any) -> None:
    from tars_provision.commands.outcome import console_of, finish
    from tars_provision.commands.play import play

    context.exit(finish(play(playbook, inventory, console_of(as_json), **options), as_json=as_json))


@main.command()
@inventory_option
@json_option
@click.pass_context
def doctor(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Check this computer and the site before a run: spec, vault, and whether the machines answer. Changes nothing."""
    from tars_provision.commands import doctor as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.doctor(inventory, console_of(as_json)), as_json=as_json))


@main.command()
@inventory_option
@json_option
@click.argument("question")
@click.pass_context
def ask(context: click.Context, inventory: Path, question: str, as_json: bool) -> None:
    """Ask a question and print the answer with its citations."""
    from tars_provision.commands import ask as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.ask(inventory, question, console_of(as_json)), as_json=as_json))


@main.command()
@inventory_option
@verbose_option
@json_option
@click.pass_context
def benchmark(context: click.Context, inventory: Path, verbosity: int, as_json: bool) -> None:
    """Measure how fast the chat model answers, and compare with earlier runs. Fails if it is too slow."""
    from tars_provision.commands import benchmark as command
    from tars_provision.commands.outcome import console_of, finish

    measured = command.benchmark(inventory, console_of(as_json), verbosity=verbosity)
    context.exit(finish(measured, as_json=as_json))


@main.command()
@click.option("--question", default=None, help="Another question.")
@json_option
@click.pass_context
def demo(context: click.Context, question: str | None, as_json: bool) -> None:
    """Build three throwaway machines on this computer, provision them, and ask a question about sample documents."""
    from tars_provision.commands import demo as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.demo(question, console_of(as_json)), as_json=as_json))


@main.group()
def nas() -> None:
    """Compare the NAS with what this project assumes of DSM."""


@nas.command("facts")
@inventory_option
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Save its answers, redacted, in this file."
)
@click.option("--replay", type=click.Path(path_type=Path, dir_okay=False), help="Read such a file instead of the NAS.")
@json_option
@click.pass_context
def nas_facts(context: click.Context, inventory: Path, save: Path | None, replay: Path | None, as_json: bool) -> None:
    """Run twelve read-only checks of what the modules assume of the NAS. Changes nothing."""
    from tars_provision.commands import nas as command
    from tars_provision.commands.outcome import finish

    if save and replay:
        raise click.UsageError("--save FILE and --replay FILE exclude each other")
    context.exit(finish(command.facts(inventory, save, replay), as_json=as_json))


@main.group()
def certificate() -> None:
    """Certificates: the authority's fingerprint, and renewal of the NAS's certificate."""


@certificate.command("fingerprint")
@inventory_option
@json_option
@click.pass_context
def certificate_fingerprint(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Print the fingerprint of the certificate authority, to compare it on a device before it trusts it."""
    from tars_provision.commands import certificate as command
    from tars_provision.commands.outcome import finish

    context.exit(finish(command.fingerprint(inventory), as_json=as_json))


@certificate.command("renew")
@inventory_option
@json_option
@click.pass_context
def certificate_renew(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Renew the NAS's certificate if it is in the last third of its validity. The desktop renews its own."""
    from tars_provision.commands import certificate as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.renew(inventory, console_of(as_json)), as_json=as_json))


@certificate.command("timer")
@inventory_option
@json_option
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_context
def certificate_timer(context: click.Context, inventory: Path, state: str, as_json: bool) -> None:
    """Install or remove a systemd timer on this computer that renews the NAS's certificate by itself."""
    from tars_provision.commands import certificate as command
    from tars_provision.commands.outcome import finish

    context.exit(finish(command.set_timer(inventory, enabled=state == "on"), as_json=as_json))


@main.group()
def names() -> None:
    """Name lookup in the home network: the router's settings, and this computer's."""


@names.command("show")
@inventory_option
@json_option
@click.pass_context
def names_show(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Print the settings to make in the router, and whether this computer resolves the names."""
    _names(context, inventory, as_json, use=False)


@names.command("use")
@inventory_option
@json_option
@click.pass_context
def names_use(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Configure this computer to ask the desktop for the zone (systemd-resolved; needs root or sudo)."""
    _names(context, inventory, as_json, use=True)


def _names(context: click.Context, inventory: Path, as_json: bool, *, use: bool) -> None:
    from tars_provision.commands import names as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.names(inventory, console_of(as_json), use=use), as_json=as_json))


@main.group()
def spec() -> None:
    """The spec, tars.yml: check one, or print its JSON Schema or its reference page."""


@spec.command("check")
@inventory_option
@json_option
@click.pass_context
def spec_check(context: click.Context, inventory: Path, as_json: bool) -> None:
    """List every mistake of a site's spec with file, line and field. Exit code 2 if there are any."""
    from tars_provision.commands import spec_check as command
    from tars_provision.commands.outcome import finish

    context.exit(finish(command.check(inventory), as_json=as_json))


@spec.command("schema")
def spec_schema() -> None:
    """Print the JSON Schema of tars.yml, for editors."""
    from tars_provision.spec.reference import schema

    click.echo(schema(), nl=False)


@spec.command("reference")
def spec_reference() -> None:
    """Print the reference page of tars.yml, Markdown."""
    from tars_provision.spec.reference import reference

    click.echo(reference(), nl=False)


if __name__ == "__main__":
    main()
