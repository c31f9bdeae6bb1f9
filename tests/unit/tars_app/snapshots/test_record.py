# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a share is a function of its observations alone, in whichever order snapshots are added."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tars_app.snapshots.record import Content, Document, PathEntry, Record, Version

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PATHS = ["a", "b", "c"]
Files = dict[str, str]
FILES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from("123?"), max_size=3)
NONE: Files = {}


def content(text: str) -> Content:
    """`?` cannot be read."""
    return Content(None if text == "?" else text, "no" if text == "?" else None, 1, BEGIN)


def files_at(record: Record, moment: datetime) -> Files:
    result: Files = {}
    for document in record.documents:
        if version := document.version_at(moment):
            path = document.path_at(moment)
            assert path not in result, "a path is of one document"
            result[path] = version.content.sha256 or "?"
    return result


def live(observations: list[tuple[datetime, Files]]) -> Record:
    """Return the record of a share that was scanned at these times, as the repository writes it."""
    record = Record([])
    current: dict[str, tuple[Document, Version]] = {}
    for moment, files in observations:
        for path in [path for path in current if path not in files]:
            renamed = next(
                (new for new in files if new not in current and files[new] == current[path][1].content.sha256), None
            )
            document, version = current.pop(path)
            if renamed:
                document.path = renamed
                document.paths.append(PathEntry(moment, renamed, moment))
                current[renamed] = (document, version)
            else:
                version.seen_to = moment
        for path, text in files.items():
            if path in current and current[path][1].content.equals(content(text)):
                continue
            if path in current:
                document = current[path][0]
                current[path][1].seen_to = moment
            else:
                gone = [entry for entry in record.documents if entry.path == path and entry.versions[-1].seen_to]
                document = gone[-1] if gone else Document(path, is_new=False)
                if not gone:
                    record.documents.append(document)
                    document.paths.append(PathEntry(moment, path, moment))
            version = Version(content(text), moment, None, None, is_new=False)
            document.versions.append(version)
            current[path] = (document, version)
    return record


def check(record: Record) -> None:
    for document in record.documents:
        assert document.versions, "no document without a version"
        for version in document.versions:
            assert version.seen_to is None or version.seen_from < version.seen_to
        for before, after in zip(document.versions, document.versions[1:], strict=False):
            assert before.seen_to is not None and before.seen_to <= after.seen_from, "they do not overlap"
        times = [entry.seen_from for entry in document.paths]
        assert times == sorted(set(times)) and times[0] <= document.versions[0].seen_from


@given(
    scans=st.lists(FILES, min_size=1, max_size=4),
    snapshots=st.dictionaries(st.integers(0, 19), FILES, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_the_state_is_that_of_the_last_observation(
    scans: list[Files], snapshots: dict[int, Files], order: object
) -> None:
    """Scans on days 10, 15, 20 and 25; snapshots at noon of any day before the last one."""
    scanned = [(BEGIN + (10 + 5 * number) * DAY, files) for number, files in enumerate(scans)]
    record = live(scanned)
    days = [day for day in snapshots if BEGIN + (day + 0.5) * DAY < scanned[-1][0]]
    order.shuffle(days)  # type: ignore[attr-defined]  # hypothesis hides the class
    seen = list(scanned)
    for day in days:
        moment = BEGIN + (day + 0.5) * DAY
        end = min(other for other, _ in seen if other > moment)
        record.observe(moment, end, str(day), {path: content(text) for path, text in snapshots[day].items()})
        seen.append((moment, snapshots[day]))
        check(record)
    seen.sort(key=lambda observation: observation[0])
    assert files_at(record, seen[0][0] - DAY) == {}
    for (moment, files), (end, _) in zip(seen, [*seen[1:], (seen[-1][0] + DAY, NONE)], strict=True):
        assert files_at(record, moment) == files
        assert files_at(record, end - timedelta(microseconds=1)) == files


def test_the_same_content_is_one_version_and_the_current_one_stays() -> None:
    record = live([(BEGIN + 10 * DAY, {"a": "1"})])
    [current] = record.documents[0].versions
    for day in (8, 2, 5):
        record.observe(BEGIN + day * DAY, BEGIN + (10 if day == 8 else 8) * DAY, str(day), {"a": content("1")})
    assert record.documents[0].versions == [current]
    assert (current.seen_from, current.seen_to, current.snapshot) == (BEGIN + 2 * DAY, None, "2")
    assert [entry.seen_from for entry in record.documents[0].paths] == [BEGIN + 2 * DAY]


def test_a_version_that_is_split_is_answered_from_in_its_later_part() -> None:
    record = live([(BEGIN, {"a": "1"})])
    [current] = record.documents[0].versions
    record.observe(BEGIN + DAY, BEGIN + 2 * DAY, "one", {"a": content("2")})
    before, between, after = record.documents[0].versions
    assert after is current and after.version_id == before.copy_of and after.is_changed
    assert (before.seen_from, before.seen_to, before.snapshot) == (BEGIN, BEGIN + DAY, None)
    assert (between.content.sha256, between.snapshot, between.copy_of) == ("2", "one", None)
    assert (after.seen_from, after.seen_to, after.snapshot) == (BEGIN + 2 * DAY, None, None)


def test_a_file_that_was_renamed_is_one_document() -> None:
    record = live([(BEGIN + 10 * DAY, {"new": "1"})])
    record.observe(BEGIN + 5 * DAY, BEGIN + 10 * DAY, "5", {"old": content("1")})
    record.observe(BEGIN + 7 * DAY, BEGIN + 10 * DAY, "7", {"middle": content("1")})
    [document] = record.documents
    assert len(document.versions) == 1
    paths = [(entry.seen_from, entry.path) for entry in document.paths]
    assert paths == [(BEGIN + 5 * DAY, "old"), (BEGIN + 7 * DAY, "middle"), (BEGIN + 10 * DAY, "new")]


def test_what_a_snapshot_does_not_show_stays_as_it_is() -> None:
    record = live([(BEGIN, {"a": "1", "b": "1"})])
    record.observe(BEGIN + DAY, BEGIN + 2 * DAY, "one", {}, lambda path: path == "a")
    assert files_at(record, BEGIN + DAY) == {"a": "1"}


def test_a_part_that_begins_with_another_snapshot_was_first_seen_in_it() -> None:
    record = live([(BEGIN, {"a": "1"}), (BEGIN + 9 * DAY, {"a": "3"})])
    for day, text in ((2, "1"), (4, "1"), (3, "2")):
        record.observe(BEGIN + day * DAY, BEGIN + (4 if day == 3 else 9) * DAY, str(day), {"a": content(text)})
    versions = [(version.content.sha256, version.snapshot) for version in record.documents[0].versions]
    assert versions == [("1", None), ("2", "3"), ("1", "4"), ("3", None)]


def test_a_name_of_a_while_ends_with_the_next_observation() -> None:
    record = live([(BEGIN, {"a": "1"}), (BEGIN + 9 * DAY, {"a": "1", "b": "2"})])
    record.observe(BEGIN + 2 * DAY, BEGIN + 9 * DAY, "one", {"renamed": content("1")})
    assert files_at(record, BEGIN + 2 * DAY) == {"renamed": "1"}
    assert files_at(record, BEGIN + 9 * DAY) == {"a": "1", "b": "2"}
    assert len(record.documents) == 2


def test_a_new_file_with_the_content_of_one_that_is_gone_is_its_own_document_if_it_stays() -> None:
    record = live([(BEGIN, {"b": "1"}), (BEGIN + 9 * DAY, {"a": "1", "b": "1"})])
    record.observe(BEGIN + 2 * DAY, BEGIN + 9 * DAY, "one", {"a": content("1")})
    assert files_at(record, BEGIN + 2 * DAY) == {"a": "1"}
