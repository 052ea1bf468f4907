"""The patient's view of the log, and anchoring it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from medaccord.chain.sender import Receipt
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import AccountId, hex_digest
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.audit_log import AuditLog
from medaccord.gatekeeper.log_anchor import LogAnchors
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Session
from medaccord.records import PatientAccounts


class Audit:
    """Shows patients who looked, and proves on the chain what the logs were."""

    def __init__(self, *, accounts: PatientAccounts, log: AuditLog, anchors: LogAnchors) -> None:
        self._accounts = accounts
        self._log = log
        self._anchors = anchors

    def anchor(self) -> Receipt | None:
        """Append the state of all logs to the steward's stream now; see `LogAnchors.anchor`."""
        return self._anchors.anchor()

    def show(self, session: Session, after: int = 0) -> dict[str, Any]:
        """The log about the patient that is signed in, as it stands in the database.

        Args:
            session: the patient, or a delegate of it with the power READ.
            after: number of the last entry not wanted; 0 for all.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, whoever is signed in is no patient here.
        """
        owner = self._accounts.owner_of(session.account)
        subject = self._log.subject(session.account, owner)
        proof = self._anchors.proof(subject.relationship)
        page = self._log.read(subject, after)
        return {
            "relationship": hex_digest(subject.relationship),
            "count": page.count,
            "head": hex_digest(page.head),
            "entries": [entry.document() for entry in page.entries],
            "erased": {str(number): hex_digest(each) for number, each in page.erased.items()},
            "heads": {str(number): hex_digest(head) for number, head in page.heads.items()},
            "anchored": None if proof is None else proof.document(),
        }


def routes(audit: Audit, sign_in: SignIn) -> APIRouter:
    """GET /audit."""
    router = APIRouter()

    @router.get("/audit")
    def show(
        request: Request,
        patient: str | None = None,
        after: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
    ) -> dict[str, Any]:
        session = sign_in.fresh_session(request)
        if patient is not None and AccountId.parse(patient).address != session.account:
            raise AccessRefused(
                Refusal.NOT_SIGNED_IN, "a log is shown to its patient alone: sign in as the patient"
            )
        return audit.show(session, after)

    return router
