"""The clauses of a search: each says of a record whether it is met, and all of them must be.

A clause is read from one parameter of the query. A comma in its value separates alternatives, one
of which must be met; a backslash takes the meaning of ``,``, ``|``, ``$`` and of itself away.

Source: FHIR R4, section 3.1.1.4.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from medaccord.core.errors import InvalidRequest
from medaccord.core.resource_types import RECORD_ID
from medaccord.fhir.date_range import DateRange, Span, moment_range, range_of
from medaccord.fhir.search_parameters import ID, LAST_UPDATED, SearchParameter
from medaccord.fhir.search_values import Searchable, Token

__all__ = [
    "MAX_ALTERNATIVES",
    "Clause",
    "DateClause",
    "IdClause",
    "MissingClause",
    "TokenClause",
    "escaped",
    "shown",
    "split",
]

MAX_ALTERNATIVES: Final = 200
"""Values of one parameter, separated by commas, at most."""

_SHOWN: Final = 60
_BAR = re.compile(r"(?<!\\)(?:\\\\)*\|")
_DAY: Final = 86_400 * 10**9
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_SPECIAL = re.compile(r"([\\,|$])")
_DATE_VALUE = re.compile(r"(eq|ne|lt|gt|le|ge|sa|eb|ap)?([0-9].*)", re.DOTALL)


class Clause(Protocol):
    """A condition that a record meets or not."""

    @property
    def pair(self) -> tuple[str, str]:
        """The parameter and its value in their one form; read again they give the same clause."""
        ...

    def matches(self, entry: Searchable) -> bool:
        """Whether a record meets it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTest:
    """One alternative of a token: ``code``, ``system|code``, ``|code`` or ``system|``.

    Attributes:
        system: the system wanted; "" for none; None for any.
        code: the code wanted; None for any.
    """

    system: str | None
    code: str | None

    def matches(self, token: Token, implied: str | None) -> bool:
        """Whether a token is meant.

        Args:
            token: of a record.
            implied: system of a token that names none, where the element has but one.
        """
        if self.code is not None and self.code != token.code:
            return False
        if self.system is None or self.system == (token.system or ""):
            return True
        return token.system is None and self.system == implied

    def __str__(self) -> str:
        """As it stands in a query."""
        system = "" if self.system is None else f"{escaped(self.system)}|"
        return system + escaped(self.code or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClause:
    """A token parameter, such as ``code=http://loinc.org|718-7,718-7``.

    Attributes:
        name: of the parameter.
        tests: the alternatives, in order.
        negated: whether none of them may be met, as ``:not`` asks; a record without the element
            meets that too.
        implied: code system of the element, where it holds mere codes.
    """

    name: str
    tests: tuple[TokenTest, ...]
    negated: bool = False
    implied: str | None = None

    @classmethod
    def parse(cls, parameter: SearchParameter, value: str, *, negated: bool = False) -> Self:
        """Read it.

        Raises:
            InvalidRequest: the value is no token.
        """
        name = parameter.name
        tests = {_token_test(name, each) for each in split(name, value, ",")}
        ordered = tuple(sorted(tests, key=str))
        return cls(name=name, tests=ordered, negated=negated, implied=parameter.system)

    @property
    def pair(self) -> tuple[str, str]:
        """See `Clause`."""
        name = f"{self.name}:not" if self.negated else self.name
        return name, ",".join(map(str, self.tests))

    def matches(self, entry: Searchable) -> bool:
        """See `Clause`."""
        # Loops, here and below, since a search looks at thousands of records.
        for token in entry.values.tokens(self.name):
            for test in self.tests:
                if test.matches(token, self.implied):
                    return not self.negated
        return self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTest:
    """One alternative of a date, such as ``ge2025-11``.

    ``ap`` asks for what overlaps with the date made longer on both sides: by a day, or by itself
    where it is a month or a year; so the same question has the same answer whenever it is asked.

    Attributes:
        prefix: how the date of a record must lie to it.
        text: the date.
        range: what it stands for.
    """

    prefix: str
    text: str
    range: DateRange

    @classmethod
    def parse(cls, name: str, value: str) -> Self:
        """Read it.

        Raises:
            InvalidRequest: the value is no date.
        """
        match = _DATE_VALUE.fullmatch(value)
        # A plus sign that was not escaped in the address arrives as a space.
        text = "" if match is None else match[2].replace(" ", "+")
        found = range_of(text)
        if match is None or found is None:
            raise InvalidRequest(
                f"{name} is a date, as 2025, 2025-11, 2025-11-03 or 2025-11-03T09:30:00+01:00,"
                f" with eq, ne, lt, gt, le, ge, sa, eb or ap before it or none, not {shown(value)}"
            )
        return cls(prefix=match[1] or "eq", text=text, range=found)

    def matches(self, found: DateRange) -> bool:
        """Whether a date of a record lies as the prefix asks."""
        if self.range.is_zoned:
            return _lies(self.prefix, self.range.instant, found.instant)
        return _lies(self.prefix, self.range.written, found.written)

    def __str__(self) -> str:
        """As it stands in a query."""
        return self.text if self.prefix == "eq" else self.prefix + self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class DateClause:
    """A date parameter, such as ``date=ge2025-01-01``.

    A record without such a date does not meet it, whatever the prefix.

    Attributes:
        name: of the parameter.
        tests: the alternatives, in order.
    """

    name: str
    tests: tuple[DateTest, ...]

    @classmethod
    def parse(cls, name: str, value: str) -> Self:
        """Read it.

        Raises:
            InvalidRequest: the value is no date.
        """
        tests = {DateTest.parse(name, plain(name, each)) for each in split(name, value, ",")}
        return cls(name=name, tests=tuple(sorted(tests, key=str)))

    @property
    def pair(self) -> tuple[str, str]:
        """See `Clause`."""
        return self.name, ",".join(map(str, self.tests))

    def matches(self, entry: Searchable) -> bool:
        """See `Clause`."""
        for found in dates_of(entry, self.name):
            for test in self.tests:
                if test.matches(found):
                    return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class IdClause:
    """``_id``: one of these records.

    Attributes:
        ids: their ids, in order.
    """

    ids: tuple[str, ...]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read it.

        Raises:
            InvalidRequest: a value is no id.
        """
        ids = tuple(sorted(set(split(ID.name, value, ","))))
        for identity in ids:
            if not RECORD_ID.fullmatch(identity):
                raise InvalidRequest(f"_id is the id of a record, not {shown(identity)}")
        return cls(ids=ids)

    @property
    def pair(self) -> tuple[str, str]:
        """See `Clause`."""
        return ID.name, ",".join(self.ids)

    def matches(self, entry: Searchable) -> bool:
        """See `Clause`."""
        return entry.descriptor.record.partition("/")[2] in self.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingClause:
    """``:missing``: whether a record has any value of a token or a date.

    Attributes:
        name: of the parameter.
        missing: whether it must have none.
    """

    name: str
    missing: bool

    @classmethod
    def parse(cls, name: str, value: str) -> Self:
        """Read it.

        Raises:
            InvalidRequest: the value is neither true nor false.
        """
        if value not in ("true", "false"):
            raise InvalidRequest(f"{name}:missing is true or false, not {shown(value)}")
        return cls(name=name, missing=value == "true")

    @property
    def pair(self) -> tuple[str, str]:
        """See `Clause`."""
        return f"{self.name}:missing", "true" if self.missing else "false"

    def matches(self, entry: Searchable) -> bool:
        """See `Clause`."""
        return self.missing != (self.name in entry.values.written)


def dates_of(entry: Searchable, name: str) -> Iterable[DateRange]:
    """The dates of a record under a parameter, `_lastUpdated` among them."""
    if name == LAST_UPDATED.name:
        return (moment_range(entry.updated),)
    return entry.values.dates(name)


def split(name: str, value: str, separator: str) -> list[str]:
    """Split a value where a separator stands without a backslash before it.

    Raises:
        InvalidRequest: there are more than `MAX_ALTERNATIVES`, or one is empty.
    """
    if value.count(separator) >= MAX_ALTERNATIVES:
        raise InvalidRequest(f"{name} takes {MAX_ALTERNATIVES} values at most: ask more than once")
    parts = re.split(rf"(?<!\\)((?:\\\\)*){re.escape(separator)}", value)
    # The backslashes before a separator are pairs, and belong to what is before it.
    found = [part + pairs for part, pairs in zip(parts[::2], [*parts[1::2], ""], strict=True)]
    if not all(found):
        raise InvalidRequest(f"{name} has an empty value")
    return found


def plain(name: str, value: str) -> str:
    r"""A value without its backslashes.

    Raises:
        InvalidRequest: one stands before anything but ``,``, ``|``, ``$`` or ``\``.
    """
    if any(after not in tuple(r"\,|$") for after in _ESCAPE.findall(value)):
        raise InvalidRequest(f"{name}: a backslash goes before a comma, |, $ or another one only")
    return _ESCAPE.sub(r"\1", value)


def escaped(value: str) -> str:
    """A value with a backslash before each character that would mean something else."""
    return _SPECIAL.sub(r"\\\1", value)


def shown(value: str) -> str:
    """A value as an error names it: short, and without anything that cannot be printed."""
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")


def _token_test(name: str, value: str) -> TokenTest:
    bar = _BAR.search(value)
    if bar is None:
        return TokenTest(system=None, code=plain(name, value))
    system, code = plain(name, value[: bar.end() - 1]), value[bar.end() :]
    if _BAR.search(code) or not (system or code):
        raise InvalidRequest(
            f"{name} is code, system|code, |code or system|, not {shown(value)}; where a bar or a"
            " comma belongs to the code, write a backslash before it"
        )
    return TokenTest(system=system, code=plain(name, code) or None)


def _lies(prefix: str, asked: Span, found: Span) -> bool:
    contained = asked.start <= found.start and found.end <= asked.end
    match prefix:
        case "eq":
            return contained
        case "ne":
            return not contained
        case "gt":
            return found.end > asked.end
        case "lt":
            return found.start < asked.start
        case "ge":
            return found.end > asked.end or contained
        case "le":
            return found.start < asked.start or contained
        case "sa":
            return found.start >= asked.end
        case "eb":
            return found.end <= asked.start
        case _:  # ap
            more = max(asked.end - asked.start, _DAY)
            return found.start < asked.end + more and asked.start - more < found.end
