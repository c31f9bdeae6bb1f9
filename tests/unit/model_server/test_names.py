# SPDX-License-Identifier: GPL-3.0-or-later
"""Names get Ollama's defaults; names with paths outside of the store are rejected."""

import pytest

from tars_lab.model_server.errors import ApiError
from tars_lab.model_server.names import ModelName


@pytest.mark.parametrize(
    ("text", "name", "short"),
    [
        ("all-minilm", ModelName("all-minilm", "latest"), "all-minilm:latest"),
        ("smollm2:135m", ModelName("smollm2", "135m"), "smollm2:135m"),
        ("library/smollm2:135m", ModelName("smollm2", "135m"), "smollm2:135m"),
        ("registry.ollama.ai/library/smollm2:135m", ModelName("smollm2", "135m"), "smollm2:135m"),
        ("someone/m", ModelName("m", "latest", "someone"), "someone/m:latest"),
        ("nas.home.arpa:5000/a/m:1", ModelName("m", "1", "a", "nas.home.arpa:5000"), "nas.home.arpa:5000/a/m:1"),
        ("http://nas/a/m:1", ModelName("m", "1", "a", "nas"), "nas/a/m:1"),
    ],
)
def test_parse(text: str, name: ModelName, short: str) -> None:
    assert ModelName.parse(text) == name
    assert str(name) == short
    assert ModelName.parse(short) == name


@pytest.mark.parametrize(
    "text", ["", ":", "m:", "a/b/c/d", "../m", "a/../m", "m:..", "m:a/b", "m\n", "/m", ".m", "m" * 81]
)
def test_invalid_names_are_rejected(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        ModelName.parse(text)
    assert caught.value.status == 400
