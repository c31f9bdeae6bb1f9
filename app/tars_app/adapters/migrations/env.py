# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's entry: runs the steps over the connection that tars_app.adapters.postgres hands in."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
