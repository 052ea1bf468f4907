"""Terms: the document that says what a consent covers.

Terms are structure only. On chain stands their commitment; whoever checks a consent has been given
the terms themselves, whose salt opens it. One meaning has one document: lists are sorted and
distinct, and reading back what `document` wrote is the identity.

A record is covered when a scope allows it and nothing else leaves it out: not the data period, not
a label, not the list of single records. Undated records are left out unless the terms say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, Self

from medaccord.core import sentences
from medaccord.core.canonical import document_bytes
from medaccord.core.commitments import commit
from medaccord.core.descriptor import Descriptor
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidInput, InvalidTerms
from medaccord.core.identifiers import AccountId, Digest, digest, hex_digest
from medaccord.core.labels import LABELS, excluded_with
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.resource_types import is_record
from medaccord.core.scopes import Scope, narrower

__all__ = ["MAX_DOCUMENT_BYTES", "PROFILE", "DatePeriod", "Terms"]

PROFILE: Final = "medaccord/terms/1"
"""Names the schema; another one is refused."""

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""Terms longer than this are not read."""

_MEMBERS: Final = (
    "stewards",
    "scopes",
    "purposes",
    "includeUndated",
    "excludedLabels",
    "records",
    "salt",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a consent covers. Lists are put in order and made distinct when terms are made.

    Attributes:
        stewards: the organisations whose records it is about; at least one.
        scopes: what it allows; at least one. A record needs one of them.
        purposes: what for; at least one.
        period: the days the records may be about; None for any.
        include_undated: whether records that tell no day are covered.
        excluded_labels: codes of `LABELS`; a record with one of them, or with one that says more of
            the same, is left out.
        records: single records, "Type/id"; empty for all that the scopes allow.
        salt: 32 random bytes, fresh for each terms.

    Raises:
        InvalidTerms: a list that must not be empty is, or a label or record is malformed.
    """

    stewards: tuple[AccountId, ...]
    scopes: tuple[Scope, ...]
    purposes: tuple[Purpose, ...]
    salt: Digest = field(repr=False)
    period: DatePeriod | None = None
    include_undated: bool = False
    excluded_labels: tuple[str, ...] = ()
    records: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Put the lists in order, and hold everything to its closed list."""
        for name in ("stewards", "scopes", "purposes", "excluded_labels", "records"):
            ordered = tuple(sorted(set(getattr(self, name)), key=str))
            object.__setattr__(self, name, ordered)
        for name in ("stewards", "scopes", "purposes"):
            if not getattr(self, name):
                raise InvalidTerms(f"terms name at least one of their {name}")
        if unknown := [label for label in self.excluded_labels if label not in LABELS]:
            raise InvalidTerms(f"unknown sensitivity label: {unknown[0]!r}")
        if unnamed := [record for record in self.records if not is_record(record)]:
            raise InvalidTerms(f"a single record is named Type/id, not {unnamed[0]!r}")
        if self.period == DatePeriod():
            raise InvalidTerms("a period open on both sides is no period: leave it out")
        digest(self.salt)

    def document(self) -> dict[str, Any]:
        """The terms as a JSON document, with their profile and salt."""
        document: dict[str, Any] = {
            "profile": PROFILE,
            "stewards": [str(steward) for steward in self.stewards],
            "scopes": [str(scope) for scope in self.scopes],
            "purposes": [purpose.value for purpose in self.purposes],
            "includeUndated": self.include_undated,
            "excludedLabels": list(self.excluded_labels),
            "records": list(self.records),
            "salt": hex_digest(self.salt),
        }
        if self.period is not None:
            days = {"start": self.period.start, "end": self.period.end}
            document["period"] = {
                name: day.isoformat() for name, day in days.items() if day is not None
            }
        return document

    @classmethod
    def parse(cls, source: bytes | str | Mapping[str, Any]) -> Self:
        """Read terms from their document.

        Args:
            source: JSON text of at most `MAX_DOCUMENT_BYTES`, or what a JSON parser made of it.

        Raises:
            InvalidTerms: another profile, a member missing, unknown or malformed, or a list out of
                order: every meaning has one document.
        """
        if isinstance(source, bytes | str) and len(source) > MAX_DOCUMENT_BYTES:
            raise InvalidTerms(f"terms have at most {MAX_DOCUMENT_BYTES} bytes, not {len(source)}")
        try:
            reader = DocumentReader.open(
                source, profile=PROFILE, required=_MEMBERS, optional=["period"]
            )
            return cls(
                stewards=tuple(map(AccountId.parse, _ordered(reader, "stewards"))),
                scopes=tuple(map(_scope, _ordered(reader, "scopes"))),
                purposes=tuple(map(_purpose, _ordered(reader, "purposes"))),
                period=_period(reader) if reader.has("period") else None,
                include_undated=reader.boolean("includeUndated"),
                excluded_labels=_ordered(reader, "excludedLabels"),
                records=_ordered(reader, "records"),
                salt=reader.digest("salt"),
            )
        except InvalidTerms:
            raise
        except InvalidInput as error:
            raise InvalidTerms(f"the terms cannot be read: {error.problem}") from error

    @property
    def commitment(self) -> Digest:
        """What stands on chain for these terms."""
        return _commitment(self)

    def names(self, steward: AccountId) -> bool:
        """Whether the terms are for records of this steward."""
        return steward in self.stewards

    def covers(self, descriptor: Descriptor, interaction: str = "r") -> bool:
        """Whether the terms cover this interaction on this record.

        Steward and purpose are not of a record: `names` and `purposes` are looked at beside this.
        """
        return (
            any(scope.matches(descriptor, interaction) for scope in self.scopes)
            and self._reaches(descriptor.date)
            and descriptor.labels.isdisjoint(excluded_with(self.excluded_labels))
            and (not self.records or descriptor.record in self.records)
        )

    def narrows(self, other: Self) -> bool:
        """Whether these terms allow nothing that `other` does not; the salt does not matter.

        True is a proof; False may also mean that it could not be shown.
        """
        return (
            set(self.stewards) <= set(other.stewards)
            and set(self.purposes) <= set(other.purposes)
            and all(any(narrower(a, b) for b in other.scopes) for a in self.scopes)
            and (
                other.period is None
                or (self.period is not None and other.period.contains(self.period))
            )
            and (other.include_undated or not self.include_undated)
            and set(other.excluded_labels) <= set(self.excluded_labels)
            and (
                not other.records
                or (bool(self.records) and set(self.records) <= set(other.records))
            )
        )

    def sentence(
        self,
        grantee_name: str,
        steward_names: Mapping[AccountId, str],
        valid_from: datetime,
        valid_until: datetime,
    ) -> str:
        """What a patient reads before signing.

        Args:
            grantee_name: name of the organisation that may read, from its checked profile.
            steward_names: names of the stewards; one that is missing is shown by its account.
            valid_from: start of the consent, included; timezone-aware.
            valid_until: its end, excluded; timezone-aware.
        """
        rest = self.phrase(steward_names, valid_from, valid_until)
        return f"{sentences.clean_name(grantee_name)} may read {rest}."

    def phrase(
        self,
        steward_names: Mapping[AccountId, str],
        valid_from: datetime,
        valid_until: datetime,
    ) -> str:
        """The part of the sentence after "may read" or "asks to read"."""
        what = f"your {sentences.of_scopes(self.scopes)}"
        if self.records:
            what += f" {sentences.of_records(self.records)}"
        names = [
            sentences.clean_name(steward_names[steward])
            if steward in steward_names
            else str(steward)
            for steward in self.stewards
        ]
        parts = [f"{what} kept by {sentences.listing(names)}"]
        if self.period is not None or self.include_undated:
            parts.append(sentences.of_period(self.period, self.include_undated))
        if self.excluded_labels:
            parts.append(sentences.of_labels(self.excluded_labels))
        parts.append(f"for {sentences.listing([purpose.words for purpose in self.purposes])}")
        parts.append(sentences.of_window(valid_from, valid_until))
        return ", ".join(parts)

    def _reaches(self, day: DatePeriod | None) -> bool:
        if day is None:
            return self.include_undated
        return self.period is None or self.period.contains(day)


def _ordered(reader: DocumentReader, name: str) -> tuple[str, ...]:
    texts = reader.texts(name)
    if list(texts) != sorted(set(texts)):
        raise InvalidTerms(f"{name} is not sorted and distinct")
    return texts


def _scope(text: str) -> Scope:
    scope = Scope.parse(text)
    if str(scope) != text:
        raise InvalidTerms(f"write the scope {text!r} as {str(scope)!r}")
    return scope


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError as error:
        raise InvalidTerms(f"unknown purpose: {text!r}") from error


def _period(reader: DocumentReader) -> DatePeriod:
    inner = reader.object("period", required=(), optional=("start", "end"))
    days = {name: _day(inner.text(name)) for name in ("start", "end") if inner.has(name)}
    return DatePeriod(**days)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidTerms(f"not a day like 2026-01-31: {text!r}") from error
    if day.isoformat() != text:
        raise InvalidTerms(f"not a day like 2026-01-31: {text!r}")
    return day


@lru_cache(maxsize=2**12)
def _commitment(terms: Terms) -> Digest:
    """Every decision compares it with what stands on the chain."""
    return commit(terms.salt, document_bytes(terms.document()))
