"""Emergency access as a patient deals with it: seen, closed, forbidden, allowed again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medaccord.chain import actions, events
from medaccord.chain.actions import NOBODY
from medaccord.chain.values import moment
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.history import events_about
from medaccord.client.openings import Openings
from medaccord.core.emergency import EmergencyReason
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEmergency:
    """Emergency access that an organisation opened.

    Attributes:
        emergency_id: Its id.
        grantee: The organisation.
        opened_at: When.
        expires: When it ends at the latest, excluded.
        open: Whether it still permits reading.
        reason: Commitment to the reason; `PatientEmergency.reason_of` opens it.
    """

    emergency_id: Digest
    grantee: Address
    opened_at: datetime
    expires: datetime
    open: bool
    reason: Digest


class PatientEmergency:
    """Emergency access to a patient's records. What is signed, the gatekeeper sends and pays."""

    def __init__(self, acting: Acting) -> None:
        """Act for the patient."""
        self._acting = acting

    def list(self) -> tuple[SeenEmergency, ...]:
        """All of it, in the order of the chain, ended included, read from the chain itself.

        Raises:
            TransportError: The node does not answer.
        """
        acting = self._acting
        opened = tuple(events_about(acting.contracts, acting.account, events.EmergencyOpened))
        latest = {event.grantee: event.emergency_id for event in opened}
        return tuple(
            SeenEmergency(
                emergency_id=event.emergency_id,
                grantee=event.grantee,
                opened_at=event.block.timestamp,
                expires=moment(event.valid_until),
                open=latest[event.grantee] == event.emergency_id
                and bool(
                    acting.contracts.call(
                        "Consents", "isEmergencyActive", acting.account, event.grantee
                    )
                ),
                reason=event.reason,
            )
            for event in opened
        )

    def is_forbidden(self) -> bool:
        """Whether the patient forbids all emergency access.

        Raises:
            TransportError: The node does not answer.
        """
        acting = self._acting
        _, forbidden = acting.contracts.call("Consents", "emergencyBanOf", acting.account)
        return bool(forbidden)

    def reason_of(self, seen: SeenEmergency) -> EmergencyReason:
        """Why emergency access was opened, as the organisation told the gatekeeper.

        Args:
            seen: From `list`.

        Raises:
            CommitmentMismatch: What the gatekeeper shows is not what was committed to on chain.
            InvalidRequest: The reason was not told yet; nothing is released before.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        opened = Openings.fetch(self._acting.session)
        reason = opened.reason_of(seen.emergency_id, seen.reason)
        if reason is None:
            raise InvalidRequest("the reason was not told to this gatekeeper: nothing was released")
        return reason

    def close(self, grantee: Address, *, wait: bool = True) -> ActionReceipt:
        """End an organisation's emergency access, and bar it until allowed again.

        Args:
            grantee: The organisation.
            wait: Whether to wait until it is mined; the gatekeeper obeys at once either way.

        Raises:
            AccessRefused: The account is nobody's here.
            ContractReverted: The key may not.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        acting = self._acting
        action = actions.close_emergency(
            acting.contracts, patient=acting.account, grantee=grantee, by=acting.by
        )
        return acting.relay(action, wait=wait)

    def forbid(self, *, wait: bool = True) -> ActionReceipt:
        """End all emergency access, and forbid more. Arguments and errors as `close`."""
        acting = self._acting
        action = actions.forbid_emergency(acting.contracts, patient=acting.account, by=acting.by)
        return acting.relay(action, wait=wait)

    def allow(self, grantee: Address | None = None, *, wait: bool = True) -> ActionReceipt:
        """Lift the bar of one organisation, or, unless one is named, the ban of all.

        Args:
            grantee: The organisation; the ban of all unless given.
            wait: Whether to wait until it is mined.

        Raises:
            AccessRefused: And the rest, as `close`.
        """
        acting = self._acting
        action = actions.allow_emergency(
            acting.contracts,
            patient=acting.account,
            grantee=NOBODY if grantee is None else grantee,
            by=acting.by,
        )
        return acting.relay(action, wait=wait)
