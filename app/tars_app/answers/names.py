# SPDX-License-Identifier: GPL-3.0-or-later
"""Find proper names in a sentence, by capitals and the words around them; there is no dictionary.

In English a capital within a sentence marks a name. In German it marks every noun, so that only two in succession, or
one after a title, a form of address or a preposition without an article, count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tars_app.answers.figures import Figure
from tars_app.answers.units import unit_after
from tars_app.kit.dates import MONTHS
from tars_app.kit.language import Language, fold, language
from tars_app.kit.text import words

_WORD = re.compile(r"(?<![\w@])[^\W\d_]++(?:['\u2019][^\W\d_]++)?+(?:-[^\W\d_]++)*+(?![\d_@])(?!-\d)")
_JOINT = re.compile(r"(?:\.?[ \u00a0]|[ ]?&[ ]|[ ](?:von|van|de|zu|of)[ ])(?=[^\W\d_])")
_MARKER = re.compile(r"\[\d{1,2}\]")
_OPENING = re.compile(r"(?:\A|[.!?:;\n]|[\u201e\u201c\"(*#>|-])[\s*\"'\u201e\u201c(#>-]*\Z")
_VERB = re.compile(
    r"\s+(?:(?:has|have|had|is|was|are|were|will|can|could|does|did|must|should|hat|ist|war|wird|kann|muss|soll|wurde)(?![^\W_])"
    r"|[a-z]{3,}(?:ed|es|[^s]s|te|t|en)(?![^\W_]))"
)
_TITLES = frozenset(
    words(
        """
        mr mrs ms miss dr prof sir herr herrn frau familie firma company doctor professor street strasse aunt uncle
        mother father grandmother grandfather tante onkel mutter vater grossmutter grossvater oma opa
        """
    )
)
_GENERIC = frozenset(words("ag and co company corp e firma gmbh inc kg limited llc ltd mbh ohg und ug v")) | (
    _TITLES - {"street", "strasse"}
)
_NOT_NAMES = frozenset(
    words(
        """
        ai am bic english euro euros eu faq gb german god iban id internet i ii iii iv kwh nas nr ok pdf pin pm tv uk
        usa usb vat wlan wifi deutsch deutschland germany europe europa
        """
    )
) | frozenset(map(fold, MONTHS))
_NUMBERED = frozenset(
    words(
        """
        annex appendix article chapter clause code document error fault figure item number page paragraph part passage
        section source step table type abschnitt anhang dokument quelle textstelle artikel fehler kapitel nummer
        paragraf punkt seite teil typ
        """
    )
)
_STREET = re.compile(r"\w+(?:stra(?:ß|ss)e|str|allee|gasse|weg|platz)\.? \d", re.IGNORECASE)
# "The insurer is the Provinzial", "the tyres are Roadline 205/55": in German, a noun may stand there too.
_PREDICATE = re.compile(r"(?<!\w)(?:ist|sind|heißt|heißen|war|waren|lautet)\s+(?:(?:die|der|das)\s+)?\Z", re.IGNORECASE)
_FIELD_ENDS = re.compile(r"\s*(?:[.,;!]|\d|\Z|und(?!\w))")
_SHORTEST_PREDICATE = 3
_QUOTED = re.compile(
    r"[\"\u201e\u201c\u00bb](?P<text>(?=[^\"]*[A-ZÄÖÜ])[^\W\d_]+(?:[ -][^\W_]+){0,3})[\"\u201c\u201d\u00ab]"
)
_EDGES = frozenset(words("anfang ende mitte beginn"))
_PREPOSITIONS = frozenset(words("von bei durch an"))
_OPENERS = frozenset(
    words(
        """
        a about according additionally after all also although an and another any answer are as at based because
        before both but by can could did do documents document does during each either every finally first for from
        further furthermore given has have he her here his how however i if in instead is it its last later many may
        more moreover most my neither no nobody none not note nothing of on once one only or other our per please
        second several she should since so some such than that the their then there therefore these they this those
        though three thus to together total two under unfortunately unless until upon use was we were what when where
        whether which while who why will with within without would yes yet you your aber alle allerdings als am an
        auch auf aufgrund aus bei bis bitte da dabei daher damit danach dann das dass dazu dem den der des die dies
        diese dieser dieses ein eine einen er es für fuer gemäß gemaess hier ich ihr im in ist ja jede jeden jeder
        jedes keine kein laut leider man mit nach nein nicht nichts nur ob oder ohne sie sind so somit sowie über
        ueber um und unter vom von vor wann war was weil wenn wer wie wir wird wo zu zudem zum zur zusätzlich zwei
        zwischen ask bring buy call cancel check clean close contact email find keep open pay phone press read
        remember renew replace report ring see send take turn visit write fragen rufen zahlen sein seine seinen seiner
        seinem ihre ihren ihrem ihrer mein meine meiner meinem meinen unser unsere unserer unseren dein deine deinen
        beide beiden viele einige mehrere weitere folgende andere neue alte letzte nächste erste gesamte
        """
    )
)
_NOUN_ENDING = re.compile(
    r".{2,}(?:ments?|tions?|sion|ings?|ance|ence|ity|ness|ure|ship|ly|age|ung|ungen|heit|keit|schaft|ität|taet|nis|tum|ies)\Z"
)


@dataclass(frozen=True)
class _Token:
    text: str
    start: int
    end: int
    opens: bool
    joined: bool  # to the token before, by a space or "&"

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()

    @property
    def folded(self) -> str:
        return fold(re.sub(r"['\u2019]s?\Z", "", self.text))


def names(text: str, spoken: Language | None = None, *, persons: bool = False) -> list[Figure]:
    """Return the proper names of a text. With `persons`, the text answers who: a noun that opens it is a name."""
    spoken = language(text) if spoken is None else spoken
    blank = _MARKER.sub(lambda match: " " * len(match[0]), text)
    tokens = list(_tokens(blank))
    result = []
    for run, before in _runs(tokens):
        run = _trimmed(run, blank)
        if not run:
            continue
        kept = _german(run, before, blank, persons) if spoken == "de" else _english(run, blank, persons)
        if kept and any(_names_something(token) for token in kept):
            start, end = kept[0].start, kept[-1].end
            result.append(Figure("name", text[start:end], start, end, key=" ".join(token.folded for token in kept)))
    return result


def quoted(text: str) -> list[Figure]:
    """Return what a text quotes in a few words, with a capital: a name, which has to be found letter for letter."""
    return [
        Figure("name", match["text"], match.start("text"), match.end("text"), key=fold(match["text"]))
        for match in _QUOTED.finditer(text)
    ]


def words_of(name: Figure) -> list[str]:
    """Return the words of a name that have to be found: without titles and legal forms."""
    parts = re.findall(r"[^\W_]+", name.key)
    return [word for word in parts if word not in _GENERIC] or parts


def _tokens(text: str) -> Iterator[_Token]:
    last_end = -1
    for match in _WORD.finditer(text):
        joint = _JOINT.match(text, last_end) if last_end >= 0 else None
        joined = bool(joint and joint.end() == match.start())
        if joined and text[last_end : last_end + 1] == "." and match.start() - last_end == 2:
            # "Dr. Brandt" and "P. Brandt" go on; "... by Brandt. Water ..." does not.
            joined = _abbreviates(text[:last_end])
        opens = not joined and bool(_OPENING.search(text, max(0, match.start() - 12), match.start()))
        yield _Token(match[0], match.start(), match.end(), opens, joined)
        last_end = match.end()


def _abbreviates(before: str) -> bool:
    word = re.search(r"[^\W\d_]+\Z", before)
    return bool(word and (len(word[0]) == 1 or fold(word[0]) in _TITLES))


def _runs(tokens: list[_Token]) -> Iterator[tuple[list[_Token], _Token | None]]:
    """Yield each run of capitalised words, and the word before it."""
    run: list[_Token] = []
    before: _Token | None = None
    last: _Token | None = None
    for token in tokens:
        if token.capital and run and token.joined:
            run.append(token)
        else:
            if run:
                yield run, before
            run, before = ([token], last) if token.capital else ([], None)
        last = token
    if run:
        yield run, before


def _trimmed(run: list[_Token], text: str) -> list[_Token]:
    """Return the run without months, units, and labels of a number ("Fault F28") at its ends."""
    while run and (not _names_something(run[0], legal=True) or run[0].folded in _EDGES):
        run = run[1:]
    while run and not _names_something(run[-1], legal=True):
        run = run[:-1]
    if run and run[-1].folded in _NUMBERED and re.match(r"[ \u00a0]\w*\d", text[run[-1].end :]):
        run = run[:-1]
    return run


def _english(run: list[_Token], text: str, persons: bool) -> list[_Token]:
    first = run[0]
    if not first.opens:
        return run
    if _labels(run, text):
        return []
    if fold(first.text) in _OPENERS:
        return run[1:]
    return run if len(run) > 1 or _opens_with_name(first, text, persons) else []


def _german(run: list[_Token], before: _Token | None, text: str, persons: bool) -> list[_Token]:
    first = run[0]
    if _labels(run, text):
        return []
    if first.opens and fold(first.text) in _OPENERS:
        run, before = run[1:], first
        if not run:
            return []
        first = run[0]
    if len(run) > 1 or _STREET.fullmatch(f"{first.text}{text[first.end : first.end + 2]}"):
        return run
    if before and first.joined and _announces(before, persons):
        return [] if _NOUN_ENDING.match(first.text.lower()) else run
    if (
        len(first.text) > _SHORTEST_PREDICATE
        and _PREDICATE.search(text[: first.start])
        and _FIELD_ENDS.match(text, first.end)
    ):
        return [] if _NOUN_ENDING.match(first.text.lower()) else run
    alone = not re.search(r"[^\W\d_]", text[first.end :]) or not any(map(str.isupper, text[first.end :]))
    return run if first.opens and alone and _opens_with_name(first, text, persons) else []


def _announces(before: _Token, persons: bool) -> bool:
    """Return whether a single capitalised word after this one is a name and not any noun."""
    word = before.folded
    return word in _PREPOSITIONS or word in _TITLES or (persons and word in ("ist", "heisst", "war", "nimmt", "macht"))


def _opens_with_name(token: _Token, text: str, persons: bool) -> bool:
    """Return whether a capitalised word at the beginning is a name: its verb follows, or it is all of a field."""
    common = _NOUN_ENDING.match(token.text.lower()) or (token.text.endswith("s") and token.text[-2].isalpha())
    if fold(token.text) in _OPENERS or common:
        return False
    rest = text[token.end :]
    if re.search(r"['\u2019]s\Z", token.text) or _VERB.match(rest):
        return True
    if text[: token.start].rstrip().endswith(":"):
        return bool(re.match(r"\s*(?:[;,.]|\Z)", rest))
    return persons and not rest.strip(" .!*")


def _labels(run: list[_Token], text: str) -> bool:
    """Return whether the words are the label of a field ("Policy Number: ...")."""
    return run[0].opens and bool(re.match(r"[*_ ]*:", text[run[-1].end :]))


def _names_something(token: _Token, *, legal: bool = False) -> bool:
    """Return whether a word may be part of a name; a title or legal form only with `legal`."""
    return token.folded not in _NOT_NAMES and (legal or token.folded not in _GENERIC) and not unit_after(token.text, 0)
