# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module does, apart from the process it runs in: its own on a machine, or Ansible's on the controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from ansible.module_utils.basic import AnsibleModule

from .converge import Resource, converge
from .errors import Incomplete, ResourceError, explain


class Module(Protocol):
    """All that a task uses of AnsibleModule."""

    params: dict[str, Any]
    check_mode: bool

    def warn(self, warning: str) -> None:
        """Show a warning to the person who runs Ansible."""

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """End with a failure."""


@dataclass(frozen=True)
class ModuleTask:
    """An argument specification, and the function that does the work and returns the result.

    `rules` are AnsibleModule's further demands on arguments, such as `required_if`. `resource` is given where the task
    manages one resource: an action plugin can then read its state by the resource's probe, without the module.
    """

    arguments: dict[str, Any]
    run: Callable[[Module], dict[str, Any]]
    rules: Mapping[str, Any] = field(default_factory=dict)
    resource: Callable[[Mapping[str, Any]], Resource[Any, Any]] | None = None

    def main(self) -> None:
        """Do the work as a module."""
        module = AnsibleModule(argument_spec=self.arguments, supports_check_mode=True, **self.rules)
        module.exit_json(**failing_typed(module, lambda: self.run(module)))


def managing(
    arguments: dict[str, Any],
    resource: Callable[[Mapping[str, Any]], Resource[Any, Any]],
    rules: Mapping[str, Any] | None = None,
) -> ModuleTask:
    """Return the task of a module that does nothing but manage the resource that its arguments describe."""
    return ModuleTask(arguments, lambda module: ensure(module, resource(module.params)), rules or {}, resource)


def ensure(module: Module, resource: Resource[Any, Any], name: str = "") -> dict[str, Any]:
    """Bring a resource to its desired state (in check mode: predict it), and return the module's result."""
    return converge(resource, module.check_mode).result(name)


def failing_typed(module: Module, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of the work; an error of a resource or of the system becomes the module's failure."""
    try:
        return work()
    except Incomplete as error:
        module.fail_json(msg=str(error), changed=error.changed, changes=error.done)
    except (ResourceError, OSError) as error:
        module.fail_json(msg=explain(error))
