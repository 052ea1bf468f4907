"""Emergency access as an organisation uses it: find the patient, open it, say why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from medaccord.chain import actions
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.believing import Belief
from medaccord.client.matching import MatchedPatient, match
from medaccord.client.salts import fresh_salt
from medaccord.core.emergency import EmergencyCode, EmergencyReason
from medaccord.core.errors import ContractReverted
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.purposes import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEmergency:
    """Emergency access that was opened.

    Attributes:
        patient: The patient's account.
        reason: What was committed to; a gatekeeper releases nothing before it was told.
        receipt: Of the transaction.
    """

    patient: Address
    reason: EmergencyReason
    receipt: ActionReceipt

    @property
    def emergency_id(self) -> Digest:
        """Its id."""
        return self.receipt.id


class ProviderEmergency:
    """Emergency access of an organisation with that role, at one steward. It pays for opening it.

    Attributes:
        undisclosed: What was opened and whose reason the gatekeeper was not told, by patient.
    """

    def __init__(self, acting: Acting, belief: Belief) -> None:
        """Act for the organisation."""
        self.undisclosed: dict[Address, OpenedEmergency] = {}
        self._acting = acting
        self._belief = belief

    def match(
        self,
        described: Mapping[str, Any],
        *,
        purpose: Purpose = Purpose.ETREAT,
        certain_only: bool = False,
    ) -> tuple[MatchedPatient, ...]:
        """Find the account of a patient in an emergency, to open access for it.

        Args:
            described: A Patient resource with identifiers, or with name and whole day of birth.
            purpose: ETREAT or BTG.
            certain_only: Whether identifiers alone count.

        Returns:
            Whom the steward takes it for, the surest first; nobody where nobody fits, or all that
            do forbade emergency access.

        Raises:
            AccessRefused: This organisation may not ask, or not for this purpose.
            InvalidRequest: It names too little, or too many attempts were made.
            ReceiptMismatch: Somebody is named without a receipt for the line in their log.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        return match(
            self._acting.session,
            self._belief,
            described,
            purpose=purpose,
            certain_only=certain_only,
        )

    def open(
        self, patient: Address, code: EmergencyCode, duration: timedelta, *, wait: bool = True
    ) -> OpenedEmergency:
        """Open emergency access, and tell the steward's gatekeeper why.

        Args:
            patient: The patient's account.
            code: The reason.
            duration: How long, at most what the deployment allows.
            wait: Whether to wait until it is mined. Unless one does, the gatekeeper is told
                nothing: wait for the receipt, and `disclose`.

        Raises:
            ContractReverted: No role, forbidden, barred, open already, or too long.
            TransportError: The gatekeeper or the node does not answer. What was opened stays open,
                and stands in `undisclosed`: hand its reason in with `disclose`.
        """
        acting, reason = self._acting, EmergencyReason(code=code, salt=fresh_salt())
        action = actions.open_emergency(
            acting.contracts,
            patient=patient,
            grantee=acting.account,
            reason=reason.commitment,
            valid_until=acting.network.clock() + duration,
            by=acting.by,
        )
        sent = acting.send(action, wait=False)
        # Kept before it is mined: without its salt the reason could never be told.
        opened = OpenedEmergency(patient=patient, reason=reason, receipt=sent)
        self.undisclosed[patient] = opened
        if not wait:
            return opened
        try:
            opened = replace(opened, receipt=sent.wait())
        except ContractReverted:
            del self.undisclosed[patient]
            raise
        self.disclose(opened)
        return opened

    def disclose(self, opened: OpenedEmergency) -> None:
        """Tell the gatekeeper the reason of an emergency; it releases nothing before.

        Args:
            opened: From `open`, once it is mined.

        Raises:
            AccessRefused: It is over, or the gatekeeper has no such patient.
            TransportError: The gatekeeper does not answer.
        """
        self._acting.session.post(
            "/openings/emergency",
            {
                "patient": opened.patient,
                "emergency": hex_digest(opened.emergency_id),
                "reason": opened.reason.document(),
            },
        )
        self.undisclosed.pop(opened.patient, None)
