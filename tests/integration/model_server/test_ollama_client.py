# SPDX-License-Identifier: GPL-3.0-or-later
"""The official `ollama` client works with the model server."""

import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import ollama
import psutil
import pytest

from ..servers import wait_for
from .conftest import CHAT, EMBEDDING, Server

pytestmark = pytest.mark.integration

# The same context size for all tests, because another one would reload the model.
OPTIONS = {"num_ctx": 1024, "temperature": 0, "num_predict": 24, "repeat_penalty": 1.0}
# Without chance and penalty, this small model repeats itself for ever.
ENDLESS = {**OPTIONS, "num_ctx": 8192, "num_predict": -1}
QUESTION = [{"role": "user", "content": "Paris is the capital of France. What is the capital of France?"}]


def dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def runners(server: Server) -> list[psutil.Process]:
    assert server.process
    return psutil.Process(server.process.pid).children()


def test_pull_reports_progress_and_stores_blobs_with_their_digests(client: ollama.Client, server: Server) -> None:
    events = list(client.pull(CHAT, stream=True))
    assert events[0].status == "pulling manifest"
    assert [event.status for event in events[-3:]] == ["verifying sha256 digest", "writing manifest", "success"]
    progress = {event.digest: event for event in events if event.digest}
    manifest = json.loads((server.models / "manifests/registry.ollama.ai/library/smollm2/135m").read_bytes())
    assert set(progress) == {entry["digest"] for entry in (manifest["config"], *manifest["layers"])}
    for digest, last in progress.items():
        blob = server.models / "blobs" / digest.replace(":", "-")
        assert last.completed == last.total == blob.stat().st_size
        assert f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}" == digest


def test_list_and_show(client: ollama.Client, server: Server, models: None) -> None:
    listed = {model.model: model for model in client.list().models}
    assert set(listed) == {CHAT, f"{EMBEDDING}:latest"}
    manifest = (server.models / "manifests/registry.ollama.ai/library/smollm2/135m").read_bytes()
    assert listed[CHAT].digest == hashlib.sha256(manifest).hexdigest()
    modified = listed[CHAT].modified_at
    assert modified and modified < datetime.now(UTC)
    shown = client.show(CHAT)
    assert shown.details and (shown.details.format, shown.details.quantization_level) == ("gguf", "Q4_1")
    assert shown.capabilities == ["completion"]
    assert shown.modelinfo and shown.modelinfo["llama.context_length"] == 8192
    assert client.show(EMBEDDING).capabilities == ["embedding"]
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found") as caught:
        client.show("nobody")
    assert caught.value.status_code == 404


def test_chat(client: ollama.Client, models: None) -> None:
    whole = client.chat(CHAT, QUESTION, options=OPTIONS)
    assert whole.message.role == "assistant"
    assert whole.message.content and "Paris" in whole.message.content
    assert whole.done and whole.done_reason in {"stop", "length"}
    # The template's own tokens and the question: more than its words, and no more than a sentence.
    assert whole.prompt_eval_count and 10 < whole.prompt_eval_count < 60
    assert whole.eval_count and 0 < whole.eval_count <= 24
    assert whole.total_duration and whole.prompt_eval_duration and whole.eval_duration
    assert whole.total_duration >= whole.eval_duration

    pieces = list(client.chat(CHAT, QUESTION, options=OPTIONS, stream=True))
    assert len(pieces) > 3
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].eval_count == whole.eval_count
    assert pieces[-1].load_duration == 0


def test_generate(client: ollama.Client, models: None) -> None:
    pieces = list(client.generate(CHAT, "Count from one to twenty.", options=OPTIONS, stream=True))
    whole = client.generate(CHAT, "Count from one to twenty.", options=OPTIONS)
    assert "".join(piece.response or "" for piece in pieces) == whole.response != ""
    cut = client.generate(CHAT, "Count from one to twenty.", options={**OPTIONS, "num_predict": 5})
    assert (cut.eval_count, cut.done_reason) == (5, "length")


def test_options_reach_the_model(client: ollama.Client, models: None) -> None:
    def story(seed: int) -> str:
        options = {**OPTIONS, "temperature": 1.5, "seed": seed}
        return client.generate(CHAT, "Tell a story.", options=options).response or ""

    assert story(1) == story(1)
    assert len({story(seed) for seed in range(2, 6)}) > 1
    word = story(1).split()[2]
    stopped = client.generate(CHAT, "Tell a story.", options={**OPTIONS, "temperature": 1.5, "seed": 1, "stop": [word]})
    assert word not in (stopped.response or "")
    assert stopped.done_reason == "stop"


def test_answer_in_a_json_schema(client: ollama.Client, models: None) -> None:
    shape = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}
    answer = client.chat(CHAT, QUESTION, options={**OPTIONS, "num_predict": 60}, format=shape)
    assert set(json.loads(answer.message.content or "")) == {"city"}


def test_a_prompt_that_is_too_long_is_truncated_and_counted(client: ollama.Client, models: None) -> None:
    answer = client.generate(CHAT, "word " * 3000, options={**OPTIONS, "num_predict": 1})
    assert answer.prompt_eval_count and answer.prompt_eval_count < OPTIONS["num_ctx"]
    turns = [{"role": "user", "content": f"{i} " * 300} for i in range(5)]
    system = {"role": "system", "content": "Answer in one word."}
    kept = client.chat(CHAT, [system, *turns, *QUESTION], options=OPTIONS)
    assert kept.prompt_eval_count and 600 < kept.prompt_eval_count < OPTIONS["num_ctx"]


def test_embed(client: ollama.Client, models: None) -> None:
    texts = [
        "The heating was serviced in March.",
        "Maintenance of the boiler took place in spring.",
        "Apple pie recipe",
    ]
    answer = client.embed(EMBEDDING, texts)
    heating, boiler, pie = answer.embeddings
    assert len(heating) == 384
    assert dot(heating, heating) == pytest.approx(1, abs=1e-5)
    assert dot(heating, boiler) > dot(heating, pie) + 0.2
    assert answer.prompt_eval_count and 15 < answer.prompt_eval_count < 50
    assert client.embed(EMBEDDING, texts[0]).embeddings == [heating]
    assert client.embeddings(EMBEDDING, texts[0]).embedding == heating
    assert client.embed(EMBEDDING, []).embeddings == []


def test_embedding_of_a_long_text_is_that_of_its_beginning(client: ollama.Client, models: None) -> None:
    answer = client.embed(EMBEDDING, "house " * 2000)
    assert answer.prompt_eval_count == 256
    assert answer.embeddings == client.embed(EMBEDDING, "house " * 254).embeddings
    with pytest.raises(ollama.ResponseError, match="input length exceeds the context length") as caught:
        client.embed(EMBEDDING, "house " * 2000, truncate=False)
    assert caught.value.status_code == 400


def test_loaded_models_and_keep_alive(client: ollama.Client, server: Server, models: None) -> None:
    client.chat(CHAT, QUESTION, options=OPTIONS, keep_alive="1h")
    loaded = {model.model: model for model in client.ps().models}[CHAT]
    assert loaded.size_vram == 0
    assert loaded.size and loaded.size > 50e6
    assert loaded.context_length == OPTIONS["num_ctx"]
    assert loaded.expires_at
    assert timedelta(minutes=55) < loaded.expires_at - datetime.now(UTC) < timedelta(minutes=61)

    before = len(runners(server))
    unloaded = client.generate(CHAT, keep_alive=0)
    assert unloaded.done_reason == "unload"
    assert CHAT not in {model.model for model in client.ps().models}
    wait_for(lambda: len(runners(server)) == before - 1, "the end of its runner")

    assert client.generate(CHAT, options={"num_ctx": 1024}, keep_alive=0.1).done_reason == "load"
    wait_for(lambda: CHAT not in {model.model for model in client.ps().models}, "the end of the model's keep_alive")


@pytest.mark.parametrize("stream", [True, False])
def test_disconnecting_ends_the_generation(client: ollama.Client, server: Server, models: None, stream: bool) -> None:
    """The next client can use the model at once, instead of waiting for thousands of tokens."""
    body = {"model": CHAT, "prompt": "Tell a story.", "stream": stream, "options": ENDLESS}
    client.generate(CHAT, options={"num_ctx": 8192})
    if stream:
        with httpx.stream("POST", f"{server.url}/api/generate", json=body, timeout=60) as response:
            next(response.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/api/generate", json=body, timeout=httpx.Timeout(60, read=1))
    assert client.chat(CHAT, QUESTION, options={**OPTIONS, "num_ctx": 8192}).done


def test_requests_are_queued(client: ollama.Client, server: Server, models: None) -> None:
    answers: list[str] = []

    def ask() -> None:
        answers.append(client.chat(CHAT, QUESTION, options=OPTIONS).message.content or "")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 and len(set(answers)) == 1


def test_a_killed_runner_is_an_error_and_the_next_request_reloads_the_model(
    client: ollama.Client, server: Server, models: None
) -> None:
    others = {process.pid for process in runners(server)}
    client.generate(CHAT, keep_alive=0)
    others &= {process.pid for process in runners(server)}
    pieces = client.generate(CHAT, "Tell a story.", options=ENDLESS, stream=True)
    next(pieces)
    (runner,) = (process for process in runners(server) if process.pid not in others)
    runner.kill()
    with pytest.raises(ollama.ResponseError, match="runner process no longer running"):
        list(pieces)
    assert client.chat(CHAT, QUESTION, options=OPTIONS).done


def test_unknown_model(client: ollama.Client) -> None:
    for call in (
        lambda: client.chat("nobody", QUESTION),
        lambda: client.chat("nobody", QUESTION, stream=True).__next__(),
        lambda: client.generate("nobody", "x"),
        lambda: client.embed("nobody", "x"),
    ):
        with pytest.raises(ollama.ResponseError, match='model "nobody" not found, try pulling it first') as caught:
            call()
        assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="pull model manifest: file does not exist"):
        client.pull("nobody")
    with pytest.raises(ollama.ResponseError, match="pull model manifest: file does not exist"):
        list(client.pull("nobody", stream=True))


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/api/chat", b"", "missing request body"),
        ("/api/chat", b"{", "Invalid JSON"),
        ("/api/chat", b"{}", "model is required"),
        ("/api/chat", b'{"model": 5}', "model: .*string"),
        ("/api/chat", b'{"model": "smollm2:135m", "options": {"num_ctx": "many"}}', "num_ctx: .*integer"),
        ("/api/chat", b'{"model": "smollm2:135m", "keep_alive": "soon"}', "invalid duration"),
        ("/api/chat", b'{"model": "all-minilm", "messages": [{"role": "user"}]}', "does not support chat"),
        ("/api/embed", b'{"model": "smollm2:135m", "input": "x"}', "does not support embeddings"),
        ("/api/generate", b'{"model": "../../etc/passwd", "prompt": "x"}', "invalid model name"),
    ],
)
def test_bad_requests(server: Server, models: None, path: str, body: bytes, message: str) -> None:
    response = httpx.post(server.url + path, content=body, timeout=60)
    assert response.status_code == 400
    assert re.search(message, response.json()["error"])


def test_blobs(server: Server) -> None:
    content = b"a layer"
    url = f"{server.url}/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    assert httpx.head(url, timeout=60).status_code == 404
    assert httpx.post(url, content=b"another", timeout=60).status_code == 400
    assert httpx.head(url, timeout=60).status_code == 404
    assert httpx.post(url, content=content, timeout=60).status_code == 201
    assert httpx.head(url, timeout=60).status_code == 200


def test_copy_and_delete(client: ollama.Client, server: Server, models: None) -> None:
    blobs = server.models / "blobs"
    digest = next(event.digest for event in client.pull(CHAT, stream=True) if event.digest)
    weights = blobs / digest.replace(":", "-")
    client.copy(CHAT, "mine")
    client.delete(CHAT)
    assert weights.exists(), "a layer that another model uses must stay"
    assert client.chat("mine", QUESTION, options=OPTIONS).done
    client.delete("mine")
    assert not weights.exists()
    assert "mine:latest" not in {model.model for model in client.list().models}
    with pytest.raises(ollama.ResponseError) as caught:
        client.delete("mine")
    assert caught.value.status_code == 404


def test_state_survives_a_restart_and_no_process_is_left(client: ollama.Client, server: Server, models: None) -> None:
    client.chat(CHAT, QUESTION, options=OPTIONS)
    before, processes = client.list(), runners(server)
    assert processes
    server.stop()
    assert not any(process.is_running() for process in processes)
    server.start()
    assert client.list() == before
    assert client.chat(CHAT, QUESTION, options=OPTIONS).done


def test_runners_do_not_outlive_a_killed_server(client: ollama.Client, server: Server, models: None) -> None:
    client.chat(CHAT, QUESTION, options=OPTIONS)
    processes = runners(server)
    assert processes and server.process
    server.process.kill()
    server.process.wait()
    _, alive = psutil.wait_procs(processes, timeout=180)
    server.start()
    assert alive == []


def test_list_command_as_a_health_check(server: Server, models: None) -> None:
    done = subprocess.run(server.command("list"), env=server.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert {row.split()[0] for row in rows} == {CHAT, f"{EMBEDDING}:latest"}
    nobody = {**server.environment, "OLLAMA_HOST": "127.0.0.1:1"}
    failed = subprocess.run(server.command("list"), env=nobody, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "could not connect to ollama at 127.0.0.1:1" in failed.stderr
