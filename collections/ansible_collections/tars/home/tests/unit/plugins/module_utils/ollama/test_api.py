# SPDX-License-Identifier: GPL-3.0-or-later
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.tars.home.plugins.module_utils.ollama import api as ollama


@pytest.mark.parametrize(
    ("wanted", "here", "missing"),
    [
        (["a"], [], ["a"]),
        (["a"], ["a:latest"], []),
        (["a:latest", "a"], ["a:latest"], []),
        (["a:8b"], ["a:latest"], ["a:8b"]),
        (["host:80/a/b"], ["host:80/a/b:latest"], []),
        (["b", "a", "b"], [], ["b", "a"]),
    ],
)
def test_what_is_missing_is_pulled(wanted, here, missing):
    assert ollama.plan(wanted, dict.fromkeys(here, "d"), {}, exclusive=False) == ollama.Plan(missing, [], [])


def test_others_are_deleted_only_if_asked():
    here = {"a:latest": "1", "old:7b": "2"}
    assert ollama.plan(["a"], here, {}, exclusive=False).delete == []
    assert ollama.plan(["a"], here, {}, exclusive=True).delete == ["old:7b"]


def test_a_moved_tag_is_told():
    here = {"a:latest": "1", "b:latest": "2"}
    assert ollama.plan(["a", "b"], here, {"a": "1", "b": "9", "gone": "3"}, exclusive=False).moved == ["b"]


def test_a_second_plan_is_empty():
    wanted, here = ["a", "b:8b"], {"old:7b": "2"}
    plan = ollama.plan(wanted, here, {}, exclusive=True)
    assert ollama.plan(wanted, ollama.outcome(here, plan), {}, exclusive=True) == ollama.Plan([], [], [])


def test_a_server_without_models_says_null():
    assert ollama.held({"models": None}) == {}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"status": "pulling manifest"}, "pulling m: pulling manifest"),
        ({"status": "pulling 0f", "total": 2_000_000_000}, "pulling m: 0 % of 2000 MB"),
        ({"status": "pulling 0f", "total": 200, "completed": 50}, "pulling m: 25 % of 0 MB"),
    ],
)
def test_progress(event, line):
    assert ollama.progress("m", event) == line


def test_an_error_within_the_stream_is_an_error():
    with pytest.raises(ollama.OllamaError, match="Pulling m failed: file does not exist"):
        list(
            ollama.events(
                [b'{"status":"pulling manifest"}\n', b"\n", b'{"error":"file does not exist"}\n'], "Pulling m"
            )
        )


@pytest.fixture
def server():
    """A server that streams what its `lines` hold, whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.writelines(json.dumps(line).encode() + b"\n" for line in self.server.lines)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        httpd.url = f"http://127.0.0.1:{httpd.server_port}"
        yield httpd
        httpd.shutdown()
        thread.join()


def test_a_pull_to_its_end(server):
    server.lines = [{"status": "pulling manifest"}, {"status": "success"}]
    assert ollama.pull(server.url, "m", 60) is None


def test_a_slice_of_a_pull_says_how_far_it_is(server):
    server.lines = [{"status": "pulling 0f", "total": 4, "completed": 3}, {"status": "success"}]
    assert ollama.pull(server.url, "m", 0) == "pulling m: 75 % of 0 MB"


def test_a_stream_that_ends_without_success_is_no_success(server):
    server.lines = [{"status": "writing manifest"}]
    with pytest.raises(ollama.OllamaError, match="without saying success; last it said: pulling m: writing manifest"):
        ollama.pull(server.url, "m", 60)


def test_a_server_that_is_away():
    with pytest.raises(ollama.OllamaError, match=r"http://127.0.0.1:1/api/tags cannot be reached"):
        ollama.tags("http://127.0.0.1:1")
