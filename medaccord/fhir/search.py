"""A search: its parameters, each understood or refused, what they mean, and the order of answers.

A parameter that a server silently ignores widens the answer: here an unknown one is an error,
unless the client asks for leniency; then it is told which ones were ignored. What would change the
shape of the answer, or the meaning of a parameter that is known, is refused in any case.

Source: FHIR R4, section 3.1.1 (search).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self, TypeVar

from medaccord.core.errors import InvalidIdentifier, InvalidRequest
from medaccord.core.identifiers import AccountId
from medaccord.core.resource_types import RECORD_ID, RESOURCE_TYPES
from medaccord.fhir.search_clauses import (
    Clause,
    DateClause,
    IdClause,
    MissingClause,
    TokenClause,
    plain,
    shown,
    split,
)
from medaccord.fhir.search_order import BY_NAME, SearchOrder
from medaccord.fhir.search_parameters import (
    ID,
    Kind,
    SearchParameter,
    parameters_of,
)
from medaccord.fhir.search_values import Searchable

__all__ = ["ACCOUNT_SYSTEM", "CURSOR", "DEFAULT_COUNT", "MAX_COUNT", "SearchQuery"]

CURSOR: Final = "_cursor"
"""The parameter that a next link carries."""

DEFAULT_COUNT: Final = 50
"""Entries on a page where the client does not say."""

MAX_COUNT: Final = 200
"""Entries on a page at most; who asks for more gets this many."""

MAX_PARAMETERS: Final = 100
"""Parameters of one search at most."""

MAX_LENGTH: Final = 16_000
"""Characters of all names and values together, at most: they go into the log."""

MAX_VALUES: Final = 500
"""Values of all parameters together, at most: every record of the patient is held against them."""

ACCOUNT_SYSTEM: Final = "https://chainagnostic.org/CAIPs/caip-10"
"""The system of an identifier that is a patient's account. Source: CAIP-10."""

_TOTALS: Final = frozenset({"none", "estimate", "accurate"})
_ONCE: Final = frozenset({"_count", "_format", "_sort", "_summary", "_total", CURSOR})
_NOT_MODELLED: Final = frozenset(
    {
        *("_contained", "_containedType", "_content", "_elements", "_filter", "_has", "_include"),
        *("_list", "_profile", "_query", "_revinclude", "_security", "_source", "_tag", "_text"),
        "_type",
    }
)
"""R4's parameters of every search that are not done here: refused, whoever is lenient."""

_ACCOUNT_CHAINS: Final = frozenset({"patient.identifier", "subject.identifier"})

_Entry = TypeVar("_Entry", bound=Searchable)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """A search, read.

    Attributes:
        resource_type: type searched for.
        patient: whose records: an account, or ``Patient/<id>`` as the steward names it; None where
            the parameters name nobody.
        clauses: what a record must meet, all of them, in their one order.
        order: how the answers are sorted.
        count: entries on a page, 0 to `MAX_COUNT`.
        summary_count: whether the total alone is wanted.
        total: what was asked with `_total`; the total that is told is always accurate.
        format: the form of the answer, as `_format` asked for it; whether there is one is not said
            here.
        cursor: where the page begins, as a next link gave it; None for the first page.
        ignored: names of the parameters that were not understood, in the order given.
    """

    resource_type: str
    patient: AccountId | str | None = None
    clauses: tuple[Clause, ...] = ()
    order: SearchOrder = BY_NAME
    count: int = DEFAULT_COUNT
    summary_count: bool = False
    total: str | None = None
    format: str | None = None
    cursor: str | None = None
    ignored: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(
        cls, resource_type: str, pairs: Iterable[tuple[str, str]], *, lenient: bool = False
    ) -> Self:
        """Read the parameters of a query string or a form.

        Args:
            resource_type: the type in the path.
            pairs: names and decoded values, in the order given: those of the type's table
                (`parameters_of`), each also with ``:missing`` and tokens with ``:not``; `_count`,
                `_sort`, `_summary`, `_total`, `_format` and `_cursor`. The patient is named by
                account or id as `patient`, or `subject` where the type has it; by account as
                `patient.identifier` or `subject.identifier`; of the type Patient as `identifier`
                or `_id`.
            lenient: whether unknown parameters are left out of the search, and not refused.

        Raises:
            InvalidRequest: an unknown type or parameter; a modifier, a chain or a value that is not
                understood; a parameter that stands there twice and may not; two patients; or more
                than `MAX_PARAMETERS` of them, `MAX_VALUES` values or `MAX_LENGTH` characters.
        """
        if resource_type not in RESOURCE_TYPES:
            raise InvalidRequest(f"{shown(resource_type)} is no FHIR R4 resource type")
        reader = _Reader(resource_type)
        length = values = 0
        for number, (name, value) in enumerate(pairs):
            length += len(name) + len(value)
            values += 1 + value.count(",")
            if number == MAX_PARAMETERS:
                raise InvalidRequest(f"a search takes {MAX_PARAMETERS} parameters at most")
            if length > MAX_LENGTH:
                raise InvalidRequest(f"a search takes {MAX_LENGTH} characters at most")
            if values > MAX_VALUES:
                raise InvalidRequest(f"a search takes {MAX_VALUES} values at most: ask more often")
            reader.take(name, value, lenient=lenient)
        once = reader.once
        count = _count(once["_count"]) if "_count" in once else DEFAULT_COUNT
        return cls(
            resource_type=resource_type,
            patient=reader.patient,
            clauses=tuple(sorted(set(reader.clauses), key=lambda each: each.pair)),
            order=SearchOrder.parse(resource_type, once["_sort"]) if "_sort" in once else BY_NAME,
            count=count,
            summary_count=_summary(once.get("_summary", "false")) or count == 0,
            total=_total(once.get("_total")),
            format=once.get("_format"),
            cursor=once.get(CURSOR),
            ignored=tuple(reader.ignored),
        )

    def matches(self, entry: Searchable) -> bool:
        """Whether a record is wanted. It says nothing of whether it may be released."""
        if entry.descriptor.resource_type != self.resource_type:
            return False
        return all(clause.matches(entry) for clause in self.clauses)

    def sorted(self, entries: Iterable[_Entry]) -> list[_Entry]:
        """Records in the order asked for, and those of one place in it by their names."""
        return sorted(entries, key=self.order.key)

    def position(self, entry: Searchable) -> str:
        """The place of a record in the order; what comes later is `after` it.

        It names the record and what it is sorted by, so that the next page begins behind it even
        where that record is gone meanwhile.
        """
        return self.order.position(entry)

    def after(self, position: str, entry: Searchable) -> bool:
        """Whether a record comes later in the order than a place that `position` gave.

        Raises:
            InvalidRequest: it is no such place.
        """
        return self.order.after(position, entry)

    def pairs(self, *, cursor: str | None = None) -> tuple[tuple[str, str], ...]:
        """What was understood, in its one order, to make links and to name the question.

        Read again, they give the same search.

        Args:
            cursor: where the page begins; None for the first page.
        """
        found = [clause.pair for clause in self.clauses]
        if isinstance(self.patient, AccountId):
            by_account = "identifier" if self.resource_type == "Patient" else "patient.identifier"
            found.append((by_account, f"{ACCOUNT_SYSTEM}|{self.patient}"))
        elif self.patient is not None and self.patient != _only_id(self.clauses):
            found.append(("patient", self.patient))
        if self.order.fields:
            found.append(("_sort", str(self.order)))
        found.append(("_count", str(self.count)))
        if self.summary_count:
            found.append(("_summary", "count"))
        if self.total is not None:
            found.append(("_total", self.total))
        if self.format is not None:
            found.append(("_format", self.format))
        if cursor is not None:
            found.append((CURSOR, cursor))
        return tuple(found)


class _Reader:
    """Sorts parameters into what they mean."""

    def __init__(self, resource_type: str) -> None:
        self.resource_type = resource_type
        self.clauses: list[Clause] = []
        self.once: dict[str, str] = {}
        self.ignored: list[str] = []
        self._patients: set[AccountId | str] = set()
        self._parameters: Mapping[str, SearchParameter] = parameters_of(resource_type)

    @property
    def patient(self) -> AccountId | str | None:
        """The one patient that is named."""
        if not self._patients and self.resource_type == "Patient":
            return _only_id(self.clauses)
        return next(iter(self._patients), None)

    def take(self, name: str, value: str, *, lenient: bool) -> None:
        """Read one parameter."""
        _check_text(name, value)
        if name in _ONCE:
            if name in self.once:
                raise InvalidRequest(f"the search parameter {name!r} stands there twice")
            self.once[name] = value
        elif name in _ACCOUNT_CHAINS or self._is_account(name, value):
            self._name({_account(name, each) for each in split(name, value, ",")})
        elif self._is_known(name):
            self._take_known(name, value)
        elif lenient and not self._is_refused(name):
            self.ignored.append(name)
        else:
            raise InvalidRequest(f"the search parameter {shown(name)} is not supported")

    def _take_known(self, name: str, value: str) -> None:
        base, _, modifier = name.partition(":")
        kind = Kind.REFERENCE if base == "patient" else self._parameters[base].kind
        if kind is Kind.REFERENCE and modifier in ("", "Patient"):
            self._name({_patient(base, each) for each in split(base, value, ",")})
        elif modifier == "missing" and kind is not Kind.REFERENCE and base[0] != "_":
            self.clauses.append(MissingClause.parse(base, value))
        elif base == ID.name and not modifier:
            self.clauses.append(IdClause.parse(value))
        elif kind is Kind.TOKEN and base != ID.name and modifier in ("", "not"):
            parameter = self._parameters[base]
            self.clauses.append(TokenClause.parse(parameter, value, negated=bool(modifier)))
        elif kind is Kind.DATE and not modifier:
            self.clauses.append(DateClause.parse(base, value))
        else:
            raise InvalidRequest(f"the modifier {shown(':' + modifier)} of {base} is not supported")

    def _is_account(self, name: str, value: str) -> bool:
        """Whether the identifier of a patient is an account, and not one of the steward's own."""
        return self.resource_type == "Patient" and name == "identifier" and "eip155:" in value

    def _is_known(self, name: str) -> bool:
        base, colon, modifier = name.partition(":")
        if colon and not modifier:
            return False
        return base in self._parameters or base == "patient"

    def _is_refused(self, name: str) -> bool:
        """Whether it means something in any search, or changes one that is known."""
        base = re.split("[:.]", name)[0]
        return base in _NOT_MODELLED or base in _ONCE or self._is_known(base)

    def _name(self, patients: set[AccountId | str] | set[AccountId]) -> None:
        self._patients |= patients
        if len(self._patients) > 1:
            raise InvalidRequest(
                "the search names more than one patient, or one in two ways: name one, once"
            )


def _check_text(name: str, value: str) -> None:
    if not name.isprintable() or not value.isprintable():
        raise InvalidRequest(f"{shown(name)} holds characters that cannot be printed")


def _only_id(clauses: Iterable[Clause]) -> str | None:
    """The patient that a search for patients names by `_id`; None for none, or several."""
    ids = [clause.ids for clause in clauses if isinstance(clause, IdClause)]
    return f"Patient/{ids[0][0]}" if len(ids) == 1 and len(ids[0]) == 1 else None


def _account(name: str, value: str) -> AccountId:
    system, bar, account = plain(name, value).rpartition("|")
    if bar and system != ACCOUNT_SYSTEM:
        raise InvalidRequest(f"the system of an account is {ACCOUNT_SYSTEM}, not {shown(system)}")
    try:
        return AccountId.parse(account)
    except InvalidIdentifier as error:
        raise InvalidRequest(f"name the patient by account: {error.problem}") from error


def _patient(name: str, value: str) -> AccountId | str:
    text = plain(name, value)
    if ":" in text or "|" in text:
        return _account(name, value)
    identity = text.removeprefix("Patient/")
    if not RECORD_ID.fullmatch(identity):
        raise InvalidRequest(
            f"{name} is an account (eip155:<chain id>:<address>), Patient/<id> or an id, not"
            f" {shown(value)}"
        )
    return f"Patient/{identity}"


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise InvalidRequest(f"_count is a number, not {shown(value)}")
    return min(int(value), MAX_COUNT)


def _summary(value: str) -> bool:
    if value not in ("count", "false"):
        raise InvalidRequest(f"_summary is count or false, not {shown(value)}")
    return value == "count"


def _total(value: str | None) -> str | None:
    if value is not None and value not in _TOTALS:
        raise InvalidRequest(f"_total is none, estimate or accurate, not {shown(value)}")
    return value
