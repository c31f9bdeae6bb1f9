# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/tested-against.md names every call of DSM's Web API that is made, and none that is not."""

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.tars.home.plugins.module_utils.dsm.calls import REGISTRY, Call

from tars_lab.dsm_twin.apis import BY_NAME
from tars_provision.nas_facts import checks


def rows(page: str, heading: str) -> Iterator[list[str]]:
    """The cells of each row of the table with this heading."""
    for line in page.partition(heading)[2].strip().splitlines()[1:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_names_every_call_and_no_other(root: Path) -> None:
    page = (root / "docs/tested-against.md").read_text()
    listed = {
        Call(api, method, int(version))
        for api, methods, version, *_rest in rows(page, "| API | Methods | Version | Source | Run against a real DSM |")
        for method in methods.split(", ")
    }
    made = {*REGISTRY.values(), *checks.CALLS}
    assert listed - made == set(), "docs/tested-against.md names calls that nobody makes"
    assert made - listed == set(), "docs/tested-against.md lacks calls: write them into its table, with their source"

    beside = {
        (api, method)
        for api, methods, _source in rows(page, "| API | Methods | Source |")
        for method in methods.split(", ")
    }
    answered = {(api.name, method) for api in BY_NAME.values() for method in api.methods}
    asked = {(call.api, call.method) for call in made}
    assert beside == answered - asked, "the second table of docs/tested-against.md is what else the twin answers"
