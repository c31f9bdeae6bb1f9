# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person can act on; each class has the exit code of the command line."""

from __future__ import annotations


class BackupError(Exception):
    """A failure, described by its object, what was found, what was expected, and the next step."""

    code = 1

    def __init__(self, subject: object, *, found: object, expected: str, next_step: str = "") -> None:
        """Compose the message in the form that all errors have."""
        self.subject = str(subject)
        self.found = str(found)
        self.expected = expected
        self.next_step = next_step.rstrip(".")
        text = f"{self.subject}: found {self.found}; expected {self.expected}"
        super().__init__(f"{text}. {self.next_step}." if self.next_step else text)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.subject, self.found, self.expected, self.next_step)


def _rebuilt(kind: type[BackupError], subject: str, finding: str, expected: str, next_step: str) -> BackupError:
    return kind(subject, found=finding, expected=expected, next_step=next_step)


class UsageError(BackupError):
    """The command line is not valid."""

    code = 2


class RepositoryAbsentError(BackupError):
    """The configured place does not hold the configured repository."""

    code = 10


class LockedError(BackupError):
    """Another run holds the program's lock, or a lock of the repository blocks the command."""

    code = 11


class WrongKeyError(BackupError):
    """The key file does not open the repository."""

    code = 12


class DestinationError(BackupError):
    """The destination is not mounted, is not the configured one, cannot be written, is full, or does not answer."""

    code = 20


class NotConnectedError(DestinationError):
    """The disk of a copy is not connected, which is its usual state."""


class VerificationError(BackupError):
    """What was read back differs from what was saved."""

    code = 30


class BackupNotFoundError(BackupError):
    """No good backup has the given id, or none is old enough."""

    code = 31


class InterruptionError(BackupError):
    """A signal ended the command."""

    code = 130
