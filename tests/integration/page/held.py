# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of the page that wait until a test lets them go, in the order that it chooses."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route

from ..servers import wait_for

# Ends the page's timers, which would send further requests of the same kind. Records the URL of each response once the
# page has dealt with it: what follows from it runs before the next task.
_RECORD = """() => {
  const last = setInterval(() => {}, 1e6);
  for (let timer = last; timer > last - 1000; timer--) clearInterval(timer);
  window.dealtWith = [];
  const record = (url) => setTimeout(() => window.dealtWith.push(new URL(url, location.href).href));
  const json = Response.prototype.json;
  Response.prototype.json = function () { return json.call(this).finally(() => record(this.url)); };
  const fetch = window.fetch;
  window.fetch = (url, ...rest) => fetch(url, ...rest).catch((error) => { record(url); throw error; });
}"""


def wait_on(page: Page, condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, while the routes of the page are called."""

    def met() -> object:
        page.wait_for_timeout(10)
        return condition()

    wait_for(met, what, 60)


class Held:
    """The requests from now on whose URL, without that of the server, matches a pattern. One for each page."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._routes: list[Route] = []
        page.evaluate(_RECORD)
        page.route(re.compile(rf"^http://[^/]+/{pattern}"), lambda route: self._routes.append(route))

    def wait(self, count: int) -> None:
        """Wait until the page has sent so many."""
        wait_on(self._page, lambda: len(self._routes) >= count, f"{count} requests")

    def let_go(self, number: int) -> None:
        """Let the request with this number, from 0, go on; return when the page has dealt with the response."""
        before = self._dealt_with(number)
        self._routes[number].continue_()
        self._wait_for_more(number, before)

    def break_off(self, number: int) -> None:
        """Let it fail, as without a connection; return when the page has dealt with that."""
        before = self._dealt_with(number)
        self._routes[number].abort()
        self._wait_for_more(number, before)

    def _dealt_with(self, number: int) -> int:
        urls: list[str] = self._page.evaluate("window.dealtWith")
        return urls.count(self._routes[number].request.url)

    def _wait_for_more(self, number: int, before: int) -> None:
        url = self._routes[number].request.url
        wait_on(self._page, lambda: self._dealt_with(number) > before, f"the response to {url}")
