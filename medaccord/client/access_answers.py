"""What a gatekeeper says is allowed, read into types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from medaccord.core.consistency import ConsistencyToken
from medaccord.core.decision import Basis
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import Address, Digest
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

Code = TypeVar("Code", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessVerdict:
    """What was decided on a check.

    Attributes:
        allowed: Whether something may be released.
        code: "permitted", or the code of the refusal.
        text: The reason in words.
        basis: What it rests on; None where it is refused.
        rests_on: Ids of the consents, and of the emergency access, that it rests on.
        expires_at: It may not be used at or after this; None for the patient's own, or refused.
        token: The block that it was decided at.
    """

    allowed: bool
    code: str
    text: str
    basis: Basis | None
    rests_on: tuple[Digest, ...]
    expires_at: datetime | None
    token: ConsistencyToken


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedReader:
    """An organisation that may read something.

    Attributes:
        organisation: Its account.
        basis: What that rests on.
        rests_on: Id of the consent or of the emergency access.
        scopes: What it allows.
        expires_at: Its end, excluded.
    """

    organisation: Address
    basis: Basis
    rests_on: Digest
    scopes: tuple[Scope, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWay:
    """One way in that is open to an organisation.

    Attributes:
        basis: What it rests on.
        rests_on: Id of the consent or of the emergency access.
        scopes: What it allows.
        purposes: What for.
        period: The days the records may be about; None for any.
        include_undated: Whether records that tell no day are covered.
        excluded_labels: Labels whose records are left out.
        records: Single records; empty for all that the scopes allow.
        expires_at: Its end, excluded.
    """

    basis: Basis
    rests_on: Digest
    scopes: tuple[Scope, ...]
    purposes: tuple[Purpose, ...]
    period: DatePeriod | None
    include_undated: bool
    excluded_labels: tuple[str, ...]
    records: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoCanRead:
    """The organisations that may read what was asked about, as of a block."""

    readers: tuple[AllowedReader, ...]
    token: ConsistencyToken


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatCanBeRead:
    """What an organisation may read of a patient, as of a block.

    Attributes:
        ways: The ways in that are open.
        code: "permitted", or why there is none.
        text: The same in words.
        token: The block.
    """

    ways: tuple[OpenWay, ...]
    code: str
    text: str
    token: ConsistencyToken


def read_verdict(members: Mapping[str, Any], token: ConsistencyToken) -> AccessVerdict:
    """Read the answer to one check.

    Raises:
        InvalidInput: It is malformed.
    """
    reader = _open(members, "the answer", "allowed", "reason", "basis", "restsOn", "expiresAt")
    code, text = _reason(reader)
    return AccessVerdict(
        allowed=reader.boolean("allowed"),
        code=code,
        text=text,
        basis=None if reader.null("basis") else _one_of(Basis, reader.text("basis")),
        rests_on=reader.digests("restsOn"),
        expires_at=None if reader.null("expiresAt") else _time(reader),
        token=token,
    )


def read_who_can(answer: Mapping[str, Any]) -> WhoCanRead:
    """Read who may read. Errors as `read_verdict`."""
    readers = []
    for each in objects_of(answer, "readers"):
        names = ("organisation", "basis", "restsOn", "scopes", "expiresAt")
        reader = _open(each, "a reader", *names)
        readers.append(
            AllowedReader(
                organisation=reader.address("organisation"),
                basis=_one_of(Basis, reader.text("basis")),
                rests_on=reader.digest("restsOn"),
                scopes=tuple(map(Scope.parse, reader.texts("scopes"))),
                expires_at=_time(reader),
            )
        )
    return WhoCanRead(readers=tuple(readers), token=token_of(answer))


def read_what_can(answer: Mapping[str, Any]) -> WhatCanBeRead:
    """Read what may be read. Errors as `read_verdict`."""
    code, text = _reason(_open(answer, "the answer", "reason"))
    ways = tuple(map(_way, objects_of(answer, "ways")))
    return WhatCanBeRead(ways=ways, code=code, text=text, token=token_of(answer))


def token_of(answer: Mapping[str, Any]) -> ConsistencyToken:
    """The block that an answer was decided at. Errors as `read_verdict`."""
    reader = _open(answer, "the answer", "consistencyToken")
    return ConsistencyToken.parse(reader.text("consistencyToken"))


def objects_of(answer: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    """The objects that an answer lists under a name. Errors as `read_verdict`."""
    return _open(answer, "the answer", name).mappings(name)


def _open(members: Mapping[str, Any], what: str, *names: str) -> DocumentReader:
    """Read an object; later gatekeepers may tell more than is named here."""
    return DocumentReader(members, what=what, required=names, optional=members)


def _reason(reader: DocumentReader) -> tuple[str, str]:
    inner = _open(reader.mapping("reason"), "the reason", "code", "text")
    return inner.text("code"), inner.text("text")


def _way(members: Mapping[str, Any]) -> OpenWay:
    names = ("basis", "restsOn", "scopes", "purposes", "period", "includeUndated")
    more = ("excludedLabels", "records", "expiresAt")
    reader = _open(members, "a way in", *names, *more)
    return OpenWay(
        basis=_one_of(Basis, reader.text("basis")),
        rests_on=reader.digest("restsOn"),
        scopes=tuple(map(Scope.parse, reader.texts("scopes"))),
        purposes=tuple(_one_of(Purpose, each) for each in reader.texts("purposes")),
        period=None if reader.null("period") else _period(reader.mapping("period")),
        include_undated=reader.boolean("includeUndated"),
        excluded_labels=reader.texts("excludedLabels"),
        records=reader.texts("records"),
        expires_at=_time(reader),
    )


def _period(members: Mapping[str, Any]) -> DatePeriod:
    reader = _open(members, "the period", "start", "end")
    days = {}
    for name in ("start", "end"):
        try:
            days[name] = None if reader.null(name) else date.fromisoformat(reader.text(name))
        except ValueError as error:
            raise InvalidDocument(f"{name} of the period is no day") from error
    return DatePeriod(**days)


def _time(reader: DocumentReader) -> datetime:
    text = reader.text("expiresAt")
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidDocument(f"not a time like 2026-01-31T12:00:00Z: {text!r}") from error


def _one_of(codes: type[Code], text: str) -> Code:
    try:
        return codes(text)
    except ValueError as error:
        raise InvalidDocument(f"{text!r} is not one of {', '.join(codes)}") from error
