"""The patient's view of the log, and anchoring it."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import JSONResponse, StreamingResponse

from medaccord.chain.sender import Receipt
from medaccord.core.audit import relationship_key
from medaccord.core.documents import MAX_INTEGER, instant_text
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import AccountId, Address, hex_digest
from medaccord.core.log_filter import LogFilter
from medaccord.core.proofs import LogProof
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.audit_log import Event, Subject
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.log_anchor import LogAnchors
from medaccord.gatekeeper.log_export import LogExport, LogForm
from medaccord.gatekeeper.log_pages import MOST_COVERED, LogPage, LogPages
from medaccord.gatekeeper.openapi import REFUSALS, SIGNED_IN, Tag
from medaccord.gatekeeper.refusal_tallies import RefusalTallies
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session
from medaccord.gatekeeper.wire import AddressField, Form, InstantField

_EXPORTS: Final[dict[str, Any]] = {
    "description": "The log; broken off where it cannot be read to its end.",
    "content": {
        form.media_type: {"schema": {"type": "object" if form is LogForm.FHIR else "string"}}
        for form in LogForm
    },
}

PAGE: Final = 100
"""Lines that a page shows unless asked for more or fewer."""


class LogQuery(Form):
    """Parameters of GET /audit: which page, and which lines of it."""

    patient: str | None = Field(None, description="CAIP-10 account; whoever is signed in.")
    after: int = Field(0, ge=0, le=MAX_INTEGER, description="Number of the last line before it.")
    count: int = Field(PAGE, ge=1, le=MOST_COVERED, description="Lines to show at most.")
    since: InstantField | None = Field(None, description="Logged at this time or later.")
    until: InstantField | None = Field(None, description="Logged before this time.")
    requester: AddressField | None = Field(None, description="Account that asked.")
    action: str | None = Field(None, max_length=64, description="What was asked for.")
    outcome: Literal["released", "refused", "done"] | None = None
    reason: str | None = Field(None, max_length=64, description="Purpose, or why it was refused.")
    record: str | None = Field(None, max_length=128, description="Type/id or Type/id/version.")

    def wanted(self) -> LogFilter:
        """Which lines are wanted."""
        return LogFilter(**{each.name: getattr(self, each.name) for each in fields(LogFilter)})


class Counted(BaseModel):
    """Refusals that were counted and have no line yet."""

    requester: str | None
    since: AwareDatetime
    last: AwareDatetime
    count: int


class Log(BaseModel):
    """A page of a log; `docs/integrating.md` says how to check it."""

    relationship: str
    count: int = Field(description="Number of the last line of the log.")
    head: str
    after: int
    previous: str | None = Field(description="Head with the line `after`.")
    upto: int = Field(description="Number of the last line that the page covers.")
    entries: list[dict[str, Any]] = Field(description="Profile medaccord/audit-entry/1.")
    leftOut: dict[str, str] = Field(description="Commitments of lines a filter leaves out.")
    erased: dict[str, str] = Field(description="Commitments of lines that were erased.")
    heads: dict[str, str]
    refusals: list[Counted]
    anchored: dict[str, Any] | None = Field(description="Profile medaccord/log-proof/1.")
    next: str | None = Field(description="Address of the next page.")


class Audit:
    """Shows patients who looked, and proves on the chain what the logs were."""

    def __init__(self, base: Foundation, *, anchors: LogAnchors) -> None:
        self._accounts = base.accounts
        self._log = base.log
        self._pages = LogPages(base.engine, base.sealer)
        self._tallies = RefusalTallies(base)
        self._export = LogExport(base)
        self._ledger = base.ledger
        self._steward = base.steward
        self._chain_id = base.network.chain_id
        self._anchors = anchors

    def anchor(self) -> Receipt | None:
        """Append the state of all logs to the steward's stream now; see `LogAnchors.anchor`.

        Refusals whose time of counting is over become lines first.
        """
        self._tallies.close()
        return self._anchors.anchor()

    def subject(self, account: Address) -> Subject:
        """The log about a patient.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, the account is no patient's here.
        """
        return self._log.subject(account, self._accounts.owner_of(account))

    def proof(self, account: Address) -> LogProof | None:
        """What the chain holds of the log about an account; None before its first anchor.

        Args:
            account: the patient's; the steward's for its own log.
        """
        return self._anchors.proof(relationship_key(self._steward, account))

    def export(self, account: Address, form: LogForm, *, url: str | None = None) -> Iterator[bytes]:
        """The whole log about a patient, for the steward; that it was taken is logged first.

        Args:
            account: the patient's; the steward's for its own log.
            form: how it is written.
            url: where the gatekeeper is reached, for AuditEvents.

        Returns:
            Pieces to write one after the other; see `LogExport.pieces`.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, the account is no patient's here; RECORD_UNVERIFIABLE, a
                line was changed in the database, or is missing there.
        """
        subject = self._log.own() if account == self._steward else self.subject(account)
        event = Event.by_steward(
            self._steward,
            "export-log",
            query=form.value,
            outcome="released",
            block=self._ledger.tip,
        )
        self._log.append(subject, event)
        return self._export.pieces(subject, self._named(account), form, url=url)

    def export_own(self, session: Session, form: LogForm, url: str) -> Iterator[bytes]:
        """The whole log about the patient that is signed in; errors as `export`."""
        subject = self.subject(session.account)
        return self._export.pieces(subject, self._named(session.account), form, url=url)

    def _named(self, account: Address) -> AccountId:
        return AccountId(chain_id=self._chain_id, address=account)

    def show(
        self,
        session: Session,
        after: int = 0,
        count: int = PAGE,
        wanted: LogFilter | None = None,
    ) -> dict[str, Any]:
        """A page of the log about the patient that is signed in, as it stands in the database.

        Args:
            session: the patient, or a delegate of it with the power READ.
            after: number of the last line before the page; 0 for the first.
            count: how many lines to show at most; see `LogPages.page`.
            wanted: which lines to show; all of them unless given.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, whoever is signed in is no patient here.
        """
        subject = self.subject(session.account)
        proof = self._anchors.proof(subject.relationship)  # before the page: it reaches no further
        page = self._pages.page(subject, after=after, count=count, wanted=wanted or LogFilter())
        return {
            "relationship": hex_digest(subject.relationship),
            "count": page.count,
            "head": hex_digest(page.head),
            "after": page.after,
            "previous": None if page.previous is None else hex_digest(page.previous),
            "upto": page.upto,
            "entries": [entry.document() for entry in page.entries],
            "leftOut": {str(number): hex_digest(each) for number, each in page.left_out.items()},
            "erased": {str(number): hex_digest(each) for number, each in page.erased.items()},
            "heads": {str(number): hex_digest(head) for number, head in page.heads.items()},
            "refusals": [
                {
                    "requester": each.requester,
                    "since": instant_text(each.refusals.since),
                    "last": instant_text(each.refusals.last),
                    "count": each.refusals.count,
                }
                for each in page.counted
            ],
            "anchored": None if proof is None else proof.document(),
            "next": None if page.is_last else _next(page, count, wanted),
        }


def _next(page: LogPage, count: int, wanted: LogFilter | None) -> str:
    named = () if wanted is None else wanted.pairs()
    return urlencode([*named, ("after", str(page.upto)), ("count", str(count))])


def routes(audit: Audit, sign_in: SignIn, url: str) -> APIRouter:
    """GET /audit and GET /audit/export."""
    router = APIRouter()

    @router.get(
        "/audit",
        summary="Who asked for the patient's records, and what became of it",
        tags=[Tag.LOG],
        response_class=JSONResponse,
        responses={200: {"model": Log}, **REFUSALS},
        openapi_extra=SIGNED_IN,
    )
    def show(request: Request, query: Annotated[LogQuery, Query()]) -> JSONResponse:
        session = sign_in.fresh_session(request)
        _require_own(session, query.patient)
        shown = audit.show(session, query.after, query.count, query.wanted())
        if shown["next"] is not None:
            shown["next"] = f"{url}/audit?{shown['next']}"
        return JSONResponse(shown)

    @router.get(
        "/audit/export",
        summary="The whole log, as FHIR AuditEvents, NDJSON or CSV",
        tags=[Tag.LOG],
        response_class=StreamingResponse,
        responses={200: _EXPORTS, **REFUSALS},
        openapi_extra=SIGNED_IN,
    )
    def export(
        request: Request,
        form: Annotated[LogForm, Query(alias="format")] = LogForm.FHIR,
        patient: str | None = None,
    ) -> StreamingResponse:
        session = sign_in.fresh_session(request)
        _require_own(session, patient)
        return StreamingResponse(audit.export_own(session, form, url), media_type=form.media_type)

    return router


def _require_own(session: Session, patient: str | None) -> None:
    if patient is not None and AccountId.parse(patient).address != session.account:
        raise AccessRefused(
            Refusal.NOT_SIGNED_IN, "a log is shown to its patient alone: sign in as the patient"
        )
