# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two versions of a document sentence by sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from uuid import UUID

from tars_app.adapters.postgres import Pool
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


def difference(
    pool: Pool, document_id: UUID, since: datetime, until: datetime, about: Collection[bytes] | None = None
) -> Difference:
    """Return what changed in a document between two times, with quotes of both versions.

    `about` are hashes of passages: with them, only changes of these passages.

    Raises:
        NoHistoryError: nothing had been observed yet at the first time.
        NoTextError: the text of one of the versions is not on record.
        WrongOrderError: the first time is later than the second one.
    """
    require_order(since, until)
    history_begins(pool).check(since)
    history = read_history(pool, document_id)
    before, after = version_at(history, since), version_at(history, until)
    old = read_passages(pool, before.version_id) if before else []
    new = read_passages(pool, after.version_id) if after else []
    history_begins(pool).check(since)  # versions may have been removed meanwhile
    # By their texts: the same one below another heading has another hash, and has not changed.
    matcher = SequenceMatcher(None, [passage.text for passage in old], [passage.text for passage in new], False)
    changes: list[Change] = []
    unchanged = 0
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            unchanged += old_end - old_start
        else:
            removed, added = old[old_start:old_end], new[new_start:new_end]
            changes += _changes(list(_quotes(before, removed)), list(_quotes(after, added)))
    if about is not None:
        places = {f"{before.version_id}.{p.ordinal}" for p in old if before and p.hash in about}
        places |= {f"{after.version_id}.{p.ordinal}" for p in new if after and p.hash in about}
        changes = list(_about(changes, places))
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


def require_order(since: datetime, until: datetime) -> None:
    """Raise WrongOrderError unless the first time is the earlier one."""
    if since > until:
        message = f"invalid times: found {since.isoformat()} to {until.isoformat()}, expected the earlier one first"
        raise WrongOrderError(message, "Swap the two times.")


def _about(changes: Iterable[Change], chunk_ids: Collection[str]) -> Iterator[Change]:
    """Yield the changes in these passages. What was only added or removed is cut down to them."""
    for change in changes:
        quotes = [quote for quote in (*change.removed, *change.added) if quote.chunk_id in chunk_ids]
        if quotes and change.removed and change.added:
            yield change
        elif quotes:
            yield Change(removed=quotes, added=[]) if change.removed else Change(removed=[], added=quotes)


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
                yield Quote(
                    chunk_id=chunk_id, page=passage.page, label=passage.label, quote=passage.text[span.start : span.end]
                )


def _changes(old: Sequence[Quote], new: Sequence[Quote]) -> Iterator[Change]:
    """Yield the sentences that differ. White space alone is not a difference: a PDF's lines move when it is edited."""
    matcher = SequenceMatcher(None, list(map(_squeezed, old)), list(map(_squeezed, new)), False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag != "equal":
            yield Change(removed=list(old[old_start:old_end]), added=list(new[new_start:new_end]))


def _squeezed(quote: Quote) -> str:
    return " ".join(quote.quote.split())
