# SPDX-License-Identifier: GPL-3.0-or-later
"""How the cases of cases/AREA/PLANNER/*.yml are put to a planner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Case = dict[str, Any]
"""A case file: `why` it exists, the current and the desired state in the planner's own keys, and what is expected:
`changes`, each in words, or `problems`, each a part of its message; optionally `sent`, what the changes send."""


@dataclass(frozen=True)
class Planner:
    """The functions of a planner, with the case as their arguments.

    Attributes:
        current: the current state that a case describes.
        plan: the changes for a case and a current state.
        predict: the state after changes.
        replan: `plan` after the changes were made, where a second plan has other arguments.
        send: what a change sends, for cases with `sent`.
    """

    current: Callable[[Case], Any]
    plan: Callable[[Case, Any], Sequence[Any]]
    predict: Callable[[Any, Sequence[Any]], Any]
    replan: Callable[[Case, Any], Sequence[Any]] | None = None
    send: Callable[[Any], Any] | None = None
