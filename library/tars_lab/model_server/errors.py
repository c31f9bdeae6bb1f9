# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception that is reported to clients."""


class ApiError(Exception):
    """An error as Ollama reports it: ``{"error": message}`` with an HTTP status, or as the last line of a stream."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def model_not_found(name: str) -> ApiError:
    """Return the error of show, copy and delete for an unknown model."""
    return ApiError(404, f"model '{name}' not found")


def model_not_pulled(name: str) -> ApiError:
    """Return the error of generate, chat and embed for an unknown model."""
    return ApiError(404, f'model "{name}" not found, try pulling it first')
