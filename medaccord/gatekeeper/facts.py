"""What bears on a decision: the chain as the ledger knows it, and what was handed in here."""

from medaccord.core.facts import EmergencyState, Facts, Query
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openings import Openings


class FactsOf:
    """Gathers the facts for decisions."""

    def __init__(self, base: Foundation, openings: Openings) -> None:
        self._steward = base.steward
        self._accounts = base.accounts
        self._ledger = base.ledger
        self._standing = base.standing
        self._openings = openings

    def of(self, query: Query, *, latest: bool) -> Facts:
        """The facts for one query.

        Args:
            query: what is asked for.
            latest: whether the chain must be asked this moment, and not merely within the bounds.

        Raises:
            AccessRefused: UNKNOWN_PATIENT; CHAIN_UNREACHABLE: it does not answer though it must,
                or has not since the start.
        """
        if latest:
            self._standing.ask_now()
        else:
            self._standing.refresh()
        patient, owner = query.patient, self._accounts.owner_of(query.patient)
        terms = self._openings.terms_of(patient, owner)
        reasons = self._openings.reasons_of(patient, owner)

        def reason_known(emergency: EmergencyState) -> bool:
            reason = reasons.get(emergency.emergency_id)
            return reason is not None and reason.commitment == emergency.reason

        return self._ledger.facts(
            query,
            steward=self._steward,
            terms=terms.get,
            reason_known=reason_known,
            now=self._standing.clock(),
        )
