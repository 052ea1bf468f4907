"""A patient's audit log: who looked, when, why, and what was refused."""

from __future__ import annotations

from collections.abc import Callable

from medaccord.client.acting import Acting
from medaccord.client.audit_log import VerifiedLog, fetch_log
from medaccord.client.reading import Reader
from medaccord.core.log_filter import LogFilter
from medaccord.core.receipts import SignedReceipt
from medaccord.fhir.audit_event import Keeper, audit_events
from medaccord.fhir.naming import Element


class PatientAudit:
    """The steward's log about one patient, checked against the chain whenever it is read.

    It is also checked against what this object saw of it before, and against the receipts of the
    reads that were made through the same `Patient`.
    """

    def __init__(self, acting: Acting, reader: Callable[[], Reader]) -> None:
        """Read for the patient.

        Args:
            acting: Who reads.
            reader: Gives the reader that holds receipts of one's own reads.
        """
        self._acting = acting
        self._reader = reader
        self._seen: VerifiedLog | None = None

    def list(self, wanted: LogFilter | None = None) -> VerifiedLog:
        """The lines of the log that fit a filter; that all others are there is proven.

        Args:
            wanted: Which lines to show; all of them unless given.

        Raises:
            LogMismatch: A line was changed, dropped, added or moved; it says which.
            ProofMismatch: The chain does not hold what the gatekeeper says it anchored.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper or the node does not answer.
        """
        acting = self._acting
        log = fetch_log(
            acting.session,
            acting.evidence,
            acting.steward,
            before=self._seen,
            receipts=self._reader().heads.get(acting.account, {}),
            wanted=wanted,
        )
        if wanted is None:
            self._seen = log
        return log

    def verify(self) -> VerifiedLog:
        """The whole log, line by line; the next time it is held against what is seen now.

        Raises:
            LogMismatch: And the rest, as `list`.
        """
        return self.list()

    def check_receipt(self, signed: SignedReceipt) -> None:
        """Check that the log holds what somebody else holds a receipt for.

        Args:
            signed: Such as a reader was given with an answer.

        Raises:
            ReceiptMismatch: It does not: that answer was never logged, or its line was taken away.
            SignatureMismatch: The receipt is not the steward's.
            LogMismatch: And the rest, as `list`.
        """
        receipt = self._acting.evidence.check_receipt(signed, self._acting.steward)
        self.verify().check_receipt(receipt)

    def as_fhir(self, log: VerifiedLog) -> tuple[Element, ...]:
        """The lines of a log as FHIR AuditEvents; docs/fhir.md has them.

        Lines that were erased are not among them. Refusals that have no line yet are, in the form
        of the line they would have now.

        Args:
            log: From `list` or `verify`.

        Returns:
            One or two for each line; `medaccord.fhir.collection` puts them in one Bundle.

        Raises:
            TransportError: The gatekeeper or the node does not answer.

        Source: IHE ITI Basic Audit Log Patterns (BALP) 1.1.
        """
        acting, name = self._acting, self._acting.contracts.account_id
        keeper = Keeper(
            patient=name(acting.account), steward=name(acting.steward), url=acting.api.url
        )
        now = acting.network.clock()
        counted = (
            each.refusals.line(each.requester, number=number, at=now)
            for number, each in enumerate(log.counted, start=log.count + 1)
        )
        return tuple(
            event for line in (*log.entries, *counted) for event in audit_events(line, keeper)
        )
