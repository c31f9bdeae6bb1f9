# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of rendered templates, compared with Ansible's own."""

from __future__ import annotations

from pathlib import Path

from .playbook import looked_up

TEMPLATE = r"""# {{ inventory_hostname }} \n \\ "{{ 'a\tb' }}"
{% for number in range(2) %}
  {{ number }}: {{ omit is defined }}
{% endfor %}
{# nothing #}
  {%- set name = 'last' %}
{{ name }}
"""


def test_a_template_is_rendered_as_by_ansible(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/text.j2").write_text(TEMPLATE)
    texts = []
    for lookup in ("ansible.builtin.template", "tars.home.rendered"):
        done = looked_up(tmp_path, f"lookup('{lookup}', 'text.j2')")
        assert done.returncode == 0, done.stdout + done.stderr
        texts.append((tmp_path / "value").read_text())
    assert texts[0] == texts[1]
    assert texts[0].startswith("# localhost \\n") and texts[0].endswith("last\n")


def test_a_missing_template_is_reported(tmp_path: Path) -> None:
    done = looked_up(tmp_path, "lookup('tars.home.rendered', 'absent.j2')")
    assert done.returncode != 0 and "absent.j2: found no such file" in done.stdout + done.stderr
