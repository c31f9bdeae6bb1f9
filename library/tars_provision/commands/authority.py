# SPDX-License-Identifier: GPL-3.0-or-later
"""`trust`: the fingerprint of the household's certificate authority."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tars_provision.assistant.client import endpoint
from tars_provision.controller import setup, trust
from tars_provision.project import SPEC
from tars_provision.spec.load import load


def show_fingerprint(inventory: Path, as_json: bool) -> None:
    """Print what a person compares before a device trusts the household's authority, and where the device finds it."""
    page = f"{endpoint(load(inventory / SPEC), inventory).url}trust"
    file, value = trust.authority_file(inventory), trust.authority_fingerprint(inventory)
    if as_json:
        click.echo(json.dumps({"file": str(file), "page": page, "sha256": value}))
    else:
        click.echo(
            f"{file}: SHA-256 fingerprint\n{setup.fingerprint_lines(value)}\n{page} says what to do on each device"
        )
