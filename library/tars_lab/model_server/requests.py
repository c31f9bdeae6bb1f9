# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of requests, named as in Ollama's api/types.go. Unknown keys are ignored, as Ollama does."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .errors import ApiError
from .names import ModelName
from .settings import parse_duration

KeepAlive = Annotated[float | None, BeforeValidator(lambda value: None if value is None else parse_duration(value))]


class Body(BaseModel):
    """The base of all bodies."""

    model_config = ConfigDict(extra="ignore", frozen=True)


_Body = TypeVar("_Body", bound=Body)


def validate(body: type[_Body], value: bytes | dict[str, Any]) -> _Body:
    """Return a validated body. Raises ApiError(400) with each invalid field, its value, and what is expected."""
    try:
        return body.model_validate_json(value) if isinstance(value, bytes) else body.model_validate(value)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}, found {e['input']!r:.80}" for e in error.errors())
        raise ApiError(400, "; ".join(problems)) from None


class ForModel(Body):
    """A request about one model. `name` is the older spelling of `model`."""

    model: str = ""
    name: str = ""

    @property
    def model_name(self) -> ModelName:
        """The name of the model. Raises ApiError(400) if it is missing or invalid."""
        return ModelName.parse(self.model or self.name)


class Pull(ForModel):
    """POST /api/pull"""

    stream: bool = True


class Show(ForModel):
    """POST /api/show"""


class Delete(ForModel):
    """DELETE /api/delete"""


class Copy(Body):
    """POST /api/copy"""

    source: str = ""
    destination: str = ""


class Options(Body):
    """Options of inference; a missing value is that of the model, or else Ollama's default."""

    num_ctx: int | None = Field(None, gt=0)
    num_predict: int = -1
    num_keep: int = 4
    seed: int = -1
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: list[str] = Field(default_factory=list)


class ForInference(ForModel):
    """The common fields of generate, chat and embed. keep_alive: seconds."""

    options: dict[str, Any] = Field(default_factory=dict)
    keep_alive: KeepAlive = None


class ForGeneration(ForInference):
    """The common fields of generate and chat. format: "json", or a JSON Schema for the answer."""

    stream: bool = True
    format: dict[str, Any] | Literal["json", ""] | None = None
    think: bool | str | None = None


class Generate(ForGeneration):
    """POST /api/generate"""

    prompt: str = ""
    system: str = ""
    raw: bool = False
    images: list[str] = Field(default_factory=list)


class Message(Body):
    """One turn of a conversation."""

    role: str
    content: str = ""
    images: list[str] | None = None


class Chat(ForGeneration):
    """POST /api/chat"""

    messages: list[Message] = Field(default_factory=list)
    tools: list[dict[str, Any]] | None = None


class Embed(ForInference):
    """POST /api/embed"""

    input: str | list[str] = Field(default_factory=list)
    truncate: bool = True
    dimensions: int | None = Field(None, gt=0)


class Embeddings(ForInference):
    """POST /api/embeddings, the older method for one text."""

    prompt: str = ""
