# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two versions of a document sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from uuid import UUID

from tars_app.adapters.postgres import Pool
from tars_app.documents.visible import NoHistoryError
from tars_app.kit.errors import RefusedError
from tars_app.kit.sentences import sentences
from tars_app.timeline.repository import PassageOfVersion, history_begins, read_history, read_passages
from tars_app.timeline.schemas import Change, Difference, History, Quote, Version


class NoTextError(RefusedError):
    """The text of a version is not on record."""

    code = "no_text"


class WrongOrderError(RefusedError):
    """The first time is later than the second one."""

    code = "wrong_order"
    status = 422


def difference(pool: Pool, document_id: UUID, since: datetime, until: datetime) -> Difference:
    """Return what changed in a document between two times, with quotes of both versions.

    Raises:
        NoHistoryError: nothing had been observed yet at the first time.
        NoTextError: the text of one of the versions is not on record.
        WrongOrderError: the first time is later than the second one.
    """
    if since > until:
        message = f"invalid times: found {since.isoformat()} to {until.isoformat()}, expected the earlier one first"
        raise WrongOrderError(message, "Swap the two times.")
    begins = history_begins(pool)
    if begins is None or since < begins:
        raise NoHistoryError(begins)
    history = read_history(pool, document_id)
    before, after = version_at(history, since), version_at(history, until)
    old = read_passages(pool, before.version_id) if before else []
    new = read_passages(pool, after.version_id) if after else []
    matcher = SequenceMatcher(None, [passage.hash for passage in old], [passage.hash for passage in new], False)
    changes: list[Change] = []
    unchanged = 0
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            unchanged += old_end - old_start
        else:
            changes += _changes(
                list(_quotes(before, old[old_start:old_end])), list(_quotes(after, new[new_start:new_end]))
            )
    return Difference(
        document_id=document_id,
        source=history.source,
        since=since,
        until=until,
        before=before,
        after=after,
        unchanged=unchanged,
        changes=changes,
    )


def version_at(history: History, moment: datetime) -> Version | None:
    """Return the version that a document had at a time; None where it did not exist.

    Raises:
        NoTextError: its text is not on record.
    """
    for version in history.versions:
        if version.observed <= moment and (version.until is None or moment < version.until):
            if not version.kept:
                reason = version.error or "it was replaced before it was read"
                message = f"The text of {version.path} as it was on {moment:%Y-%m-%d} is not on record: {reason}"
                raise NoTextError(message.rstrip(".") + ".", "Compare other times; the history lists the versions.")
            return version
    return None


def _quotes(version: Version | None, passages: Sequence[PassageOfVersion]) -> Iterator[Quote]:
    if version:
        for passage in passages:
            chunk_id = f"{version.version_id}.{passage.ordinal}"
            for span in sentences(passage.text):
                yield Quote(chunk_id=chunk_id, page=passage.page, quote=passage.text[span.start : span.end])


def _changes(old: Sequence[Quote], new: Sequence[Quote]) -> Iterator[Change]:
    """Yield the sentences that differ. White space alone is not a difference: a PDF's lines move when it is edited."""
    matcher = SequenceMatcher(None, list(map(_squeezed, old)), list(map(_squeezed, new)), False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag != "equal":
            yield Change(removed=list(old[old_start:old_end]), added=list(new[new_start:new_end]))


def _squeezed(quote: Quote) -> str:
    return " ".join(quote.quote.split())
