# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence of a drill as the words that docker gets, its passwords, and the pages of its reports."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tars_backup import processes
from tars_backup.actions import drill
from tars_backup.components.postgres.session import Session
from tars_backup.configuration import Configuration, Question
from tars_backup.context import Context
from tars_backup.contract import Contract, Service
from tars_backup.deadline import Deadline
from tars_backup.drilling import questions, report, scratch
from tars_backup.drilling.fence import DockerFence, Fence, contract_of, secrets_of
from tars_backup.drilling.outcome import Check, Outcome, Step
from tars_backup.drilling.questions import Asked
from tars_backup.errors import BackupError, InterruptionError
from tars_backup.instants import UTC
from tars_backup.processes import Finished
from tars_backup.services import Health, Stack


@pytest.fixture
def living(tmp_path: Path) -> Contract:
    """Return the contract of a household whose users are the one that runs the tests."""
    volumes = {"postgres": "/var/lib/postgresql/data", "redis": "/data", "chroma": "/data", "ollama": "/models"}
    services = {
        name: Service(f"tars-{name}-1", name, 0, ((tmp_path / "living" / name, target),))
        for name, target in volumes.items()
    }
    services |= {name: Service(f"tars-{name}-1", "tars-app:1", 0, ()) for name in ("app", "worker")}
    return Contract(
        version="1",
        project="tars",
        folder=tmp_path,
        compose_file=tmp_path,
        data_folder=tmp_path / "living",
        documents_folder=tmp_path,
        application={"image": "tars-app:1"},
        images={},
        services=services,
        database={"service": "postgres", "password_file": str(tmp_path / "living-password")},
        queue={"service": "redis", "port": 6379, "password_file": str(tmp_path / "living-password")},
        vectors={"service": "chroma"},
        models={"service": "ollama", "port": 11434},
        page={},
    )


class FakeDocker:
    """Records calls of docker, and answers with what the household's containers are."""

    def __init__(self, *, internal: bool = True) -> None:
        self.calls: list[str] = []
        self.internal = internal

    def run(self, command: Sequence[str], *, deadline_s: float) -> bytes:
        assert deadline_s > 0
        self.calls.append(" ".join(command))
        if command[1:3] == ["network", "inspect"]:
            return json.dumps([{"Internal": self.internal and command[3] == "tars_back"}]).encode()
        if command[2:3] == ["inspect"]:
            configuration = {"Env": ["TARS_POSTGRES_HOST=postgres"], "Cmd": ["serve"]}
            networks: dict[str, Any] = {"tars_out": {}, "tars_back": {}}
            return json.dumps([{"Config": configuration, "NetworkSettings": {"Networks": networks}}]).encode()
        if command[1:3] in (["ps", "--all"], ["network", "ls"]):
            return b"1a\n2b\n"
        return b""


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker()
    monkeypatch.setattr(processes, "run", fake.run)
    return fake


class TestFence:
    """Docker itself runs in the end-to-end test of the drill."""

    def test_nothing_of_the_household_is_named(self, living: Contract, tmp_path: Path) -> None:
        contract = contract_of(living, tmp_path / "drill")
        assert contract.project == "tars-drill"
        assert {service.container for service in contract.services.values()}.isdisjoint(
            service.container for service in living.services.values()
        )
        for service in contract.services.values():
            assert all(tmp_path / "drill" in source.parents for source, _target in service.volumes)
        for entry in (contract.database, contract.queue):
            assert tmp_path / "drill" in Path(entry["password_file"]).parents

    def test_each_service_gets_the_passwords_that_it_needs(self, living: Contract, tmp_path: Path) -> None:
        contract = contract_of(living, tmp_path / "drill")
        values = {
            name: {target: source.read_text() for source, target in secrets_of(contract, name).items()}
            for name in contract.services
        }
        assert values["app"] == values["worker"] and values["chroma"] == {} == values["ollama"]
        database, queue = (
            values["postgres"]["/run/secrets/postgres_password"],
            values["redis"]["/run/secrets/redis_password"],
        )
        assert values["app"] == {
            "/run/secrets/tars_postgres_password": database,
            "/run/secrets/tars_redis_password": queue,
        }
        assert f"requirepass {queue}" in values["redis"]["/run/secrets/redis.conf"]
        again = contract_of(living, tmp_path / "again")
        assert Path(again.database["password_file"]).read_text() != database != queue

    def test_services_run_without_a_way_out(self, living: Contract, tmp_path: Path, docker: FakeDocker) -> None:
        fence = DockerFence(living, contract_of(living, tmp_path / "drill"))
        fence.open()
        assert docker.calls[-1] == "docker network create --internal --label tars.drill=tars-drill tars-drill"
        fence.launch("app")
        words = docker.calls[-1]
        assert words.startswith(
            "docker run --detach --name tars-drill-app --network tars-drill --network-alias app"
            " --label tars.drill=tars-drill --cpu-shares 128 --restart no"
        )
        assert words.endswith("--env TARS_POSTGRES_HOST=postgres tars-app:1 serve")
        assert "--publish" not in words and "/documents" not in words and f"{tmp_path}/living" not in words

    def test_the_relay_alone_joins_the_household(self, living: Contract, tmp_path: Path, docker: FakeDocker) -> None:
        DockerFence(living, contract_of(living, tmp_path / "drill")).relay_models()
        assert docker.calls[-3].endswith(" tars-ollama-1 11434") and "--network tars-drill" in docker.calls[-3]
        assert docker.calls[-2:] == [
            "docker network connect tars_back tars-drill-ollama",
            "docker start tars-drill-ollama",
        ]

    def test_a_model_server_on_open_networks_alone_is_refused(
        self, living: Contract, tmp_path: Path, docker: FakeDocker
    ) -> None:
        docker.internal = False
        with pytest.raises(BackupError, match="found the networks tars_out, tars_back, which lead out of the machine"):
            DockerFence(living, contract_of(living, tmp_path / "drill")).relay_models()
        assert not any("create" in call for call in docker.calls)

    def test_everything_with_the_label_is_removed(self, living: Contract, tmp_path: Path, docker: FakeDocker) -> None:
        DockerFence(living, contract_of(living, tmp_path / "drill")).close()
        removed = [call.rsplit(" ", 1)[1] for call in docker.calls if " rm " in call]
        assert removed == ["1a", "2b", "1a", "2b"]


RESULT = {"source": "docs", "path": "a/boiler.txt", "also_in": [{"source": "old", "path": "boiler.txt"}]}


class TestQuestions:
    """Whether an answer has the expected document among its sources."""

    @pytest.mark.parametrize("path", ["a/boiler.txt", "docs/a/boiler.txt", "boiler.txt", "old/boiler.txt"])
    def test_with_and_without_the_share(self, path: str) -> None:
        asked = questions._compared(Question("?", path), {"results": [RESULT], "seconds": 0.1}, generated=False)
        assert asked.problem == "" and asked.sources == ("docs/a/boiler.txt", "old/boiler.txt")

    @pytest.mark.parametrize("path", ["roof.txt", "a", "docs/boiler.txt"])
    def test_another_document(self, path: str) -> None:
        asked = questions._compared(Question("?", path), {"results": [RESULT], "seconds": 0.1}, generated=True)
        assert asked.problem == "the expected document is not among the sources"

    def test_an_error_is_the_problem(self) -> None:
        asked = questions._compared(Question("?", "a"), {"status": 503, "message": "no model"}, generated=True)
        assert asked.problem == "status 503: no model"

    def test_a_service_that_has_ended_is_named_with_its_last_lines(self) -> None:
        class Ended:
            def health(self, _service: str) -> Health:
                return Health(False, False, 0, "exited with status 1: no space left")

        with pytest.raises(BackupError, match="service worker of the drill: found exited with status 1: no space left"):
            questions.require_running(cast(Stack, Ended()), ["worker"])

    def test_the_longest_sentences(self) -> None:
        text = "A heading\n\nThe pump is in the old cellar. It was replaced in the spring of 2024 by Jansen! Yes."
        assert questions._sentences(text) == [
            "It was replaced in the spring of 2024 by Jansen!",
            "The pump is in the old cellar.",
        ]
        assert questions._sentences("one two") == []


def outcome(**changes: Any) -> Outcome:
    """Return a drill with a problem of each kind."""
    at = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
    filled = Outcome(
        at,
        "NAS",
        backup="20261103T013000Z-0badcafe",
        made_at=at,
        versions={"tars": "0.2.0"},
        age_s=1800.0,
        recovery_s=75.5,
        steps=[Step("read", 20.0), Step("load", 55.5)],
        checks=[Check("rows", True, "9 rows", "9 rows"), Check("vectors", False, "8", "9")],
        questions=[Asked("Where is <b>it</b>?", "a & b.txt", False, ("docs/c.txt",), "not among the sources", 0.1)],
    )
    return replace(filled, **changes)


class TestCopies:
    """Which drills read a copy."""

    @pytest.mark.parametrize(
        ("copies", "expected"),
        [
            ((), [None, None, None, None, None, None]),
            (("attic",), [None, None, "attic", None, None, "attic"]),
            (("attic", "office"), [None, None, "office", None, None, "attic"]),
        ],
    )
    def test_each_third_in_turn(self, copies: Sequence[str], expected: list[str | None]) -> None:
        configuration = SimpleNamespace(copies=dict.fromkeys(copies))
        result = outcome()
        due = [drill._due_copy(cast(Configuration, configuration), number, result) for number in range(1, 7)]
        assert due == expected
        assert result.note == ("" if copies else "A copy was due, but none is configured.")


class TestReport:
    """The page is one file without scripts or links, and shows what is in the JSON."""

    def test_problems(self) -> None:
        assert outcome().problems() == [
            "vectors: 8, not 9",
            "question 'Where is <b>it</b>?': not among the sources",
        ]

    def test_page(self) -> None:
        earlier = [{"at": "2026-10-03T02:00:00Z", "ok": True, "recovery_s": 60.0, "age_s": 100000.0}]
        page = report.page(outcome(message="a < b").document(), earlier)
        assert "&lt;b&gt;it&lt;/b&gt;" in page and "a &amp; b.txt" in page and "a &lt; b" in page
        assert "<script" not in page and "href" not in page and "src=" not in page
        drawings = [part.partition("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
        texts = [[node.text for node in ET.fromstring(f"<svg{drawing}")] for drawing in drawings]  # noqa: S314  made here
        assert ["read", None, "20.0 s", "load", None, "55.5 s"] in texts
        assert ["2026-10-03", None, "60.0 s", "2026-11-03", None, "75.5 s"] in texts
        assert ["2026-10-03", None, "27.8 h", "2026-11-03", None, "30.0 min"] in texts

    def test_a_drill_that_failed_at_its_start(self) -> None:
        page = report.page(Outcome(datetime(2026, 11, 3, tzinfo=UTC), "NAS", message="no share").document(), [])
        assert "failed" in page and "no share" in page and "not measured" in page and "<svg" not in page

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(None, "not measured"), (3, "3.0 s"), (150, "2.5 min"), (9000, "2.5 h"), (2e5, "2.3 days")],
    )
    def test_durations(self, seconds: float | None, text: str) -> None:
        assert report._duration(seconds) == text

    def test_earlier_reports_of_another_form_are_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "1.json").write_text("{")
        (tmp_path / "2.json").write_text('{"at": "2026"}')
        (tmp_path / "3.json").write_text(json.dumps(outcome().document()))
        assert [entry["recovery_s"] for entry in report._earlier(tmp_path)] == [75.5]


class TestWaiting:
    """A service that is not ready yet is asked again; its reason is shown once."""

    def test_a_condition(self, living: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scratch, "_PAUSE_S", 0)
        lines: list[str] = []
        context = cast(
            Context,
            SimpleNamespace(configuration=SimpleNamespace(drill=tmp_path), deadline=None, progress=lines.append),
        )
        fence = cast(Fence, SimpleNamespace(health=lambda _service: Health(True, True, 0, "")))
        rehearsal = scratch.Rehearsal(context, living, fence, Outcome(datetime(2026, 11, 30, tzinfo=UTC), "NAS"))
        answers: list[object] = [None, "starting", "starting", 5]

        def condition() -> int | None:
            answer = answers.pop(0)
            if isinstance(answer, str):
                raise BackupError("postgres", found=answer, expected="an answer")
            return cast("int | None", answer)

        assert rehearsal._wait(condition, ["postgres"]) == 5
        assert lines == ["waiting for postgres: postgres: found starting; expected an answer"]

        def interrupted() -> None:
            raise InterruptionError("run", found="signal SIGTERM", expected="no interruption")

        with pytest.raises(InterruptionError):
            rehearsal._wait(interrupted, ["postgres"])

    def test_the_application(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(questions, "_PAUSE_S", 0)
        answers = [Finished(1, b"", "not yet"), Finished(0, b"[]", "")]
        services = cast(
            Stack,
            SimpleNamespace(exec=lambda *_, **__: answers.pop(0), health=lambda _service: Health(True, True, 0, "")),
        )
        assert questions.ask(services, "app", [], 0, Deadline(60)) == []
        assert answers == []


def test_one_question_of_a_document_and_none_without_a_sentence() -> None:
    sentence = "The boiler was serviced by the plumber in the month of March."
    rows = [
        {"path": "a.txt", "text": sentence},
        {"path": "a.txt", "text": sentence},
        {"path": "b.txt", "text": "Too short."},
    ]
    session = cast(Session, SimpleNamespace(query=lambda text: rows if "LATERAL" in text else [{"count": 1}]))
    assert [question.path for question in questions.generate(session, "seed")] == ["a.txt"]
