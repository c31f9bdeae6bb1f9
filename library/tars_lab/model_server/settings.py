# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings from the environment, with the names and defaults of Ollama's docs/faq."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ApiError

FOREVER_S = float("inf")

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


@dataclass(frozen=True)
class Settings:
    """host and port: where to listen. models: the folder of the store. keep_alive_s: how long idle models stay loaded.

    version: the Ollama release that the server reports, the tag of the image that it replaces.
    """

    version: str
    host: str
    port: int
    models: Path
    keep_alive_s: float
    context_tokens: int
    queue_limit: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings in an environment. Raises ValueError with the name of the invalid variable."""
        host, port = parse_host(environment.get("OLLAMA_HOST", ""))
        try:
            keep_alive_s = parse_duration(environment.get("OLLAMA_KEEP_ALIVE", "5m"))
        except ApiError as error:
            raise ValueError(f"OLLAMA_KEEP_ALIVE: {error.message}") from None
        return cls(
            version=environment.get("OLLAMA_VERSION") or "0.12.6",
            host=host,
            port=port,
            models=Path(environment.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models"),
            keep_alive_s=keep_alive_s,
            context_tokens=int(environment.get("OLLAMA_CONTEXT_LENGTH") or 4096),
            queue_limit=int(environment.get("OLLAMA_MAX_QUEUE") or 512),
        )


def parse_host(text: str) -> tuple[str, int]:
    """Return host and port of ``[scheme://]host[:port]``, IPv6 in brackets. Raises ValueError for an invalid port."""
    rest = text.split("://")[-1].rstrip("/")
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d+))?", rest)
    port = int(match[2] or 11434) if match else 0
    if not match or not 0 < port < 65536:
        raise ValueError(f'OLLAMA_HOST: found "{text}", expected host[:port]')
    return match[1].strip("[]") or "127.0.0.1", port


def parse_duration(value: str | int | float) -> float:
    """Return seconds, from a number or Go's notation ("5m", "1h30m"); infinity if negative. Raises ApiError(400)."""
    if isinstance(value, str):
        sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
        if text.isdecimal():
            seconds = float(text)
        elif re.fullmatch(f"(?:{_DURATION.pattern})+", text):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
        else:
            raise ApiError(400, f'invalid duration "{value}" (expected seconds, or a duration such as "5m")')
        seconds *= sign
    else:
        seconds = float(value)
    return seconds if seconds >= 0 else FOREVER_S
