# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the application on the desktop, over TLS that the household's authority vouches for."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tars_provision.controller import trust
from tars_provision.errors import Failure
from tars_provision.spec.model import Site

ANSWER_TIMEOUT_S = 300
"""Longest silence while the model works. On processors alone it reads a full context for minutes."""


class AskError(Failure):
    """The application could not be asked, or did not answer."""


@dataclass(frozen=True)
class Endpoint:
    """Where the application is, and how to know it: connect to `address`, expect the certificate of `name`."""

    address: str
    name: str
    authority: Path
    port: int = 443

    @property
    def url(self) -> str:
        """The page's address."""
        return f"https://{self.name}/"


def endpoint(site: Site, inventory_dir: Path) -> Endpoint:
    """Return where the application of a site is."""
    address = str(site.hosts[site.desktop].address)
    return Endpoint(address, site.names_of(site.desktop)[0], trust.authority_file(inventory_dir))


def client(to: Endpoint) -> httpx.Client:
    """Return an HTTP client that talks to the application and to nothing that merely answers in its place."""
    try:
        context = ssl.create_default_context(cafile=str(to.authority))
    except (OSError, ssl.SSLError) as error:
        raise AskError(
            f"{to.authority}: wanted the certificate of the site's authority, found {error}. "
            "`tars-provision site` makes it before it sets up the machines."
        ) from error
    # Proxies of the environment are for the world outside; the desktop is next door.
    return httpx.Client(
        base_url=f"https://{to.address}:{to.port}",
        verify=context,
        headers={"host": to.name},
        timeout=httpx.Timeout(10, read=ANSWER_TIMEOUT_S),
        trust_env=False,
    )


def get(to: Endpoint, path: str) -> Any:
    """Return the JSON that the application answers a GET with, whatever its status."""
    try:
        with client(to) as http:
            response = http.get(path, extensions={"sni_hostname": to.name})
        return response.json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise unreachable(to, error) from error


def ask(to: Endpoint, question: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask a question and yield the answer's events as they come: sources, token (many), done.

    Raises :class:`AskError` when the application reports an error, cannot be reached, or ends without an answer.
    """
    body = {"question": question}
    last = ""
    try:
        with (
            client(to) as http,
            http.stream("POST", "/api/ask", json=body, extensions={"sni_hostname": to.name}) as response,
        ):
            if response.is_error:
                raise AskError(f"{to.url}: wanted an answer, found HTTP {response.status_code}: {refusal(response)}")
            for last, data in events(response.iter_lines()):
                if last == "error":
                    raise AskError(" ".join(filter(None, (data.get("message"), data.get("next_step")))))
                yield last, data
    except httpx.HTTPError as error:
        raise unreachable(to, error) from error
    if last != "done":
        raise AskError(f"{to.url}: wanted a whole answer, found that it ended after {last or 'nothing'}. Ask again.")


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
    """Return what an error response says."""
    response.read()
    try:
        body = response.json()
    except json.JSONDecodeError:
        return response.text.strip()[:300] or response.reason_phrase
    return str(body.get("detail") or body.get("message") or body) if isinstance(body, dict) else str(body)


def unreachable(to: Endpoint, error: Exception) -> AskError:
    """Return the error that says that the application did not answer, and what to look at."""
    return AskError(
        f"{to.url} at {to.address}:{to.port}: wanted an answer, found {type(error).__name__}: {error}. "
        "`tars-provision verify` shows which part of the desktop does not work."
    )


def citation(number: int, cited: dict[str, Any], sources: dict[int, dict[str, Any]]) -> str:
    """Return a citation as a line: `[1] LLM_docs/house/heating.pdf, page 3: "..."`."""
    source = sources.get(int(cited["source"]), {})
    place = "/".join(filter(None, (source.get("source"), source.get("path")))) or f"source {cited['source']}"
    page = f", page {cited['page']}" if cited.get("page") else ""
    return f'[{number}] {place}{page}: "{" ".join(str(cited["quote"]).split())}"'


def show(answer: Iterable[tuple[str, dict[str, Any]]], write: Any) -> dict[str, Any]:
    """Write an answer as it comes, then its citations; return all of it as plain data.

    `write` takes text and prints it at once, without adding a line's end.
    """
    sources: dict[int, dict[str, Any]] = {}
    done: dict[str, Any] = {}
    shown = ""
    for name, data in answer:
        if name == "sources":
            sources = {int(source["id"]): source for source in data["sources"]}
        elif name == "token":
            shown += data["text"]
            write(data["text"])
        elif name == "done":
            done = data
    if not shown.strip():
        write(str(done.get("answer", "")))
    lines = [citation(number, cited, sources) for number, cited in enumerate(done.get("citations", []), 1)]
    write("\n" + "".join(f"\n{line}" for line in lines) + ("\n" if lines else ""))
    return {"sources": list(sources.values()), **done}
