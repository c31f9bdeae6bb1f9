# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `tars-provision`: commands, their options and help. The commands themselves are in `commands`.

Exit codes: 0 done, 1 failed, 2 wrong usage or a spec with mistakes, 3 changes pending, 130 cancelled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tars_provision import __version__, project
from tars_provision.group import Commands
from tars_provision.options import (
    NamedPath,
    inventory_option,
    json_option,
    limit_option,
    question_of,
    since_of,
    time_of,
    verbose_option,
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
    type=NamedPath(path_type=Path),
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
    if given == "":
        raise click.UsageError(
            f"--dsm-password-file: found an empty first line in {dsm_password_file.name}; expected a password"
        )
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
@click.pass_context
def status(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Show the services of the desktop, its mounts, and whether it reaches the NAS. Exit code 1 if a part fails."""
    from tars_provision.commands import status as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.status(inventory, console_of(as_json)), as_json=as_json))


@main.command()
@inventory_option
@json_option
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they come, until Ctrl-C.")
@click.option("--since", metavar="TIME", callback=since_of, help="Lines since a time, or not older than 10m, 2h or 3d.")
@click.option("-n", "--lines", type=click.IntRange(min=1), default=100, show_default=True, help="Without --since.")
@click.argument("service")
@click.pass_context
def logs(context: click.Context, /, inventory: Path, service: str, as_json: bool, **options: Any) -> None:
    """Print the log of a service of the desktop, such as app, worker, caddy, postgres or ollama."""
    from tars_provision.commands import logs as command
    from tars_provision.commands.outcome import finish

    if as_json and options["follow"]:
        raise click.UsageError("--json and --follow exclude each other")
    context.exit(finish(command.logs(inventory, service, as_data=as_json, **options), as_json=as_json))


@main.command()
@inventory_option
@json_option
@click.option("--as-of", metavar="TIME", callback=time_of, help="Answer from the documents as they were then.")
@click.option("--since", metavar="TIME", callback=time_of, help="And as they were at any time since then.")
@click.option("--latest", is_flag=True, help="Prefer the latest of the documents that fit about equally.")
@click.option("--literal", is_flag=True, help="Take a time in the question as words alone.")
@click.argument("question", callback=question_of)
@click.pass_context
def ask(
    context: click.Context, /, inventory: Path, question: str, as_json: bool, literal: bool, **time: str | bool | None
) -> None:
    """Ask a question and print the answer with its citations.

    TIME is a day (2023-05-04), a month (2023-05), a year (2023), or a time (2023-05-04T18:00). Without it, a time that
    the question names is used.
    """
    from tars_provision.commands import ask as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(
        finish(command.ask(inventory, question, console_of(as_json), interpret=not literal, **time), as_json=as_json)
    )


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
@click.option("--question", default=None, callback=question_of, help="Another question.")
@click.option("--disaster", is_flag=True, help="Then destroy the desktop, and recover it from its backup on the NAS.")
@json_option
@click.pass_context
def demo(context: click.Context, question: str | None, disaster: bool, as_json: bool) -> None:
    """Build three throwaway machines on this computer, provision them, and ask about sample documents, then and now."""
    from tars_provision.commands import demo as command
    from tars_provision.commands.outcome import console_of, finish

    shown = command.demo(question, console_of(as_json), disaster=disaster)
    context.exit(finish(shown, as_json=as_json))


@main.group()
def nas() -> None:
    """The NAS: compare it with what this project assumes of DSM; list snapshots, and make a share from one."""


@nas.command("facts")
@inventory_option
@click.option(
    "--save", type=NamedPath(path_type=Path, dir_okay=False), help="Save its answers, redacted, in this file."
)
@click.option("--replay", type=NamedPath(path_type=Path, dir_okay=False), help="Read such a file instead of the NAS.")
@json_option
@click.pass_context
def nas_facts(context: click.Context, inventory: Path, save: Path | None, replay: Path | None, as_json: bool) -> None:
    """Run twelve read-only checks of what the modules assume of the NAS. Changes nothing."""
    from tars_provision.commands import nas as command
    from tars_provision.commands.outcome import finish

    if save and replay:
        raise click.UsageError("--save FILE and --replay FILE exclude each other")
    context.exit(finish(command.facts(inventory, save, replay), as_json=as_json))


@nas.command("snapshots")
@inventory_option
@json_option
@click.argument("share", required=False)
@click.pass_context
def nas_snapshots(context: click.Context, inventory: Path, share: str | None, as_json: bool) -> None:
    """List the snapshots of SHARE, or of all shares of the spec. The desktop cannot change or delete them."""
    from tars_provision.commands import nas_snapshots as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.listed(inventory, share, console_of(as_json)), as_json=as_json))


@nas.command("clone")
@inventory_option
@json_option
@click.argument("share")
@click.argument("snapshot")
@click.argument("new")
@click.pass_context
def nas_clone(context: click.Context, inventory: Path, share: str, snapshot: str, new: str, as_json: bool) -> None:
    """Create the share NEW with what SHARE contained at SNAPSHOT. SHARE stays as it is."""
    from tars_provision.commands import nas_snapshots as command
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(command.clone(inventory, share, snapshot, new, console_of(as_json)), as_json=as_json))


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
