# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module does, apart from the process it does it in: a module's own, or that of an action on the controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from ansible.module_utils.basic import AnsibleModule


class Module(Protocol):
    """All that the work uses of AnsibleModule."""

    params: dict[str, Any]
    check_mode: bool

    def warn(self, warning: str) -> None: ...

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn: ...


@dataclass(frozen=True)
class Work:
    """The arguments (an argument_spec), and what is done with them, which returns the result."""

    arguments: dict[str, Any]
    carry_out: Callable[[Module], dict[str, Any]]

    def main(self) -> None:
        """Do it as a module."""
        module = AnsibleModule(argument_spec=self.arguments, supports_check_mode=True)
        module.exit_json(**self.carry_out(module))
