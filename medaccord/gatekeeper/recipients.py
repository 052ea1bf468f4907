"""Who is told anything here: patients of the steward, and organisations of the consortium.

Anybody can sign in for an account of its own; nobody else shall take up streams and webhooks.
"""

from medaccord.core.identifiers import Address
from medaccord.gatekeeper.foundation import Foundation


class Recipients:
    """Says who may be told something."""

    def __init__(self, base: Foundation) -> None:
        self._accounts = base.accounts
        self._ledger = base.ledger

    def require(self, account: Address) -> None:
        """Refuse whoever is never told anything.

        Raises:
            AccessRefused: UNKNOWN_PATIENT, neither a patient enrolled here nor ever admitted.
        """
        if self._ledger.organisation(account) is None:
            self._accounts.owner_of(account)
