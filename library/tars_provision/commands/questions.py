# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the person at the terminal; where there is no terminal, an error that names the other way."""

from __future__ import annotations

import getpass
import sys
import warnings

import click

from tars_provision.errors import ProvisionError, message


class NoTerminalError(ProvisionError):
    """A question cannot be asked, without a terminal as standard input."""


def ask_secret(subject: str, *, next_step: str, err: bool) -> str:
    """Ask for a secret without showing it, on standard error if `err`. Raises NoTerminalError with the next step."""
    try:
        with warnings.catch_warnings():
            # getpass warns before it reads, visibly, from anything but a terminal.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return str(click.prompt(subject[0].upper() + subject[1:], hide_input=True, err=err))
    except getpass.GetPassWarning as error:
        text = message(
            subject, found="no terminal to ask for it", expected="a terminal, or a file", next_step=next_step
        )
        raise NoTerminalError(text) from error


def confirm(question: str, subject: str, *, next_step: str, err: bool) -> bool:
    """Ask a question whose answer is yes or no. Raises NoTerminalError with the next step."""
    try:
        return click.confirm(question, err=err)
    except click.Abort as error:
        if sys.stdin.isatty():
            raise
        text = message(subject, found="no terminal to ask on", expected="an answer", next_step=next_step)
        raise NoTerminalError(text) from error
