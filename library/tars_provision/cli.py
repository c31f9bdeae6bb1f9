# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `tars-provision`: options, exit codes and printing. The work is done by the other modules.

Exit codes: 0 done, 1 failed, 2 wrong usage or a spec with mistakes, 3 changes pending, 130 cancelled.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tars_provision import __version__, project
from tars_provision.errors import Failure

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """Gives every way to end its exit code, and `lab` its module only when it is asked for."""

    def main(self, *args: Any, **extra: Any) -> Any:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except Failure as error:
            click.echo(f"Error: {error}", err=True)
            code = error.exit_code
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort):
            click.echo("cancelled", err=True)
            code = 130
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), "lab"])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name == "lab":
            from tars_lab.cli import lab

            return lab
        return super().get_command(context, name)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def inventory_option(command: Command) -> Command:
    """Add --inventory, which says which site is meant."""
    return click.option(
        "-i",
        "--inventory",
        type=click.Path(path_type=Path),
        default=lambda: project.default_inventory(),
        callback=lambda _context, _option, value: project.inventory_dir(value),
        help="The site: its folder, or the tars.yml in it.  [default: $TARS_INVENTORY, inventories/home once it was "
        "initialised, inventories/lab]",
    )(command)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to standard error."
)


@click.group(
    cls=Commands,
    epilog="`./tars test` runs the test suite.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name=None, version=__version__, prog_name="tars-provision")
def main() -> None:
    """Take a GPU desktop and a Synology NAS to a private assistant that answers from your documents.

    Begin with `demo`, which needs nothing but this computer. For your own machines: `init`, edit
    inventories/home/tars.yml, `plan`, `site`, `verify`, `ask`.
    """


@main.command()
@click.option("-i", "--inventory", type=click.Path(path_type=Path), default=lambda: project.home_inventory())
@click.option(
    "--dsm-password-file", type=click.File(), help="File with the password of the NAS's account; - is standard input."
)
@click.option("--trust-again", is_flag=True, help="Record the NAS's certificate although another one is recorded.")
@click.option("-y", "--yes", is_flag=True, help="Trust the certificate that the NAS shows, without asking.")
def init(inventory: Path, dsm_password_file: Any, trust_again: bool, yes: bool) -> None:
    """Prepare a site: a spec to edit, its secrets, and the certificate of its NAS.

    Run it again after editing the spec; what exists is never replaced.
    """
    from tars_provision.commands import init as command

    given = dsm_password_file.readline().rstrip("\n") if dsm_password_file else None
    command.init(project.inventory_dir(inventory), given, trust_again=trust_again, yes=yes)


@main.command()
@inventory_option
@click.option("--check", is_flag=True, help="Change nothing; exit code 3 when something would change.")
@click.option("--diff", is_flag=True, help="Show what changes, as diffs.")
@click.option("--limit", default="", metavar="HOST", help="Only this machine.")
@json_option
@click.pass_context
def site(context: click.Context, inventory: Path, check: bool, diff: bool, limit: str, as_json: bool) -> None:
    """Bring the machines to what the spec says. Running it again changes nothing."""
    from tars_provision.commands.play import play

    context.exit(play("site", inventory, check=check, diff=diff, limit=limit, as_json=as_json))


@main.command()
@inventory_option
@click.option("--limit", default="", metavar="HOST", help="Only this machine.")
@json_option
@click.pass_context
def plan(context: click.Context, inventory: Path, limit: str, as_json: bool) -> None:
    """Show what `site` would change, and change nothing. Exit code 3 when something would."""
    from tars_provision.commands.play import play

    context.exit(play("site", inventory, check=True, diff=True, limit=limit, as_json=as_json))


@main.command()
@inventory_option
@json_option
@click.pass_context
def verify(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Check that the machines do what the spec says, without changing anything."""
    from tars_provision.commands.play import play

    context.exit(play("verify", inventory, as_json=as_json))


@main.command()
@inventory_option
@click.option(
    "--nas-facts", is_flag=True, help="Ask the NAS, in twelve looks that change nothing, what the modules assume."
)
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Keep its answers, redacted, in this file."
)
@click.option("--replay", type=click.Path(path_type=Path, dir_okay=False), help="Ask such a file instead of the NAS.")
@json_option
@click.pass_context
def doctor(
    context: click.Context, inventory: Path, nas_facts: bool, save: Path | None, replay: Path | None, as_json: bool
) -> None:
    """Check this computer and the site before a run: spec, vault, and whether the machines answer. Changes nothing."""
    from tars_provision.commands import doctor as command

    if ((save or replay) and not nas_facts) or (save and replay):
        raise click.UsageError("--save FILE and --replay FILE belong to --nas-facts, one of them at a time")
    if nas_facts:
        context.exit(command.nas_facts(inventory, save, replay, as_json=as_json))
    context.exit(command.examine(inventory, as_json=as_json))


@main.command()
@inventory_option
@json_option
@click.argument("question")
def ask(inventory: Path, question: str, as_json: bool) -> None:
    """Ask a question and print the answer with its citations."""
    from tars_provision.assistant import client
    from tars_provision.spec.load import load

    stream = client.ask(client.endpoint(load(inventory / project.SPEC), inventory), question)
    answer = client.show(stream, (lambda text: None) if as_json else lambda text: click.echo(text, nl=False))
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))


@main.command()
@inventory_option
@json_option
@click.pass_context
def benchmark(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Measure how fast the chat model answers, and compare with earlier runs. Fails where it is too slow."""
    from tars_provision.commands import benchmark as command

    context.exit(command.benchmark(inventory, as_json=as_json))


@main.command()
@inventory_option
@json_option
def trust(inventory: Path, as_json: bool) -> None:
    """Print the fingerprint of the household's authority, to be compared on a device before it trusts it."""
    from tars_provision.commands import authority as command

    command.show_fingerprint(inventory, as_json)


@main.command()
@inventory_option
@click.option("--here", is_flag=True, help="Have this computer ask the desktop for the zone (systemd-resolved; sudo).")
@json_option
def names(inventory: Path, here: bool, as_json: bool) -> None:
    """Print what the router has to be told for the household's names, and whether this computer finds them."""
    from tars_provision.commands import names as command

    command.names(inventory, here=here, as_json=as_json)


@main.command()
@inventory_option
@click.option(
    "--timer",
    type=click.Choice(["on", "off"]),
    help="Have this computer do it by itself, by a daily timer of systemd; or no longer.",
)
@json_option
@click.pass_context
def renew(context: click.Context, inventory: Path, timer: str | None, as_json: bool) -> None:
    """Renew the NAS's certificate when it is in the last third of its life. The desktop renews its own."""
    from tars_provision.commands import renew as command

    if timer:
        command.set_timer(inventory, on=timer == "on")
    else:
        context.exit(command.renew(inventory, as_json=as_json))


@main.command()
@click.option("--question", default=None, help="What to ask instead.")
@click.pass_context
def demo(context: click.Context, question: str | None) -> None:
    """Show the whole story on throwaway machines of this computer: bare machines to an answer with citations."""
    from tars_provision.commands import demo as story

    context.exit(story.demo(question))


@main.group()
def spec() -> None:
    """What tars.yml may say: check one, or print its JSON Schema or its reference page."""


@spec.command("check")
@inventory_option
@json_option
@click.pass_context
def spec_check(context: click.Context, inventory: Path, as_json: bool) -> None:
    """List every mistake of a site's spec with file, line and field. Exit code 2 when there are any."""
    from tars_provision.spec.load import SpecError, load

    try:
        load(inventory / project.SPEC)
        mistakes = []
    except SpecError as error:
        if not as_json:
            raise
        mistakes = error.mistakes
    fields = [{**vars(mistake), "file": str(mistake.file)} for mistake in mistakes]
    click.echo(json.dumps({"mistakes": fields}) if as_json else f"{inventory / project.SPEC}: no mistakes")
    context.exit(2 if mistakes else 0)


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
