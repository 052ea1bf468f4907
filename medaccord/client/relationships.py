"""Which steward keeps records for which patient: proposing, accepting, declining, ending."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from eth_utils.crypto import keccak

from medaccord.chain import actions, events
from medaccord.chain.deployment import Contracts
from medaccord.chain.values import moment, seconds
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.effects import Effect
from medaccord.client.gatekeeper_api import reading_answer
from medaccord.client.history import events_about
from medaccord.client.relay import BLOCK_WAIT, handed_in
from medaccord.core.documents import DocumentReader
from medaccord.core.identifiers import Address, digest
from medaccord.core.typed_data import typed

_ENROLMENT_LIFE: Final = timedelta(minutes=10)


class RelationshipState(StrEnum):
    """How a patient and a steward stand to each other."""

    NONE = "none"
    """Nothing was proposed yet."""

    PROPOSED = "proposed"
    """One side proposed; the other one has not answered."""

    ACTIVE = "active"
    """The steward keeps records for the patient."""

    ENDED = "ended"
    """It was ended, declined or taken back; it can be proposed again."""


_STATES: Final = tuple(RelationshipState)
"""By the numbers that the contract has for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """A patient and a steward.

    Attributes:
        patient: The patient's account.
        steward: The steward's.
        state: How they stand now.
        proposed_by: Which of the two proposed it last; None where nobody did.
        round: How often it was proposed; 0 before the first time.
        since: Since when it is in this state; None before anything was proposed.
    """

    patient: Address
    steward: Address
    state: RelationshipState
    proposed_by: Address | None
    round: int
    since: datetime | None


class PatientRelationships:
    """A patient's own: one with each steward. What it signs, the gatekeeper sends and pays for."""

    def __init__(self, acting: Acting) -> None:
        """Act for the patient."""
        self._acting = acting

    def enrol(self, code: str, *, wait: bool = True) -> ActionReceipt:
        """Tie the account to oneself with the one-time code the steward gave.

        The steward proposes the relationship then; `accept` makes it one.

        Args:
            code: As it was handed out.
            wait: Whether to wait until the proposal is mined; it cannot be accepted before.

        Raises:
            InvalidRequest: The code opens nothing, or the account is enrolled already.
            TransportError: The gatekeeper or the node does not answer, or badly; or the proposal
                was not mined in time, and may be later.
        """
        acting = self._acting
        deadline = acting.network.clock().replace(microsecond=0) + _ENROLMENT_LIFE
        message = typed(
            acting.contracts.off_chain_domain,
            "Enrolment",
            account=acting.account,
            steward=acting.steward,
            code=digest(keccak(text=code)),
            deadline=seconds(deadline),
        )
        since = acting.network.head().number
        answer = acting.api.post(
            "/enrolments",
            {
                "account": acting.account,
                "by": acting.by,
                "code": code,
                "deadline": deadline.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "signature": "0x" + acting.signer.sign(message).hex(),
            },
            patience=BLOCK_WAIT,
        )
        with reading_answer(acting.api.url):
            reader = DocumentReader(
                answer, what="the answer", required=("round", "transaction"), optional=answer
            )
            round = reader.integer("round", minimum=1)
            transaction = reader.digest("transaction")
        effect = Effect.of_proposal(acting.account, acting.steward, round)
        receipt = handed_in(
            acting.contracts, message.digest(), effect, transaction, since=since, obeyed=False
        )
        return receipt.wait() if wait else receipt

    def propose(self, *, wait: bool = True) -> ActionReceipt:
        """Ask the steward to keep records.

        No gatekeeper relays it: it takes a ``sender=`` that pays. Whoever was given a code enrols.

        Args:
            wait: Whether to wait until it is mined.

        Raises:
            InvalidRequest: Nobody pays for it.
            ContractReverted: It is proposed or active already.
            TransportError: The node does not answer, or it was not mined in time.
        """
        return self._acting.send(self._step(actions.propose), wait=wait)

    def accept(self, *, wait: bool = True) -> ActionReceipt:
        """Accept the steward's proposal to keep records.

        Args:
            wait: Whether to wait until it is mined.

        Raises:
            ContractReverted: Nothing is proposed, or this side proposed it.
            AccessRefused: The gatekeeper relays nothing for this account.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        return self._acting.relay(self._step(actions.accept), wait=wait)

    def decline(self, *, wait: bool = True) -> ActionReceipt:
        """Decline it. Arguments and errors as `accept`."""
        return self._acting.relay(self._step(actions.decline), wait=wait)

    def end(self, *, wait: bool = True) -> ActionReceipt:
        """End the relationship: nothing more is released. Arguments and errors as `accept`."""
        return self._acting.relay(self._step(actions.end), wait=wait)

    def list(self) -> tuple[Relationship, ...]:
        """Every relationship of the account, also with other stewards, in order of beginning.

        Raises:
            TransportError: The node does not answer.
        """
        acting = self._acting
        found = events_about(acting.contracts, acting.account, events.RelationshipProposed)
        return _states(acting.contracts, ((acting.account, event.steward) for event in found))

    def _step(self, step: actions.Step) -> actions.Action:
        return step(
            self._acting.contracts,
            patient=self._acting.account,
            steward=self._acting.steward,
            account=self._acting.account,
            by=self._acting.by,
        )


class StewardRelationships:
    """An organisation's own as a steward: one with each patient. It pays for what it sends."""

    def __init__(self, acting: Acting) -> None:
        """Act for the organisation."""
        self._acting = acting

    def propose(self, patient: Address, *, wait: bool = True) -> ActionReceipt:
        """Propose to keep records for a patient.

        Args:
            patient: The patient's account.
            wait: Whether to wait until it is mined.

        Raises:
            ContractReverted: It is proposed or active already, or this is no steward.
            TransportError: The node does not answer, or it was not mined in time.
        """
        return self._send(actions.propose, patient, wait)

    def accept(self, patient: Address, *, wait: bool = True) -> ActionReceipt:
        """Accept what a patient proposed. Arguments as `propose`.

        Raises:
            ContractReverted: Nothing is proposed, or this side proposed it.
            TransportError: As `propose`.
        """
        return self._send(actions.accept, patient, wait)

    def decline(self, patient: Address, *, wait: bool = True) -> ActionReceipt:
        """Decline it. As `accept`."""
        return self._send(actions.decline, patient, wait)

    def end(self, patient: Address, *, wait: bool = True) -> ActionReceipt:
        """End a relationship, or take one's own proposal back. As `accept`."""
        return self._send(actions.end, patient, wait)

    def list(self, state: RelationshipState | None = None) -> tuple[Relationship, ...]:
        """Every relationship with a patient, in order of beginning.

        Args:
            state: Only those in this state; all of them unless given.

        Raises:
            TransportError: The node does not answer.
        """
        acting = self._acting
        found = events_about(
            acting.contracts, None, events.RelationshipProposed, organisation=acting.account
        )
        pairs = ((event.patient, acting.account) for event in found)
        found_now = _states(acting.contracts, pairs)
        return tuple(each for each in found_now if state in (None, each.state))

    def _send(self, step: actions.Step, patient: Address, wait: bool) -> ActionReceipt:
        acting = self._acting
        action = step(
            acting.contracts,
            patient=patient,
            steward=acting.account,
            account=acting.account,
            by=acting.by,
        )
        return acting.send(action, wait=wait)


def relationship_of(contracts: Contracts, patient: Address, steward: Address) -> Relationship:
    """How a patient and a steward stand to each other.

    Raises:
        TransportError: The node does not answer.
    """
    state, by_patient, round, since = contracts.call(
        "Relationships", "relationshipOf", patient, steward
    )
    return Relationship(
        patient=patient,
        steward=steward,
        state=_STATES[state],
        proposed_by=None if not round else patient if by_patient else steward,
        round=int(round),
        since=moment(since) if since else None,
    )


def _states(
    contracts: Contracts, pairs: Iterable[tuple[Address, Address]]
) -> tuple[Relationship, ...]:
    """Each pair once, as it stands now."""
    return tuple(relationship_of(contracts, *pair) for pair in dict.fromkeys(pairs))
