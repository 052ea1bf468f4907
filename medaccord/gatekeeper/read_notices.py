"""Telling patients that their records were read."""

from sqlalchemy import Connection

from medaccord.core.identifiers import Address
from medaccord.core.notices import NoticeKind
from medaccord.gatekeeper.audit_log import Along, Logged
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.tokens import Session


class ReadNotices:
    """Makes what writes the notice of a release in the transaction of its line in the log."""

    def __init__(self, base: Foundation) -> None:
        self._notices = base.notices
        self._ledger = base.ledger

    def along(self, patient: Address | None, session: Session) -> Along | None:
        """What `AuditLog.append` takes along where a patient is told of what it writes.

        What somebody reads of itself it is not told of; what a delegate reads for it, it is.

        Args:
            patient: whose records are released; None where they are nobody's.
            session: to whom.
        """
        if patient is None:
            return None
        if session.account == patient and session.by == self._ledger.controller(patient):
            return None

        def tell(connection: Connection, logged: Logged) -> None:
            self._notices.add(
                connection,
                account=patient,
                kind=NoticeKind.READ,
                subject=str(logged.entry.number),
                actor=session.account,
                at=logged.entry.at,
            )

        return tell
