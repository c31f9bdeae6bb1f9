# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the date that each version claims of itself, and where it stands; index the times of versions."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

UPGRADE = """
ALTER TABLE versions
    ADD COLUMN dated text CHECK (dated ~ '^\\d{4}(-\\d\\d(-\\d\\d)?)?$'),
    ADD COLUMN dated_by text,
    ADD CHECK ((dated IS NULL) = (coalesce(dated_by, 'none') = 'none'));
COMMENT ON COLUMN versions.dated IS
    'The date that the document itself claims: a day, a month or a year in ISO 8601; NULL: none';
COMMENT ON COLUMN versions.dated_by IS
    'Where this date stands: front matter, name, folder, text or PDF metadata; none: it claims no date; NULL: it was '
    'not looked for yet';
COMMENT ON COLUMN versions.seen_to IS
    'When the next content or the deletion was observed; NULL for the current version. The next version begins at '
    'this time, except after a deletion. It is later than seen_from, also where the clock was set back';
COMMENT ON TABLE versions IS
    'The contents that a document has had. A row changes while its file is being read, when the file is touched '
    'without a change of content, when its date is determined, and when the next version or the deletion ends it. No '
    'row is deleted';
CREATE INDEX versions_seen_from ON versions (seen_from);
CREATE INDEX versions_seen_to ON versions (seen_to);
CREATE INDEX document_paths_seen_from ON document_paths (seen_from);
CREATE INDEX versions_undated ON versions (id) WHERE dated_by IS NULL;
"""

DOWNGRADE = """
DROP INDEX versions_seen_from, versions_seen_to, document_paths_seen_from;
ALTER TABLE versions DROP COLUMN dated, DROP COLUMN dated_by;
"""


def upgrade() -> None:
    """Upgrade from 0003. The worker determines the dates of the versions on record."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to 0003."""
    op.execute(DOWNGRADE)
