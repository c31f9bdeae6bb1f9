# SPDX-License-Identifier: GPL-3.0-or-later
"""Record for how long replaced versions are kept, and since when the history is complete."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

UPGRADE = """
CREATE TABLE version_retention (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    years integer CHECK (years > 0),
    since timestamptz NOT NULL DEFAULT now(),
    kept_since timestamptz
);
COMMENT ON TABLE version_retention IS
    'For how long versions are kept after they were replaced or deleted: one row, or none if that was never limited. '
    'It changes with the setting, and when versions are removed';
COMMENT ON COLUMN version_retention.id IS 'Always true: there is one row';
COMMENT ON COLUMN version_retention.years IS 'The setting; NULL: for ever';
COMMENT ON COLUMN version_retention.since IS
    'Since when the setting has this value; versions are removed a week later at the earliest';
COMMENT ON COLUMN version_retention.kept_since IS
    'Since when the history is complete: the latest time at which a removed version ended; NULL: none was removed';

COMMENT ON TABLE document_paths IS
    'Every path that a document has had. Rows are only added, and deleted when the document is forgotten, or when they '
    'ended before the versions that are kept';
COMMENT ON TABLE versions IS
    'The contents that a document has had. A row changes while its file is being read, when the file is touched '
    'without a change of content, when its date is determined, and when the next version or the deletion ends it. '
    'Rows are deleted when the document is forgotten, and when they ended longer ago than versions are kept';
COMMENT ON TABLE version_texts IS
    'The text of each version that was indexed, as the list of its passages. (Versions that were superseded before '
    'schema 0003 have no text.) The four arrays have one element for each passage. The text of a page is '
    'before || passage || after of its elements, one after the other. Rows are only added, and deleted with their '
    'version';
COMMENT ON TABLE passages IS
    'The passages of all versions, each text once. A row is deleted with the last version that had it; searchable '
    'changes when the first living document that contains the passage appears, and when the last one no longer '
    'contains it';
"""


def upgrade() -> None:
    """Upgrade from 0006."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to 0006. It is no longer on record since when the history is complete."""
    op.execute("DROP TABLE version_retention")
