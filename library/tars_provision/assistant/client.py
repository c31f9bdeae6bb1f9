# SPDX-License-Identifier: GPL-3.0-or-later
"""Client of the application on the desktop, over TLS with a certificate that the site's authority signed."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tars_provision import next_step
from tars_provision.controller import trust
from tars_provision.errors import ProvisionError, message
from tars_provision.spec.model import Site

ANSWER_TIMEOUT_S = 300
"""Longest pause in an answer. Without a GPU the model reads a full context for minutes."""


class AskError(ProvisionError):
    """The application cannot be reached, or did not answer a question."""


class RefusedError(AskError):
    """The application refuses a request; `body` is what it answered, with a code for programs."""

    def __init__(self, text: str, body: dict[str, Any]) -> None:
        super().__init__(text)
        self.body = body

    def as_data(self) -> dict[str, Any]:
        """Return the message, and the details that the application gave."""
        details = {name: value for name, value in self.body.items() if name not in ("message", "next_step")}
        return {**super().as_data(), **details}


@dataclass(frozen=True)
class Endpoint:
    """Where the application answers: connect to `address`, expect a certificate of `name` signed by `authority`."""

    address: str
    name: str
    authority: Path
    port: int = 443

    @property
    def url(self) -> str:
        """The page's address."""
        return f"https://{self.name}/"

    @property
    def inventory(self) -> Path:
        """The site's folder."""
        return self.authority.parents[1]


def endpoint(site: Site, inventory_dir: Path) -> Endpoint:
    """Return the endpoint of a site's application."""
    name = site.names_of(site.desktop)[0]
    return Endpoint(str(site.desktop_host.address), name, trust.authority_file(inventory_dir))


def client(to: Endpoint) -> httpx.Client:
    """Return an HTTP client that accepts the application's certificate alone. Raises AskError."""
    try:
        context = ssl.create_default_context(cafile=str(to.authority))
    except (OSError, ssl.SSLError) as error:
        raise AskError(trust.no_authority(to.inventory, error)) from error
    # The environment's proxies are for the Internet; the desktop is in the home network.
    return httpx.Client(
        base_url=f"https://{to.address}:{to.port}",
        verify=context,
        headers={"host": to.name},
        timeout=httpx.Timeout(10, read=ANSWER_TIMEOUT_S),
        trust_env=False,
    )


def get(to: Endpoint, path: str) -> Any:
    """Return the JSON of the response to a GET, whatever its status. Raises AskError."""
    try:
        with client(to) as http:
            response = http.get(path, extensions={"sni_hostname": to.name})
        return response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise unreachable(to, error) from error


def query(to: Endpoint, path: str, /, **parameters: str | None) -> dict[str, Any]:
    """Return the JSON object of the response to a GET. Parameters that are None are left out.

    Raises:
        RefusedError: the application answered with an error.
        AskError: it cannot be reached.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    return _exchange(to, "GET", path, params=given)


def download(to: Endpoint, path: str, /, **parameters: str | None) -> bytes:
    """Return the whole response to a GET. Parameters that are None are left out.

    Raises:
        RefusedError: the application answered with an error.
        AskError: it cannot be reached, or the response broke off.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        with client(to) as http:
            response = http.get(path, params=given, extensions={"sni_hostname": to.name})
    except httpx.HTTPError as error:
        raise unreachable(to, error) from error
    if response.is_error:
        body = response.json() if "json" in response.headers.get("content-type", "") else {}
        raise _refused(to, response, body)
    return response.content


def send(to: Endpoint, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Send a request that changes something; return the JSON object of the response, an empty one without content.

    Raises:
        RefusedError: the application answered with an error.
        AskError: it cannot be reached.
    """
    return _exchange(to, method, path, json=body)


def _exchange(to: Endpoint, method: str, path: str, **content: Any) -> dict[str, Any]:
    try:
        with client(to) as http:
            response = http.request(method, path, extensions={"sni_hostname": to.name}, **content)
        body: dict[str, Any] = response.json() if response.content else {}
    except (httpx.HTTPError, ValueError) as error:
        raise unreachable(to, error) from error
    if response.is_error:
        raise _refused(to, response, body)
    return body


def _refused(to: Endpoint, response: httpx.Response, body: dict[str, Any]) -> RefusedError:
    return RefusedError(_sentences(body) or f"{to.url}: {refusal(response)}", body)


def _sentences(body: dict[str, Any]) -> str:
    return " ".join(
        text if text.endswith(".") else f"{text}." for text in (body.get("message"), body.get("next_step")) if text
    )


def ask(to: Endpoint, question: str, **time: str | bool | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask a question and yield the answer's events as they come: sources, token (many), done.

    `time` are fields of the request: `as_of`, `since`, `latest` and `interpret`. Those that are None are left out.

    A stream that ends, or is cut, without a single event is requested once more. Raises :class:`AskError` if the
    application reports an error, cannot be reached, or ends without an answer.
    """
    last = ""
    for _ in range(2):
        for last, data in _stream(to, question, time):
            yield last, data
        if last:
            break
    if last != "done":
        actual = f"a stream that ended after {last or 'no event'}"
        raise AskError(message(to.url, found=actual, expected="a whole answer", next_step="Ask again"))


def _stream(to: Endpoint, question: str, time: Mapping[str, str | bool | None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Send a question and yield the events of the response."""
    body = {"question": question} | {name: value for name, value in time.items() if value is not None}
    received = False
    try:
        with (
            client(to) as http,
            http.stream("POST", "/api/ask", json=body, extensions={"sni_hostname": to.name}) as response,
        ):
            if response.is_error:
                actual = f"HTTP {response.status_code}: {refusal(response)}"
                raise AskError(message(to.url, found=actual, expected="an answer"))
            for name, data in events(response.iter_lines()):
                if name == "error":
                    raise AskError(" ".join(filter(None, (data.get("message"), data.get("next_step")))))
                received = True
                yield name, data
    except httpx.RemoteProtocolError as error:
        if received:
            raise unreachable(to, error) from error
    except (httpx.HTTPError, ValueError) as error:
        raise unreachable(to, error) from error


def events(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and JSON data of each server-sent event (WHATWG HTML, 9.2.6: fields by line, events by empty line)."""
    name, data = "message", []
    for line in lines:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            data.append(value)
        elif not line:
            if data:
                yield name, json.loads("\n".join(data))
            name, data = "message", []


def refusal(response: httpx.Response) -> str:
    """Return the message of an error response."""
    response.read()
    try:
        body = response.json()
    except ValueError:
        return response.text.strip()[:300] or response.reason_phrase
    return str(body.get("detail") or body.get("message") or body) if isinstance(body, dict) else str(body)


def unreachable(to: Endpoint, error: Exception) -> AskError:
    """Return the error for an application that did not answer."""
    return AskError(
        message(
            f"{to.url} at {to.address}:{to.port}",
            found=f"{type(error).__name__}: {error}",
            expected="an answer",
            next_step=f"{next_step.command('verify', '-i', to.inventory)} shows which part does not work",
        )
    )


_DOUBTS = {
    "absent": "is in no passage that was read",
    "other": "is in the passages, but belongs to something else",
    "calculation": "is not the result of the calculation",
}


def citation(number: int, cited: dict[str, Any], sources: dict[int, dict[str, Any]]) -> str:
    """Return a citation as a line: `[1] LLM_docs/house/heating.pdf, page 3: "..."`.

    What was not read of its document follows in brackets.
    """
    source = sources.get(int(cited["source"]), {})
    place = "/".join(filter(None, (source.get("source"), source.get("path")))) or f"source {cited['source']}"
    label = f", {cited['label']}" if cited.get("label") else ""
    label += superseded(source.get("superseded"))
    note = f" ({source['note']})" if source.get("note") else ""
    return f'[{number}] {place}{label}: "{" ".join(str(cited["quote"]).split())}"{note}'


def understood(time: dict[str, Any] | None) -> str:
    """Return the time that was read from the question as a line, empty for none."""
    if not time:
        return ""
    days = f"{time['first']} to {time['last']}" if time["first"] != time["last"] else time["first"]
    span = f"from {days}" if time["first"] else f"until {time['last']}"
    meaning = {
        "as_of": f"the documents as they were at the end of {time['last']}",
        "between": f"the documents of all times {span}",
        "period": f"documents of {days} first",
        "latest": "the latest documents first",
    }[time["kind"]]
    return f'"{time["text"]}" is understood as: {meaning}; --literal takes it as words'


def superseded(later: dict[str, Any] | None) -> str:
    """Return what became of a cited passage as the end of its place: `, changed on 2024-05-04`."""
    if not later:
        return ""
    words = {"changed": "changed", "deleted": "deleted"}.get(later["state"], "file changed, not readable since")
    reason = f": {later['error']}" if later.get("error") else ""
    return f", {words} on {str(later['at'])[:10]}{reason}"


def unread(file: dict[str, Any] | None) -> str:
    """Return the file that was not read and whose name fits the question as a line, empty for none."""
    if not file:
        return ""
    return (
        f"not read: {file['source']}/{file['path']} ({file['state']}), whose name fits the question. {file['reason']}"
    )


def doubt(part: dict[str, Any]) -> str:
    """Return a part of the answer that the documents do not support as a line: `! "£150" is in no passage`."""
    return f'! "{part["text"]}" {_DOUBTS.get(part["reason"], _DOUBTS["absent"])}'


def show(answer: Iterable[tuple[str, dict[str, Any]]], write: Callable[[str], None]) -> dict[str, Any]:
    """Write an answer as it comes, then what the documents do not support in it, and its citations; return all of it.

    `write` prints a text at once, without adding a line end.
    """
    sources: dict[int, dict[str, Any]] = {}
    time: dict[str, Any] = {}
    done: dict[str, Any] = {}
    shown = ""
    for name, data in answer:
        if name == "sources":
            sources = {int(source["id"]): source for source in data["sources"]}
            time = {name: data.get(name) for name in ("as_of", "understood")}
        elif name == "token":
            shown += data["text"]
            write(data["text"])
        elif name == "done":
            done = data
    if not shown.strip():
        write(str(done.get("answer", "")))
    lines = [line for line in [understood(time.get("understood"))] if line]
    lines += [doubt(part) for sentence in done.get("sentences", []) for part in sentence["unsupported"]]
    lines += [done["note"]] if done.get("note") else []
    lines += [line for line in [unread(done.get("unread"))] if line]
    lines += [citation(number, cited, sources) for number, cited in enumerate(done.get("citations", []), 1)]
    write("\n" + "".join(f"\n{line}" for line in lines) + ("\n" if lines else ""))
    return {"sources": list(sources.values()), **time, **done}
