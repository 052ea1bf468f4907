"""The table of search parameters: which there are, by type, and which elements they look at.

Parameters have the names that R4 gives them, and no others: what a type calls `vaccine-code` is not
`code` there too. Of each type stand there the patient (`patient`, `subject`), codes and categories,
every date, and what tells its status.

Source: FHIR R4 (4.0.1), search-parameters.json; of each row, the column "definition" is the
canonical URL of its SearchParameter. A choice element stands there once for each type of it that
the kind of search is defined for; a filter on the type of a reference is left out. The column
"system" is from the value set that R4 binds the element to; Task.intent, bound to two, has none.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Final

__all__ = [
    "ID",
    "LAST_UPDATED",
    "SEARCHED_TYPES",
    "TABLE_DIGEST",
    "Kind",
    "SearchParameter",
    "parameters_of",
]

_TABLE: Final = files("medaccord.fhir") / "data" / "search_parameters.csv"
_TEXT: Final = _TABLE.read_text(encoding="utf-8")

TABLE_DIGEST: Final = hashlib.sha256(_TEXT.encode()).hexdigest()[:16]
"""Stands for the table: an index holds what the table of its time looked at."""


class Kind(StrEnum):
    """How values of a parameter are compared. Source: FHIR R4, section 3.1.1.4."""

    TOKEN = "token"
    DATE = "date"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """One search parameter of one type.

    Attributes:
        name: as it stands in a query.
        kind: how its values are compared.
        elements: paths of the elements that it looks at, within the resource; a dot leads deeper.
        system: code system of the elements' codes, where they are mere codes that name none; None
            for others.
        definition: canonical URL of R4's SearchParameter.
    """

    name: str
    kind: Kind
    elements: tuple[str, ...]
    definition: str
    system: str | None = None


ID: Final = SearchParameter(
    name="_id",
    kind=Kind.TOKEN,
    elements=("id",),
    definition="http://hl7.org/fhir/SearchParameter/Resource-id",
)
"""The id of a record, of every type."""

LAST_UPDATED: Final = SearchParameter(
    name="_lastUpdated",
    kind=Kind.DATE,
    elements=("meta.lastUpdated",),
    definition="http://hl7.org/fhir/SearchParameter/Resource-lastUpdated",
)
"""When a version was taken in by the steward, of every type."""


def parameters_of(resource_type: str) -> Mapping[str, SearchParameter]:
    """The search parameters of a type by name, `_id` and `_lastUpdated` among them.

    Of a type that is not in the table there are these two alone.
    """
    return _BY_TYPE.get(resource_type, _EVERY)


def _rows() -> Iterator[tuple[str, SearchParameter]]:
    for row in csv.DictReader(io.StringIO(_TEXT)):
        yield (
            row["type"],
            SearchParameter(
                name=row["parameter"],
                kind=Kind(row["kind"]),
                elements=tuple(row["elements"].split(" ")),
                system=row["system"] or None,
                definition=row["definition"],
            ),
        )


_EVERY: Final[Mapping[str, SearchParameter]] = MappingProxyType(
    {each.name: each for each in (ID, LAST_UPDATED)}
)


def _by_type() -> Mapping[str, Mapping[str, SearchParameter]]:
    found: dict[str, dict[str, SearchParameter]] = {}
    for resource_type, parameter in _rows():
        found.setdefault(resource_type, dict(_EVERY))[parameter.name] = parameter
    return MappingProxyType({kind: MappingProxyType(held) for kind, held in found.items()})


_BY_TYPE: Final = _by_type()

SEARCHED_TYPES: Final = tuple(sorted(_BY_TYPE))
"""The types in the table: those of the patient's compartment."""
