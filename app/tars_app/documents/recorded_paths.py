# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths that a document has had, of which some may lie in another share than the one that it is in now.

A path of the share that the document is in is recorded as it stands: relative to that share. One of another share is
recorded as an absolute one, after `/`, the name of that share, and `/`: no path of a file in a share begins so.
"""

from __future__ import annotations


def place_of(path: str, recorded_for: str) -> tuple[str, str]:
    """Return the share and the path in it of a path that is recorded for a document in a share."""
    if not path.startswith("/"):
        return recorded_for, path
    share, _, path = path[1:].partition("/")
    return share, path


def rebase(path: str, recorded_for: str, share: str) -> str:
    """Return a path that is recorded for a document in one share as it is recorded for one in another share."""
    source, path = place_of(path, recorded_for)
    return path if source == share else f"/{source}/{path}"


def place_at(moment: str) -> str:
    """Return a row of SQL that names the `source` and the `path` of document d at a moment, which is SQL too.

    It is to be joined under a name: CROSS JOIN LATERAL (...) AS place.
    """
    # OFFSET 0: the inner row is computed once, though it is used several times.
    return f"""(
    SELECT CASE WHEN left(recorded, 1) = '/' THEN split_part(recorded, '/', 2) ELSE d.source END AS source,
           CASE WHEN left(recorded, 1) = '/' THEN substr(recorded, strpos(substr(recorded, 2), '/') + 2)
                ELSE recorded END AS path
    FROM (SELECT coalesce((SELECT h.path FROM document_paths h WHERE h.document_id = d.id AND h.seen_from <= {moment}
                           ORDER BY h.seen_from DESC LIMIT 1), d.path) AS recorded OFFSET 0) AS named)"""  # noqa: S608  constants
