# SPDX-License-Identifier: GPL-3.0-or-later
"""Model names: ``[host/][namespace/]model[:tag]`` with Ollama's defaults."""

import re
from dataclasses import dataclass

from .errors import ApiError

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

# A part becomes a folder or file name of the store, so it may not start with a dot.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,254}(:\d{1,5})?")


@dataclass(frozen=True)
class ModelName:
    """A fully qualified name. str() returns the short form that `ollama list` prints."""

    model: str
    tag: str = DEFAULT_TAG
    namespace: str = DEFAULT_NAMESPACE
    host: str = DEFAULT_HOST

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Return the name in a text. Raises ApiError(400) if a part is empty, too long or has invalid characters."""
        if not text:
            raise ApiError(400, "model is required")
        *path, last = text.removeprefix("https://").removeprefix("http://").split("/")
        model, colon, tag = last.partition(":")
        namespace = path[-1] if path else DEFAULT_NAMESPACE
        host = path[0] if len(path) == 2 else DEFAULT_HOST
        tag = tag if colon else DEFAULT_TAG
        if len(path) > 2 or not _HOST.fullmatch(host) or not all(_PART.fullmatch(p) for p in (namespace, model, tag)):
            raise ApiError(400, f'invalid model name: "{text}" (expected [host/][namespace/]model[:tag])')
        return cls(model, tag, namespace, host)

    def __str__(self) -> str:
        prefix = ""
        if self.host != DEFAULT_HOST:
            prefix = f"{self.host}/{self.namespace}/"
        elif self.namespace != DEFAULT_NAMESPACE:
            prefix = f"{self.namespace}/"
        return f"{prefix}{self.model}:{self.tag}"
