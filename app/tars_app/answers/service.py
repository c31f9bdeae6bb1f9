# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer a question as a stream of events."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial

from anyio.to_thread import run_sync

from tars_app.adapters.postgres import Pool
from tars_app.answers.asked import Asked, are_about, kind_is_missing
from tars_app.answers.check import NOTES, AnswerCheck, quotes_of
from tars_app.answers.generate import Usage, generate
from tars_app.answers.grounding import Evidence
from tars_app.answers.prompt import Prompt, QuestionTooLongError, build_prompt
from tars_app.answers.quotes import Quotable, Quote
from tars_app.answers.schemas import Citation, Done, Failure, Sentence, SourceEntry, Sources, Support, Token
from tars_app.answers.subject import is_missing
from tars_app.answers.unread import incomplete_files, unread_file
from tars_app.dependencies import Dependencies
from tars_app.documents.model import NO_PAGE
from tars_app.documents.schemas import Past
from tars_app.documents.visible import NoHistoryError
from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import ANY_TIME, TimeRequest
from tars_app.kit.metrics import Metrics
from tars_app.retrieval.places import Passage, place, place_of_quotation, unconfirmed_sources
from tars_app.retrieval.service import Results, excerpt, past_of, search
from tars_app.settings import Settings

log = logging.getLogger(__name__)

Event = Sources | Token | Sentence | Done | Failure

NO_EVIDENCE = "Nothing in the documents answers this question."
NO_ANSWER = "The model gave no answer. The passage that fits the question best is cited below."
NOT_IN_DOCUMENTS = "The documents do not say: no passage that was found contains {}. The nearest are quoted below."
_MISSING: dict[Asked, str] = {
    "date": "a date for this",
    "money": "an amount of money for this",
    "person": "a name",
    "telephone": "a telephone number",
    "secret": "this",
    "code": "such a number",
}
UNEXPECTED = Failure(
    message="The answer failed because of an unexpected error.",
    next_step="Ask again. If it fails again, check the log of the app container.",
)
PROMPT_CUT = (
    "The model may not have read all of the passages: the model server cut the question with its passages. "
    "Rely on the quotations, or ask with fewer words."
)


_NO_USAGE = Usage(0, 0)


async def ask(
    dependencies: Dependencies, metrics: Metrics, question: str, limit: int | None, time_asked: TimeRequest = ANY_TIME
) -> AsyncIterator[Event]:
    """Yield sources, the pieces of the answer, and the end: either `Done` with its citations, or `Failure`."""
    started = time.monotonic()
    outcome = "stopped"
    sources = Sources(sources=[])
    try:
        async for event in _answer(dependencies, metrics, question, limit, time_asked, started):
            if isinstance(event, Sources):
                sources = event
            elif isinstance(event, Done):
                metrics.answers.labels(event.support).inc()
                event = await _with_unread(dependencies.pool, question, sources, event)
            yield event
        outcome = "done"
    except QuestionTooLongError:
        outcome = "error"
        yield Failure(message="The question is too long for this model.", next_step="Ask in fewer words.")
    except UnavailableError as error:
        outcome = "error"
        log.error("A question was not answered", extra={"fields": {"reason": str(error)}})
        yield Failure(message=str(error), next_step=error.next_step)
    except Exception:
        outcome = "error"
        log.exception("A question was not answered")
        yield UNEXPECTED
    finally:
        metrics.ask_seconds.labels(outcome).observe(time.monotonic() - started)


async def _with_unread(pool: Pool, question: str, sources: Sources, done: Done) -> Done:
    """Return the end of an answer about now with the file that was not read, if its name fits the question best."""
    if sources.as_of or done.history_begins:
        return done
    paths = [source.path for source in sources.sources]
    return done.model_copy(update={"unread": await run_sync(unread_file, pool, question, paths)})


async def _answer(
    dependencies: Dependencies,
    metrics: Metrics,
    question: str,
    limit: int | None,
    time_asked: TimeRequest,
    started: float,
) -> AsyncIterator[Event]:
    settings = dependencies.settings
    try:
        plain = partial(search, operators=False)  # a question is a sentence, whatever its marks
        results = await run_sync(plain, dependencies, question, limit or settings.sources_per_answer, time_asked)
    except NoHistoryError as error:
        yield Sources(sources=[], understood=error.understood)
        done = _done(settings.chat_model, str(error), "no_evidence", [], started)
        yield done.model_copy(update={"history_begins": error.begins})
        return
    past, understood = past_of(results), results.understood
    given = evidence_for(settings, question, results)
    if given is None:
        yield Sources(sources=[], as_of=past, understood=understood)
        answer = no_past_evidence(past) if past else await run_sync(no_evidence, dependencies.pool, question)
        yield _done(settings.chat_model, answer, "no_evidence", [], started)
        return
    prompt, evidence, missing = given
    used = prompt.passages
    yield Sources(
        sources=[_entry(number, passage) for number, passage in enumerate(used, 1)], as_of=past, understood=understood
    )
    quotable = Quotable(evidence.sources, [passage.score for passage in used])
    if missing and (asked := evidence.question.asked):
        nearest = [(quote, list[int]()) for quote in quotable.find(question, "")]
        citations = await run_sync(verified, dependencies.pool, nearest, used)
        answer = NOT_IN_DOCUMENTS.format(_MISSING[asked])
        yield _done(settings.chat_model, answer, "not_in_documents", citations, started)
        return
    check = AnswerCheck(evidence)
    usage = _NO_USAGE
    async for part in generate(dependencies.chat, settings, prompt.messages):
        if isinstance(part, Usage):
            usage = part
            continue
        if not check.text:
            metrics.first_token_seconds.observe(time.monotonic() - started)
        yield Token(text=part)
        for sentence in check.add(part):
            yield sentence.event()
    cut = _is_cut(prompt, usage, settings.context_tokens, metrics)
    for sentence in check.finish():
        yield sentence.event()
    citations = await run_sync(verified, dependencies.pool, quotes_of(question, check, quotable), used)
    yield _done(settings.chat_model, check.text or NO_ANSWER, check.support, citations, started, usage, check, cut)


Given = tuple[Prompt, Evidence, bool]


def evidence_for(settings: Settings, question: str, results: Results) -> Given | None:
    """Return the prompt, its passages as evidence, and whether they lack what is asked for; None without evidence.

    Passages that are near by meaning alone are none, if they are not very near, or no document has the nouns of the
    question; nor are those that have neither a word of the question nor what it asks for.

    Raises:
        QuestionTooLongError: no passage fits into the prompt.
    """
    passages = results.passages
    if not passages or not _is_evidence(settings, question, results):
        return None
    enough = settings.relevant_share * passages[0].score
    relevant = [passage for passage in passages if passage.score >= enough]
    prompt = build_prompt(question, relevant, settings.context_tokens - settings.answer_tokens)
    evidence = Evidence(question, [(passage.heading, passage.text) for passage in prompt.passages], results.forgotten)
    missing = kind_is_missing(evidence.question, evidence.sources)
    if missing and not are_about(evidence.question, evidence.sources):
        return None
    return prompt, evidence, missing


def _is_evidence(settings: Settings, question: str, results: Results) -> bool:
    best = max(passage.score for passage in results.passages)
    if best >= settings.sure_score:
        return True
    about = question.replace(results.understood.text, " ") if results.understood else question
    texts = ((passage.heading, passage.text) for passage in results.passages)
    return best >= settings.min_score and not is_missing(about, texts, best)


def _entry(number: int, passage: Passage) -> SourceEntry:
    return SourceEntry.model_validate(
        {**place(passage), "id": number, "score": round(passage.score, 3), "excerpt": excerpt(passage.text)}
    )


def _done(
    model: str,
    answer: str,
    support: Support,
    citations: list[Citation],
    started: float,
    usage: Usage = _NO_USAGE,
    check: AnswerCheck | None = None,
    cut: bool = False,
) -> Done:
    notes = [*([NOTES[support]] if support in NOTES else []), *([PROMPT_CUT] if cut else [])]
    return Done(
        answer=answer,
        support=support,
        note=" ".join(notes) or None,
        prompt_cut=cut,
        sentences=[sentence.event() for sentence in check.checked] if check else [],
        citations=citations,
        model=model,
        prompt_tokens=usage.prompt_tokens,
        answer_tokens=usage.answer_tokens,
        duration_s=round(time.monotonic() - started, 3),
    )


def no_evidence(pool: Pool, question: str) -> str:
    """Return the answer where no passage is evidence, and which documents were not read, or are not used yet."""
    with pool.connection() as connection:
        row = connection.execute(
            """SELECT count(*) AS waiting FROM versions v JOIN documents d ON d.id = v.document_id
               WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL"""
        ).fetchone()
    sentences = [NO_EVIDENCE]
    if row and row["waiting"]:
        sentences.append(f"{row['waiting']} of them are still being read.")
    sentences += incomplete_files(pool, question)
    if sources := unconfirmed_sources(pool):
        sentences.append(f"Those of {', '.join(sources)} are used again when the share was scanned after the restore.")
    return " ".join(sentences)


def no_past_evidence(past: Past) -> str:
    """Return the answer where no passage of a past time is evidence."""
    sentences = [f"Nothing in the documents as they were on {past.at:%Y-%m-%d} answers this question."]
    if past.unread:
        sentences.append(f"The text of {past.unread} of them is not on record.")
    return " ".join(sentences)


def verified(pool: Pool, quotes: Sequence[tuple[Quote, list[int]]], passages: Sequence[Passage]) -> list[Citation]:
    """Return the quotes that occur, letter for letter, in their passage at its place as it is on record.

    Each quote comes with the numbers of the sentences of the answer that it is for.
    """
    citations = []
    with pool.connection() as connection:
        for quote, numbers in quotes:
            passage = passages[quote.source - 1]
            row = connection.execute(
                """SELECT strpos(p.text, %(quote)s) > 0 AND t.pages[%(ordinal)s] = %(page)s AS occurs
                   FROM version_texts t JOIN passages p ON p.hash = t.hashes[%(ordinal)s]
                   WHERE t.version_id = %(version)s""",
                {
                    "quote": quote.text,
                    "ordinal": passage.ordinal,
                    "page": NO_PAGE if passage.page is None else passage.page,
                    "version": passage.version_id,
                },
            ).fetchone()
            if row and row["occurs"]:
                label = place_of_quotation(connection, passage, quote.text, quote.start)
                place = {"page": passage.page, "label": label}
                citations.append(Citation(source=quote.source, quote=quote.text, sentences=numbers, **place))
            else:
                fields = {"document": passage.document_id}
                log.warning("A citation was dropped: it is not in its passage on record", extra={"fields": fields})
    return citations


def _is_cut(prompt: Prompt, usage: Usage, context_tokens: int, metrics: Metrics) -> bool:
    """Return whether the model server probably cut the prompt, and log and count that; the server does so silently."""
    if not usage.prompt_tokens:
        return False
    cut = usage.prompt_tokens < prompt.least_tokens
    if cut or usage.prompt_tokens + usage.answer_tokens > context_tokens:
        metrics.truncations_suspected.inc()
        fields = {"estimated": prompt.tokens, "counted": usage.prompt_tokens, "context": context_tokens}
        log.warning("The model may not have seen the whole prompt", extra={"fields": fields})
    return cut
