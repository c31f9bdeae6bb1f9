# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the label of each passage's section, and the header that is indexed with a passage but never quoted."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

UPGRADE = """
ALTER TABLE version_texts ADD COLUMN labels text[];
UPDATE version_texts SET labels = ARRAY(
    SELECT CASE page WHEN 0 THEN '' ELSE 'page ' || page END
    FROM unnest(pages) WITH ORDINALITY AS u (page, ordinal) ORDER BY ordinal);
ALTER TABLE version_texts ALTER COLUMN labels SET NOT NULL, ADD CHECK (cardinality(labels) = cardinality(hashes));

ALTER TABLE passages ADD COLUMN header text NOT NULL DEFAULT '', DROP COLUMN terms;
ALTER TABLE passages ADD COLUMN terms tsvector NOT NULL
    GENERATED ALWAYS AS (to_tsvector(language, header || E'\\n' || text)) STORED;
CREATE INDEX passages_terms ON passages USING gin (terms) WHERE searchable;

COMMENT ON TABLE version_texts IS
    'The text of each version that was indexed, as the list of its passages. (Versions that were superseded before '
    'schema 0003 have no text.) The five arrays have one element for each passage. The text of a section (a page, a '
    'slide, a sheet) is before || passage || after of its elements, one after the other. Rows are only added, and '
    'deleted with their version';
COMMENT ON COLUMN version_texts.pages IS
    'Section of each passage, from 1; 0 for a text that has one section without a place';
COMMENT ON COLUMN version_texts.labels IS 'That section as people see it, as "page 3"; empty without a place';
COMMENT ON COLUMN version_texts.before IS
    'Text between the previous passage of the section, or its begin, and this one';
COMMENT ON COLUMN version_texts.after IS
    'Text between the last passage of a section and its end; empty for the others';
COMMENT ON TABLE passages IS
    'The passages of all versions, each text once with the same header. A row is deleted with the last version that '
    'had it; searchable changes when the first living document that contains the passage appears, and '
    'when the last one no longer contains it';
COMMENT ON COLUMN passages.hash IS 'SHA-256 of the text in UTF-8, after header and a zero byte where it has a header';
COMMENT ON COLUMN passages.text IS 'A piece of a section that fits the embedding model, letter for letter';
COMMENT ON COLUMN passages.header IS
    'What belongs to the passage without standing in it, as the header of its table: indexed, never quoted';
COMMENT ON COLUMN passages.terms IS 'The words for full text search; computed from language, header and text';
COMMENT ON COLUMN versions.pages IS
    'Number of sections (pages, slides, sheets) that have text; NULL until it is indexed';
COMMENT ON COLUMN versions.dated_by IS
    'Where this date stands: mail header, front matter, name, folder, text or metadata; none: it claims no date; '
    'NULL: it was not looked for yet';
"""

DOWNGRADE = """
ALTER TABLE version_texts DROP COLUMN labels;
ALTER TABLE passages DROP COLUMN terms, DROP COLUMN header;
ALTER TABLE passages
    ADD COLUMN terms tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(language, text)) STORED;
CREATE INDEX passages_terms ON passages USING gin (terms) WHERE searchable;
"""


def upgrade() -> None:
    """Upgrade from 0007. Until now, every section was a page, and no passage had a header."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to 0007."""
    op.execute(DOWNGRADE)
