# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations of one check: what was seen on a NAS, what differs from the assumption, what could not be seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tars_provision.nas_facts.bridge import ApiError, Call, Client, DsmError, info

Verdict = Literal["as assumed", "differs", "not available"]
ABSENT = frozenset({102, 103, 104})
"""Codes that say that this DSM has no such API, method or version."""


def boolean(value: Any) -> bool:
    """True, false, or one of the ways in which DSM writes them."""
    return isinstance(value, bool) or value in (0, 1, "0", "1", "true", "false", "yes", "no")


def whole(value: Any) -> bool:
    """A whole number, or a text of digits."""
    return (isinstance(value, int) and not isinstance(value, bool)) or str(value).lstrip("-").isdigit()


def text(value: Any) -> bool:
    """A text, even an empty one."""
    return isinstance(value, str)


def many(value: Any) -> bool:
    """A list."""
    return isinstance(value, list)


def named(value: Any) -> bool:
    """An object with named values."""
    return isinstance(value, dict)


Kind = Callable[[Any], bool] | Collection[str]
Kinds = dict[str, Kind]


@dataclass
class Observation:
    """Observations of one check. `own_address` is this computer's, if the NAS should see the same one."""

    client: Client
    own_address: str | None = None
    seen: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Return whether the NAS is as assumed."""
        return "differs" if self.differs else "as assumed" if self.seen else "not available"

    def read(self, call: Call, params: dict[str, Any] | None = None) -> Any:
        """Return the data of a call, or None if DSM refuses it, which is noted."""
        try:
            return self.client.read(call, params)
        except ApiError as error:
            self.refused(f"{call} in version {call.version}", error)
        except DsmError as error:
            self.differs.append(str(error))
        return None

    def info(self, *parts: str) -> dict[str, Any]:
        """Return what the module `dsm_info` reads of these parts, or nothing if it cannot read the answers."""
        try:
            return info(self.client, *parts)
        except ApiError as error:
            self.refused(f"{error.api} {error.method}", error)
        except DsmError as error:
            self.differs.append(str(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            part = " and ".join(parts)
            self.differs.append(f"dsm_info cannot read the {part} of this NAS: {type(error).__name__} {error}")
        return {}

    def refused(self, call: str, error: ApiError) -> None:
        """Note a call that DSM refuses: one that it does not have is not seen, any other refusal differs."""
        if error.code in ABSENT:
            self.unseen.append(f"this DSM has no {call}")
        else:
            self.differs.append(f"{call} is refused with {error.code}")

    def expect(self, what: str, value: Any, /, **kinds: Kind) -> bool:
        """Note each named value of an object that is missing or of another kind; return whether there was none.

        A kind is a predicate, or the texts that are known. Names that end with an underscore may be missing.
        """
        before = len(self.differs)
        if not isinstance(value, Mapping):
            self.differs.append(f"{what} is {shown(value)}, not an object")
            return False
        for given, kind in kinds.items():
            name = given.rstrip("_") if given.endswith("_") else given
            if name not in value:
                if name == given:
                    self.differs.append(f"{what} has no {name}")
            elif callable(kind) and not kind(value[name]):
                self.differs.append(f"{what}: {name} is {shown(value[name])}, not {wanted(kind)}")
            elif not callable(kind) and value[name] not in kind:
                self.differs.append(f"{what}: {name} is {shown(value[name])}, not one of {', '.join(sorted(kind))}")
        return len(self.differs) == before

    def expect_rows(self, what: str, rows: Any, **kinds: Kind) -> list[Mapping[str, Any]]:
        """Expect the same of every row of a list; return the rows that are objects."""
        if not isinstance(rows, list):
            self.differs.append(f"{what}: found {shown(rows)}, not a list")
            return []
        for row in rows:
            if not self.expect(what, row, **kinds):
                break  # the next ones are made like this one
        return [row for row in rows if isinstance(row, Mapping)]


def wanted(kind: Callable[[Any], bool]) -> str:
    """Return the meaning of a predicate, in words."""
    sentence = (kind.__doc__ or "").split(",")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]


def shown(value: Any) -> str:
    """Return a value for a sentence: shortened, and objects as their names."""
    if isinstance(value, Mapping):
        return f"an object of {listed(value)}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    line = repr(value)
    return line if len(line) <= 40 else f"{line[:37]}..."


def listed(names: Iterable[object], most: int = 6) -> str:
    """Return names with commas, and the number of further ones if there are many."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more if texts else "none"


def counted(number: int, name: str) -> str:
    """Return a number with its noun: 1 share, 2 shares, no shares."""
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"
