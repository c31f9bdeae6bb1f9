# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tars_app.settings import load_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("TARS_CHAT_MODEL", "chat")
    monkeypatch.setenv("TARS_EMBEDDING_MODEL", "embed")
    monkeypatch.setenv("TARS_SECRETS_DIR", str(tmp_path))
    return monkeypatch


def test_passwords_are_files_and_do_not_show(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tars_postgres_password").write_text("hush-hush\n")
    settings = load_settings()
    assert settings.postgres_password.get_secret_value() == "hush-hush"
    assert "hush-hush" not in repr(settings)


def test_several_roots(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TARS_DOCUMENTS", "/documents:/more")
    assert load_settings().documents == [Path("/documents"), Path("/more")]


def test_a_context_too_small_for_passages_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TARS_CONTEXT_TOKENS", "1024")
    environment.setenv("TARS_ANSWER_TOKENS", "800")
    with pytest.raises(ValidationError, match="leaves 224 tokens"):
        load_settings()


def test_a_missing_secrets_folder_is_accepted(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("TARS_SECRETS_DIR", str(tmp_path / "none"))
    assert load_settings().redis_password.get_secret_value() == ""
