# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.resource.differences import differences


def result(before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return {"changes": ["set it"], "diff": {"before": before, "after": after}, **more}


@pytest.mark.parametrize(
    ("registered", "lines"),
    [
        ({"changes": [], "diff": {"before": {"a": 1}, "after": {"a": 1}}}, []),
        ({"skipped": True}, []),
        (result({"a": 1, "b": 2}, {"a": 1, "b": 3}), ["it: b: expected 3, found 2"]),
        (result({"a": {"b": True}}, {"a": {"b": False}}), ["it: a.b: expected false, found true"]),
        (result({"a": ["x"]}, {"a": ["x", "y"]}), ["it: a: expected 'x'; 'y', found 'x'"]),
        (result({}, {"docs": {"volume": "/v"}}), ["it: docs: expected volume '/v', found none"]),
        (
            result(
                {"rules": [{"client": "a", "access": "rw"}, {"client": "b", "access": "ro"}]},
                {"rules": [{"client": "a", "access": "ro"}, {"client": "c", "access": "ro"}]},
            ),
            [
                "it: rules.a.access: expected 'ro', found 'rw'",
                "it: rules.b: expected none, found client 'b', access 'ro'",
                "it: rules.c: expected client 'c', access 'ro', found none",
            ],
        ),
        (result({"rules": []}, {"rules": [{"name": "a"}]}), ["it: rules.a: expected name 'a', found none"]),
        # Neither state shows it.
        (result({"a": 1}, {"a": 1}), ["it: expected no pending change, found pending: set it"]),
        ({"changes": ["set it"]}, ["it: expected no pending change, found pending: set it"]),
        (result("one text", "another text"), ["it: expected no pending change, found pending: set it"]),
        ({"failed": True, "msg": "why"}, ["it: expected a comparison, found an error: why"]),
        (
            {"failed": False, "failed_when_result": False, "msg": "why"},
            ["it: expected a comparison, found an error: why"],
        ),
        ({"changed": True}, ["it: expected the desired state, found another state"]),
        ({"changed": True, "changes": []}, []),
        ({"failed": True}, ["it: expected a comparison, found an error: it failed without a message"]),
    ],
)
def test_each_difference_is_one_line_with_object_expected_and_found(
    registered: dict[str, Any], lines: list[str]
) -> None:
    assert [str(difference) for difference in differences("it", registered)] == lines
