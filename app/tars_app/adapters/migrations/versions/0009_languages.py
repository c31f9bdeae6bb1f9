# SPDX-License-Identifier: GPL-3.0-or-later
"""Give each passage the text search configuration of its own language, instead of one to all."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# The worker detects the languages of the passages on record: see tars_app.documents.languages.
UPGRADE = """
ALTER TABLE passages ADD COLUMN language_detected boolean NOT NULL DEFAULT false;
CREATE INDEX passages_undetected ON passages (hash) WHERE NOT language_detected;
COMMENT ON COLUMN passages.language IS
    'Text search configuration of terms: that of the language of the text; simple where that is not clear';
COMMENT ON COLUMN passages.language_detected IS
    'Whether language is that of the text; false for passages of before schema 0009, until the worker has read them';
"""


def upgrade() -> None:
    """Upgrade from the version before."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to the version before. Its program sets the language of all passages when it starts."""
    op.execute("DROP INDEX passages_undetected; ALTER TABLE passages DROP COLUMN language_detected")
