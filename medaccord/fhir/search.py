"""The parameters of a search: few, known, and each understood or refused.

A parameter that a server silently ignores widens the answer; here an unknown one is an error.

Source: FHIR R4, section 3.1.1 (search), token parameters and _count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidIdentifier, InvalidRequest
from medaccord.core.identifiers import AccountId
from medaccord.core.resource_types import RECORD_ID, RESOURCE_TYPES

__all__ = ["CURSOR", "DEFAULT_COUNT", "MAX_COUNT", "SearchParameters"]

CURSOR: Final = "_cursor"
"""The parameter that a next link carries."""

DEFAULT_COUNT: Final = 50
"""Entries on a page where the client does not say."""

MAX_COUNT: Final = 200
"""Entries on a page at most; who asks for more gets this many."""

_FORMATS: Final = frozenset({"json", "application/json", "application/fhir+json"})
_TOKEN = re.compile(r"(?:[^\s|,\\]{1,200}\|)?[^\s|,\\]{1,100}")
_TOKEN_PARAMETERS: Final = ("category", "code")
_PATIENT_PARAMETERS: Final = ("patient", "patient.identifier", "subject.identifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameters:
    """A search, read.

    Attributes:
        resource_type: type searched for.
        patient: whose records; None where the parameters name nobody.
        tokens: (name, alternatives) for category and code, once for each time it was given: a
            record meets each of them by any of its alternatives.
        ids: record ids, one of which is wanted; empty for any.
        count: entries on a page, 0 to `MAX_COUNT`; 0 asks for the total alone.
        cursor: where the page begins, as a next link gave it; None for the first page.
    """

    resource_type: str
    patient: AccountId | None = None
    tokens: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ids: tuple[str, ...] = ()
    count: int = DEFAULT_COUNT
    cursor: str | None = None

    @classmethod
    def parse(cls, resource_type: str, pairs: Iterable[tuple[str, str]]) -> Self:
        """Read the parameters of a query string.

        Args:
            resource_type: the type in the path.
            pairs: names and decoded values, in the order given: `category`, `code` (each may be
                repeated), `_id`, `_count`, `_cursor`, `_format`, and the patient by account as
                `patient`, `patient.identifier` or `subject.identifier`; for the type Patient also
                as `identifier`.

        Raises:
            InvalidRequest: an unknown type or parameter (a modifier makes one), a malformed value,
                or one of the others given twice.
        """
        if resource_type not in RESOURCE_TYPES:
            raise InvalidRequest(f"{resource_type!r} is no FHIR R4 resource type")
        names = {name: name for name in ("_id", "_count", CURSOR, "_format")}
        names |= dict.fromkeys(_PATIENT_PARAMETERS, "patient")
        if resource_type == "Patient":
            names["identifier"] = "patient"
        tokens: set[tuple[str, tuple[str, ...]]] = set()
        once: dict[str, str] = {}
        for name, value in pairs:
            if name in _TOKEN_PARAMETERS:
                tokens.add((name, _alternatives(name, value)))
            elif name not in names:
                raise InvalidRequest(f"the search parameter {name!r} is not supported")
            elif names[name] in once:
                raise InvalidRequest(f"the search parameter {name!r} stands there twice")
            else:
                once[names[name]] = value
        if once.get("_format", "json") not in _FORMATS:
            raise InvalidRequest(f"only JSON is answered, not {once['_format']!r}")
        return cls(
            resource_type=resource_type,
            patient=_patient(once["patient"]) if "patient" in once else None,
            tokens=tuple(sorted(tokens)),
            ids=_ids(once["_id"]) if "_id" in once else (),
            count=_count(once["_count"]) if "_count" in once else DEFAULT_COUNT,
            cursor=once.get(CURSOR),
        )

    def matches(self, descriptor: Descriptor) -> bool:
        """Whether a record is wanted. It says nothing of whether it may be released."""
        held = {"category": descriptor.categories, "code": descriptor.codes}
        return (
            descriptor.resource_type == self.resource_type
            and all(not held[name].isdisjoint(wanted) for name, wanted in self.tokens)
            and (not self.ids or descriptor.record.partition("/")[2] in self.ids)
        )

    def pairs(self, *, cursor: str | None = None) -> tuple[tuple[str, str], ...]:
        """The parameters in their one canonical order, to make links and to name the question.

        Args:
            cursor: where the page begins; None for the first page.
        """
        found = [(name, ",".join(values)) for name, values in self.tokens]
        if self.patient is not None:
            found.append(("patient.identifier", str(self.patient)))
        if self.ids:
            found.append(("_id", ",".join(self.ids)))
        found.append(("_count", str(self.count)))
        if cursor is not None:
            found.append((CURSOR, cursor))
        return tuple(found)


def _alternatives(name: str, value: str) -> tuple[str, ...]:
    tokens = tuple(sorted(set(value.split(","))))
    for token in tokens:
        if not _TOKEN.fullmatch(token):
            raise InvalidRequest(f"{name} is a code or system|code, not {token!r}")
    return tokens


def _patient(value: str) -> AccountId:
    try:
        return AccountId.parse(value)
    except InvalidIdentifier as error:
        raise InvalidRequest(f"name the patient by account: {error.problem}") from error


def _ids(value: str) -> tuple[str, ...]:
    ids = tuple(sorted(set(value.split(","))))
    for identity in ids:
        if not RECORD_ID.fullmatch(identity):
            raise InvalidRequest(f"_id is the id of a record, not {identity!r}")
    return ids


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise InvalidRequest(f"_count is a number, not {value!r}")
    return min(int(value), MAX_COUNT)
