# SPDX-License-Identifier: GPL-3.0-or-later
"""Record which pages have to be recognised, and keep the recognised ones with the places of their words."""

from __future__ import annotations

import re

import sqlalchemy
from alembic import op

revision = "0010"
down_revision = "0009"

UPGRADE = """
CREATE TABLE recognitions (
    version_id uuid PRIMARY KEY REFERENCES versions ON DELETE CASCADE ON UPDATE CASCADE,
    scanned integer[] NOT NULL CHECK (cardinality(scanned) > 0),
    remaining integer[] NOT NULL CHECK (remaining <@ scanned),
    pages integer NOT NULL,
    date text,
    dated_by text NOT NULL DEFAULT '',
    notes text[] NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz
);
COMMENT ON TABLE recognitions IS
    'The versions of which scanned pages wait for their recognition. A row changes with each page, and is deleted '
    'with the last one';
COMMENT ON COLUMN recognitions.version_id IS 'The version';
COMMENT ON COLUMN recognitions.scanned IS 'The numbers of its pages, from 1, whose text has to be recognised';
COMMENT ON COLUMN recognitions.remaining IS 'Those of them that are not recognised yet';
COMMENT ON COLUMN recognitions.pages IS 'How many pages the file has';
COMMENT ON COLUMN recognitions.date IS 'Day, month or year that the metadata of the file claim; NULL: none';
COMMENT ON COLUMN recognitions.dated_by IS 'Where that stands';
COMMENT ON COLUMN recognitions.notes IS 'Sentences about what else of the file was not read';
COMMENT ON COLUMN recognitions.attempts IS 'How often the next page was begun in vain';
COMMENT ON COLUMN recognitions.not_before IS 'When that is tried again; NULL: at once';

CREATE TABLE recognized_pages (
    version_id uuid REFERENCES versions ON DELETE CASCADE ON UPDATE CASCADE,
    page integer CHECK (page > 0),
    text text NOT NULL DEFAULT '',
    boxes bytea NOT NULL DEFAULT '',
    error text,
    PRIMARY KEY (version_id, page)
);
COMMENT ON TABLE recognized_pages IS
    'The scanned pages of versions. Rows are only added, and deleted with their version, or to '
    'recognise a page again';
COMMENT ON COLUMN recognized_pages.version_id IS 'The version';
COMMENT ON COLUMN recognized_pages.page IS 'Number of the page, from 1';
COMMENT ON COLUMN recognized_pages.text IS 'Its text; empty where it has none';
COMMENT ON COLUMN recognized_pages.boxes IS
    'Where the words of the text stand: 12 bytes for each, as in tars_app/documents/parsers/recognition/boxes.py';
COMMENT ON COLUMN recognized_pages.error IS 'Why it could not be recognised';

ALTER TABLE versions ADD COLUMN former_id uuid;
CREATE UNIQUE INDEX versions_former ON versions (former_id) WHERE former_id IS NOT NULL;
COMMENT ON COLUMN versions.former_id IS
    'The id that it had until its scanned pages were recognised. Its passages had the same numbers. NULL: none';
COMMENT ON TABLE version_texts IS
    'The text of each version that was indexed, as the list of its passages. (Versions that were superseded before '
    'schema 0003 have no text.) The five arrays have one element for each passage; recognised pages follow all others. '
    'The text of a section (a page, a slide, a sheet) is before || passage || after of its elements, one after the '
    'other. Rows are only added, and deleted with their version, or when its scanned pages have been recognised';

-- Files that were not read because all of their pages are scans.
UPDATE versions SET state = 'pending', error = NULL, attempts = 0
WHERE state = 'failed' AND seen_to IS NULL AND error LIKE 'The file has no text. Scanned pages have to go through%';
"""
_NOTED = r"(\d+) of (\d+) pages (?:has|have) no text: ([\d, -]+)\."


def upgrade() -> None:
    """Upgrade from 0009. Scanned pages that were only named until now are recognised."""
    op.execute(UPGRADE)
    connection = op.get_bind()
    noted = sqlalchemy.text(
        """SELECT id, index_note FROM versions
           WHERE state = 'indexed' AND seen_to IS NULL AND index_note LIKE '% no text: %'"""
    )
    for version_id, note in connection.execute(noted).fetchall():
        if match := re.match(_NOTED, note):
            parts = [part.partition("-") for part in match[3].split(", ")]
            scanned = [page for first, _, last in parts for page in range(int(first), int(last or first) + 1)]
            connection.execute(
                sqlalchemy.text(
                    """INSERT INTO recognitions (version_id, scanned, remaining, pages)
                       VALUES (:id, :pages, :pages, :total)"""
                ),
                {"id": version_id, "pages": scanned, "total": int(match[2])},
            )


def downgrade() -> None:
    """Return to 0009. Scans are not read there, and keep the text that they have."""
    op.execute("DROP TABLE recognitions, recognized_pages; ALTER TABLE versions DROP COLUMN former_id")
