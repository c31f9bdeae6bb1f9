# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the snapshots of the shares, in which versions were first seen, and when the shares were not scanned."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = """
ALTER TABLE versions ADD COLUMN snapshot text;
COMMENT ON COLUMN versions.snapshot IS
    'Name of the snapshot of the share in which this content was first observed; NULL: in the share itself';
COMMENT ON COLUMN versions.seen_from IS
    'When this content was first observed. It becomes earlier when an earlier snapshot with this content is imported';
COMMENT ON COLUMN document_paths.seen_from IS
    'Since when the document had this path, until its next row. The first one becomes earlier when an earlier snapshot '
    'is imported';
CREATE INDEX versions_earlier ON versions (seen_from)
    WHERE state = 'pending' AND seen_to IS NOT NULL AND snapshot IS NOT NULL;

CREATE TABLE snapshots (
    source text,
    name text,
    taken timestamptz NOT NULL,
    detail text,
    PRIMARY KEY (source, name)
);
COMMENT ON TABLE snapshots IS
    'The snapshots of the shares that were imported as observations. Rows are only added';
COMMENT ON COLUMN snapshots.source IS 'Name of the share';
COMMENT ON COLUMN snapshots.name IS 'Name of the snapshot: its folder below #snapshot';
COMMENT ON COLUMN snapshots.taken IS 'When it was taken, by its name';
COMMENT ON COLUMN snapshots.detail IS 'What could not be read in it';

CREATE TABLE unwatched (
    source text,
    since timestamptz,
    until timestamptz NOT NULL CHECK (until > since),
    PRIMARY KEY (source, since)
);
COMMENT ON TABLE unwatched IS
    'Times at which a share was not scanned: before its first scan, and while the worker was off. Rows are only added';
COMMENT ON COLUMN unwatched.source IS 'Name of the share';
COMMENT ON COLUMN unwatched.since IS 'The last scan before; -infinity: none';
COMMENT ON COLUMN unwatched.until IS 'When the next scan was complete';
"""

DOWNGRADE = """
DROP TABLE snapshots, unwatched;
DROP INDEX versions_earlier;
ALTER TABLE versions DROP COLUMN snapshot;
"""


def upgrade() -> None:
    """Upgrade from 0004."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to 0004. Versions that were imported stay."""
    op.execute(DOWNGRADE)
