"""The order of a search's answers: by what was asked for, then by name, so that none are equal.

What a record has none of comes last, either way. A date is sorted by where it starts, a token by
its code; of several, the smallest counts upwards and the largest downwards.

Source: FHIR R4, section 3.1.1.5.1 (_sort).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

from medaccord.core.errors import InvalidRequest
from medaccord.fhir.search_clauses import dates_of, shown, split
from medaccord.fhir.search_parameters import ID, Kind, parameters_of
from medaccord.fhir.search_values import Searchable

__all__ = ["BY_NAME", "MAX_FIELDS", "SearchOrder"]

MAX_FIELDS: Final = 5
"""Parameters to sort by at most."""

_COMPARED: Final = 64
"""Characters of a code that are compared; the rest would make positions long."""

_MISSING: Final = (1,)
"""Comes after every value there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SortField:
    """One parameter to sort by.

    Attributes:
        name: of the parameter.
        kind: how its values are compared.
        descending: whether the largest comes first.
    """

    name: str
    kind: Kind
    descending: bool

    def key(self, entry: Searchable) -> tuple[Any, ...]:
        """What a record is sorted by; smaller is earlier, also where the order is downwards."""
        if self.kind is Kind.DATE:
            starts = [each.instant.start for each in dates_of(entry, self.name)]
            if not starts:
                return _MISSING
            return (0, -max(starts)) if self.descending else (0, min(starts))
        codes = [each[:_COMPARED] for each in self._codes(entry)]
        if not codes:
            return _MISSING
        if self.descending:
            # The end of a text comes before any letter; upside down it comes after.
            return (0, *(-ord(letter) for letter in max(codes)), 1)
        return (0, min(codes))

    def _codes(self, entry: Searchable) -> list[str]:
        if self.name == ID.name:
            return [entry.descriptor.record.partition("/")[2]]
        return [each.code for each in entry.values.tokens(self.name)]

    def __str__(self) -> str:
        """As it stands in a query."""
        return f"-{self.name}" if self.descending else self.name


@dataclass(frozen=True, slots=True)
class SearchOrder:
    """An order in which no two records are equal.

    Attributes:
        fields: what records are sorted by, the first first; by their names where these are equal.
    """

    fields: tuple[SortField, ...] = ()

    @classmethod
    def parse(cls, resource_type: str, value: str) -> Self:
        """Read the value of `_sort`.

        Raises:
            InvalidRequest: it names something that there is no order of, or too much.
        """
        return cls(tuple(_fields(resource_type, value)))

    def key(self, entry: Searchable) -> tuple[Any, ...]:
        """What a record is sorted by, to compare with others' in this order."""
        return (*(each.key(entry) for each in self.fields), entry.descriptor.record)

    def position(self, entry: Searchable) -> str:
        """The place of a record in this order."""
        return json.dumps(self.key(entry), separators=(",", ":"))

    def after(self, position: str, entry: Searchable) -> bool:
        """Whether a record comes later than a place that `position` gave.

        Raises:
            InvalidRequest: it is no such place.
        """
        try:
            return self.key(entry) > _key(position)
        except (ValueError, TypeError) as error:
            raise InvalidRequest("the place to go on from is not of this search") from error

    def __str__(self) -> str:
        """As it stands in a query."""
        return ",".join(map(str, self.fields))


BY_NAME: Final = SearchOrder()
"""The order where the client asks for none."""


def _fields(resource_type: str, value: str) -> Iterator[SortField]:
    known = parameters_of(resource_type)
    names = split("_sort", value, ",")
    if len(names) > MAX_FIELDS:
        raise InvalidRequest(f"_sort takes {MAX_FIELDS} parameters at most")
    for each in names:
        name = each.removeprefix("-")
        parameter = known.get(name)
        if parameter is None or parameter.kind is Kind.REFERENCE:
            sortable = ", ".join(
                name for name, each in known.items() if each.kind is not Kind.REFERENCE
            )
            raise InvalidRequest(f"_sort takes {sortable}, not {shown(name)}")
        yield SortField(name=name, kind=parameter.kind, descending=each != name)


@lru_cache(maxsize=64)
def _key(position: str) -> tuple[Any, ...]:
    return tuple(tuple(each) if isinstance(each, list) else each for each in json.loads(position))
