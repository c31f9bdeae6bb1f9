# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer a question as a stream of events."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence

from anyio.to_thread import run_sync

from tars_app.adapters.postgres import Pool
from tars_app.answers.asked import Asked, are_about, kind_is_missing
from tars_app.answers.check import NOTES, AnswerCheck, quotes_of
from tars_app.answers.generate import Usage, generate
from tars_app.answers.grounding import Evidence
from tars_app.answers.prompt import Prompt, QuestionTooLongError, build_prompt
from tars_app.answers.quotes import Quotable, Quote
from tars_app.answers.schemas import Citation, Done, Failure, Sentence, SourceEntry, Sources, Support, Token
from tars_app.dependencies import Dependencies
from tars_app.documents.model import NO_PAGE
from tars_app.documents.schemas import Past
from tars_app.documents.visible import NoHistoryError
from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import ANY_TIME, TimeRequest
from tars_app.kit.metrics import Metrics
from tars_app.retrieval.places import Passage, place, unconfirmed_sources
from tars_app.retrieval.service import excerpt, past_of, search
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
_PROMPT_SEEN_SHARE = 0.4
"""A prompt was probably cut if the model counted less than this share of the estimate: the estimate is about 1.4 times
the true number, and a model server that cuts keeps half."""


_NO_USAGE = Usage(0, 0)


async def ask(
    dependencies: Dependencies, metrics: Metrics, question: str, limit: int | None, time_asked: TimeRequest = ANY_TIME
) -> AsyncIterator[Event]:
    """Yield sources, the pieces of the answer, and the end: either `Done` with its citations, or `Failure`."""
    started = time.monotonic()
    outcome = "stopped"
    try:
        async for event in _answer(dependencies, metrics, question, limit, time_asked, started):
            if isinstance(event, Done):
                metrics.answers.labels(event.support).inc()
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
        results = await run_sync(search, dependencies, question, limit or settings.sources_per_answer, time_asked)
    except NoHistoryError as error:
        yield Sources(sources=[], understood=error.understood)
        done = _done(settings.chat_model, str(error), "no_evidence", [], started)
        yield done.model_copy(update={"history_begins": error.begins})
        return
    past, understood = past_of(results), results.understood
    given = _given(settings, question, results.passages)
    if given is None:
        yield Sources(sources=[], as_of=past, understood=understood)
        answer = no_past_evidence(past) if past else await run_sync(no_evidence, dependencies.pool)
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
    _check_truncation(prompt, usage, settings.context_tokens, metrics)
    for sentence in check.finish():
        yield sentence.event()
    citations = await run_sync(verified, dependencies.pool, quotes_of(question, check, quotable), used)
    yield _done(settings.chat_model, check.text or NO_ANSWER, check.support, citations, started, usage, check)


def _given(settings: Settings, question: str, passages: Sequence[Passage]) -> tuple[Prompt, Evidence, bool] | None:
    """Return the prompt, its passages as evidence, and whether they lack what is asked for; None without evidence.

    A passage that is near by meaning alone, and has neither a word of the question nor what it asks for, is not.

    Raises:
        QuestionTooLongError: no passage fits into the prompt.
    """
    if not passages:
        return None
    enough = settings.relevant_share * passages[0].score
    relevant = [passage for passage in passages if passage.score >= enough]
    prompt = build_prompt(question, relevant, settings.context_tokens - settings.answer_tokens)
    evidence = Evidence(question, [(passage.path, passage.text) for passage in prompt.passages])
    missing = kind_is_missing(evidence.question, evidence.sources)
    if missing and not are_about(evidence.question, evidence.sources):
        return None
    return prompt, evidence, missing


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
) -> Done:
    return Done(
        answer=answer,
        support=support,
        note=NOTES.get(support),
        sentences=[sentence.event() for sentence in check.checked] if check else [],
        citations=citations,
        model=model,
        prompt_tokens=usage.prompt_tokens,
        answer_tokens=usage.answer_tokens,
        duration_s=round(time.monotonic() - started, 3),
    )


def no_evidence(pool: Pool) -> str:
    """Return the answer where no passage is evidence, and which documents are not used yet."""
    with pool.connection() as connection:
        row = connection.execute(
            """SELECT count(*) AS waiting FROM versions v JOIN documents d ON d.id = v.document_id
               WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL"""
        ).fetchone()
    sentences = [NO_EVIDENCE]
    if row and row["waiting"]:
        sentences.append(f"{row['waiting']} of them are still being read.")
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
                citations.append(Citation(source=quote.source, quote=quote.text, page=passage.page, sentences=numbers))
            else:
                fields = {"document": passage.document_id}
                log.warning("A citation was dropped: it is not in its passage on record", extra={"fields": fields})
    return citations


def _check_truncation(prompt: Prompt, usage: Usage, context_tokens: int, metrics: Metrics) -> None:
    """Log and count a prompt that the model server probably cut; it does so silently."""
    if not usage.prompt_tokens:
        return
    cut = usage.prompt_tokens < _PROMPT_SEEN_SHARE * prompt.tokens
    if cut or usage.prompt_tokens + usage.answer_tokens > context_tokens:
        metrics.truncations_suspected.inc()
        fields = {"estimated": prompt.tokens, "counted": usage.prompt_tokens, "context": context_tokens}
        log.warning("The model may not have seen the whole prompt", extra={"fields": fields})
