"""What travels where it is asked what is allowed: questions, verdicts, and who may read what."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from medaccord.core.blocks import BlockRef
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.decision import Basis
from medaccord.core.errors import AccessRefused, InvalidRequest
from medaccord.core.facts import Query
from medaccord.core.identifiers import Address, hex_digest
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.resource_types import is_record
from medaccord.core.scopes import Scope
from medaccord.core.ways import Way
from medaccord.gatekeeper.access import MAX_CHECKS, Check, Holding, Reader, Verdict
from medaccord.gatekeeper.wire import AddressField, Form, time_text

PERMITTED = "permitted"
"""The code of a reason where something is allowed."""

Interaction = Literal["r", "s"]
RequesterField = Annotated[
    AddressField | None, Field(description="The organisation; whoever asks, unless named.")
]


class CheckForm(Form):
    """Body of POST /access/check: a type of resource, or one record."""

    requester: RequesterField = None
    patient: AddressField
    purpose: Purpose
    interaction: Interaction
    resourceType: str | None = None  # the name it has in JSON
    record: str | None = None

    def check(self, asker: Address) -> Check:
        """What is to be checked.

        Raises:
            InvalidRequest: both a type and a record are named, or neither, or one there is not.
        """
        if (self.resourceType is None) == (self.record is None):
            raise InvalidRequest("name a resourceType, or one record as Type/id")
        if self.record is not None and not is_record(self.record):
            raise InvalidRequest(f"a record is named Type/id, not {self.record!r}")
        resource_type = self.resourceType or str(self.record).partition("/")[0]
        return Check(
            query=Query(
                requester=self.requester or asker,
                patient=self.patient,
                purpose=self.purpose,
                interaction=self.interaction,
                resource_type=resource_type,
            ),
            record=self.record,
        )


class BatchForm(Form):
    """Body of POST /access/check/batch."""

    checks: Annotated[tuple[CheckForm, ...], Field(min_length=1, max_length=MAX_CHECKS)]


class Reason(BaseModel):
    """Why, for programs and for people: `permitted`, or the code of a refusal."""

    code: Refusal | Literal["permitted"]
    text: str


class VerdictBody(BaseModel):
    """What was decided on one check."""

    allowed: bool
    reason: Reason
    basis: Basis | None
    restsOn: tuple[str, ...]
    expiresAt: str | None


class CheckAnswer(VerdictBody):
    """The answer to a check."""

    consistencyToken: str


class BatchAnswer(BaseModel):
    """The answers to several checks, in their order, all of one block."""

    answers: tuple[VerdictBody, ...]
    consistencyToken: str


class ReaderBody(BaseModel):
    """An organisation that may read, and by what."""

    organisation: str
    basis: Basis
    restsOn: str
    scopes: tuple[str, ...]
    expiresAt: str


class WhoCanAnswer(BaseModel):
    """The organisations that may read what was asked about."""

    readers: tuple[ReaderBody, ...]
    consistencyToken: str


class PeriodBody(BaseModel):
    """Days, both included; a side that is not given is open."""

    start: str | None
    end: str | None


class WayBody(BaseModel):
    """One way in: what it allows, of which records, what for, and until when."""

    basis: Basis
    restsOn: str
    scopes: tuple[str, ...]
    purposes: tuple[Purpose, ...]
    period: PeriodBody | None
    includeUndated: bool
    excludedLabels: tuple[str, ...]
    records: tuple[str, ...]
    expiresAt: str


class WhatCanAnswer(BaseModel):
    """What an organisation may read of a patient; why nothing, where it is nothing."""

    organisation: str
    patient: str
    ways: tuple[WayBody, ...]
    reason: Reason
    consistencyToken: str


def verdict_body(verdict: Verdict) -> VerdictBody:
    """A verdict as it travels."""
    permit = verdict.permit
    if permit is None:
        return VerdictBody(
            allowed=False, reason=_reason(verdict.refusal), basis=None, restsOn=(), expiresAt=None
        )
    return VerdictBody(
        allowed=True,
        reason=Reason(code=PERMITTED, text=" ".join(permit.reasons)),
        basis=permit.basis,
        restsOn=tuple(map(hex_digest, verdict.rests_on)),
        expiresAt=None if permit.expires_at is None else time_text(permit.expires_at),
    )


def check_answer(verdict: Verdict, block: BlockRef) -> CheckAnswer:
    """The answer to one check."""
    body = verdict_body(verdict)
    return CheckAnswer(**body.model_dump(), consistencyToken=_token(block))


def batch_answer(verdicts: Iterable[Verdict], block: BlockRef) -> BatchAnswer:
    """The answer to several."""
    return BatchAnswer(answers=tuple(map(verdict_body, verdicts)), consistencyToken=_token(block))


def who_can_answer(readers: Iterable[Reader], block: BlockRef) -> WhoCanAnswer:
    """Who may read."""
    bodies = tuple(
        ReaderBody(
            organisation=each.organisation,
            basis=each.basis,
            restsOn=hex_digest(each.rests_on),
            scopes=_texts(each.scopes),
            expiresAt=time_text(each.ends_at),
        )
        for each in readers
    )
    return WhoCanAnswer(readers=bodies, consistencyToken=_token(block))


def what_can_answer(holding: Holding, block: BlockRef) -> WhatCanAnswer:
    """What may be read."""
    return WhatCanAnswer(**holding_document(holding), consistencyToken=_token(block))


def holding_document(holding: Holding) -> dict[str, Any]:
    """What an organisation may read of a patient, in JSON."""
    return {
        "organisation": holding.pair.requester,
        "patient": holding.pair.patient,
        "ways": [_way(each).model_dump(mode="json") for each in holding.ways],
        "reason": _reason(holding.refusal).model_dump(mode="json"),
    }


def _way(way: Way) -> WayBody:
    terms = way.terms
    return WayBody(
        basis=way.basis,
        restsOn=hex_digest(way.rests_on),
        scopes=_texts(way.scopes),
        purposes=way.purposes,
        period=None if terms is None or terms.period is None else _period(terms.period),
        includeUndated=terms is None or terms.include_undated,
        excludedLabels=() if terms is None else terms.excluded_labels,
        records=() if terms is None else terms.records,
        expiresAt=time_text(way.ends_at),
    )


def _period(period: DatePeriod) -> PeriodBody:
    return PeriodBody(
        start=None if period.start is None else period.start.isoformat(),
        end=None if period.end is None else period.end.isoformat(),
    )


def _reason(refusal: AccessRefused | None) -> Reason:
    if refusal is None:
        return Reason(code=PERMITTED, text="Something may be read.")
    return Reason(code=refusal.reason, text=refusal.detail)


def _texts(scopes: Iterable[Scope]) -> tuple[str, ...]:
    return tuple(str(each) for each in scopes)


def _token(block: BlockRef) -> str:
    return str(ConsistencyToken.of(block))
