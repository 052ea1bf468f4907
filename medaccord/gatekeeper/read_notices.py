"""Who is told that records were read."""

from medaccord.core.identifiers import Address
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.tokens import Session


class ReadNotices:
    """Says who is told of a release."""

    def __init__(self, base: Foundation) -> None:
        self._ledger = base.ledger

    def told(self, patient: Address | None, session: Session) -> Address | None:
        """The account that is told of a release, in the transaction of its line in the log.

        What somebody reads of itself it is not told of; what a delegate reads for it, it is.

        Args:
            patient: whose records are released; None where they are nobody's.
            session: to whom.
        """
        if session.account == patient and session.by == self._ledger.controller(patient):
            return None
        return patient
