# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: rendered
short_description: Return rendered templates of a role
description:
  - Returns what P(ansible.builtin.template#lookup) returns for a template that includes no other and overrides nothing.
  - That lookup copies all variables of the host for each template, which takes most of its time. This one does not.
options:
  _terms:
    description: Templates, in the folder C(templates) of the role or playbook.
    required: true
    type: list
    elements: str
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Write the proxy's configuration
  tars.home.file_set:
    files:
      - {path: /opt/proxy/proxy.conf, content: "{{ lookup('tars.home.rendered', 'proxy.conf.j2') }}"}
"""

RETURN = r"""
_raw:
  description: The text of each template.
  type: list
  elements: str
"""

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible has no annotations
    """Render templates of the controller."""

    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the text of each template. Raises AnsibleLookupError for one that does not exist."""
        self.set_options(var_options=variables, direct=kwargs)
        return [self._rendered(variables, str(term)) for term in terms]

    def _rendered(self, variables: Any, term: str) -> Any:
        path = self.find_file_in_search_path(variables, "templates", term, ignore_missing=True)
        if path is None:
            raise AnsibleLookupError(f"{term}: found no such file, expected a template of the role or playbook.")
        text = trust_as_template(self._loader.get_text_file_contents(path))
        return self._templar.template(text, escape_backslashes=False)
