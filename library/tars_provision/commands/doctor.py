# SPDX-License-Identifier: GPL-3.0-or-later
"""`doctor`: check the controller and a site before a run, or what a NAS answers to the modules' assumptions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from tars_provision.controller.readiness import site_findings


def examine(folder: Path, *, as_json: bool) -> int:
    """Print the findings of a site as they come, and return the exit code."""
    console = Console(stderr=as_json)
    findings = []
    for finding in site_findings(folder):
        findings.append(finding)
        mark = "[green]ok[/green]  " if finding.ok else "[red]fail[/red]"
        console.print(f"{mark} {finding.name}: {escape(finding.found)}", highlight=False, soft_wrap=True)
        if not finding.ok:
            console.print(f"     {escape(finding.fix)}", highlight=False, soft_wrap=True)
    ok = all(finding.ok for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    return 0 if ok else 1


def nas_facts(folder: Path, save: Path | None, replay: Path | None, *, as_json: bool) -> int:
    """Ask the NAS of a site (or a recording of one) what the modules assume of it; return the exit code."""
    from tars_provision.nas_facts import recording, run, show  # Ansible's part of it takes half a second to load

    console = Console()
    with show.progress(Console(stderr=True)) as progress:
        if replay is None:
            facts, calls = run.of_site(folder, progress)
        else:
            facts, calls = run.of_recording(replay, progress), []
    if as_json:
        click.echo(json.dumps({"facts": [asdict(fact) for fact in facts]}, ensure_ascii=False))
    elif console.is_terminal:
        console.print(show.table(facts), "")
    else:
        click.echo("\n".join(show.lines(facts)))
    click.echo(show.sentence(facts), err=as_json)
    if save:
        recording.save(save, calls)
        stand_ins = "names, addresses, serial numbers and texts are stand-ins; read it before you share it"
        click.echo(f"{save}: recorded; {stand_ins}", err=as_json)
    return 1 if any(fact.verdict == "differs" for fact in facts) else 0
