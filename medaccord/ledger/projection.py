"""The state of the contracts, made from their events alone: what was done, not what is now true.

What holds at a given second is `medaccord.ledger.views`' to say.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

from medaccord.chain import events
from medaccord.chain.events import Event
from medaccord.chain.values import seconds
from medaccord.core.anchors import Anchor
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, ConsentId, Digest
from medaccord.ledger.journal import Journal, Log, Table
from medaccord.ledger.state import (
    Ban,
    Consent,
    Control,
    Delegation,
    Emergency,
    Grant,
    Organisation,
    Relationship,
    RelationshipState,
)

__all__ = ["APPLIED", "Projection"]

Pair: TypeAlias = tuple[Address, Address]
Stream: TypeAlias = tuple[Address, Digest]


class Projection:
    """Everything that the contracts' events add up to, up to one block.

    Not safe for two threads at once: whoever holds it holds a lock.
    """

    def __init__(self) -> None:
        journal = Journal()
        self._journal = journal
        self.controls: Table[Address, Control] = Table(journal)
        self.delegations: Table[Pair, Delegation] = Table(journal)
        self.organisations: Table[Address, Organisation] = Table(journal)
        self.relationships: Table[Pair, Relationship] = Table(journal)
        self.consents: Table[tuple[Address, ConsentId], Consent] = Table(journal)
        self.consents_by_patient: Log[Address, ConsentId] = Log(journal)
        self.consents_by_pair: Log[Pair, ConsentId] = Log(journal)
        self.emergencies: Table[Pair, Emergency] = Table(journal)
        self.openings: Log[Address, events.EmergencyOpened] = Log(journal)
        self.bans: Table[Address, Ban] = Table(journal)
        self.streams: Log[Stream, Anchor] = Log(journal)
        self.roots: Table[tuple[Address, Digest, Digest], Anchor] = Table(journal)

    def apply(self, event: Event) -> None:
        """Take in the next event of the chain.

        Args:
            event: later in the chain than every event before it. Events that change no state kept
                here (votes of the consortium, a change of guardians) leave everything as it was.

        Raises:
            TransportError: it is about an organisation that no earlier event admitted.
        """
        self._journal.begin(event.block.number)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def undo_after(self, block: int) -> None:
        """Take back every event of the blocks above this number.

        Raises:
            LookupError: they lie too far back; make a new projection instead.
        """
        self._journal.undo_after(block)

    def forget_until(self, block: int) -> None:
        """Never undo this block or one before it; frees what undoing would need."""
        self._journal.forget_until(block)

    # --- Registry ---

    def control(self, account: Address) -> Control:
        """Who controls an account: the account itself until it is rotated."""
        return self.controls.get(account) or Control(controller=account)

    def _controller_rotated(self, event: events.ControllerRotated) -> None:
        control = replace(self.control(event.account), controller=event.new_controller)
        self.controls.put(event.account, control)

    def _all_revoked(self, event: events.AllRevoked) -> None:
        self.controls.put(event.account, replace(self.control(event.account), epoch=event.epoch))

    def _recovery_started(self, event: events.RecoveryStarted) -> None:
        control = replace(self.control(event.account), incoming=event.new_controller)
        self.controls.put(event.account, control)

    def _recovery_cancelled(self, event: events.RecoveryCancelled) -> None:
        self.controls.put(event.account, replace(self.control(event.account), incoming=None))

    def _recovery_completed(self, event: events.RecoveryCompleted) -> None:
        control = Control(controller=event.new_controller, epoch=event.epoch)
        self.controls.put(event.account, control)

    def _delegate_set(self, event: events.DelegateSet) -> None:
        delegation = Delegation(
            powers=event.powers, until=event.until, epoch=event.epoch, serial=event.serial
        )
        self.delegations.put((event.account, event.delegate), delegation)

    def _delegate_removed(self, event: events.DelegateRemoved) -> None:
        self.delegations.put((event.account, event.delegate), Delegation(serial=event.serial))

    def _organisation_admitted(self, event: events.OrganisationAdmitted) -> None:
        organisation = Organisation(
            roles=event.roles,
            suspended=False,
            emergency_from=event.emergency_from,
            key=event.key,
            profile=event.profile,
        )
        self.organisations.put(event.account, organisation)

    def _organisation(self, account: Address, **changes: Any) -> None:
        organisation = self.organisations.get(account)
        if organisation is None:
            raise TransportError(
                f"a node left out that {account} was admitted, before it told more of it: the "
                "ledger must be made anew from another node, in an empty database"
            )
        self.organisations.put(account, replace(organisation, **changes))

    def _organisation_published(self, event: events.OrganisationPublished) -> None:
        self._organisation(event.account, key=event.key, profile=event.profile)

    def _organisation_suspended(self, event: events.OrganisationSuspended) -> None:
        self._organisation(event.account, suspended=True)

    def _organisation_reinstated(self, event: events.OrganisationReinstated) -> None:
        self._organisation(event.account, suspended=False)

    def _roles_changed(self, event: events.RolesChanged) -> None:
        self._organisation(event.account, roles=event.roles, emergency_from=event.emergency_from)

    # --- Relationships ---

    def _relationship_proposed(self, event: events.RelationshipProposed) -> None:
        relationship = Relationship(
            state=RelationshipState.PROPOSED,
            by_patient=event.account == event.patient,
            round=event.round,
            since=seconds(event.block.timestamp),
        )
        self.relationships.put((event.patient, event.steward), relationship)

    def _relationship_accepted(self, event: events.RelationshipAccepted) -> None:
        self._step(event, RelationshipState.ACTIVE)

    def _relationship_over(
        self, event: events.RelationshipDeclined | events.RelationshipEnded
    ) -> None:
        self._step(event, RelationshipState.ENDED)

    def _step(
        self,
        event: events.RelationshipAccepted | events.RelationshipDeclined | events.RelationshipEnded,
        state: RelationshipState,
    ) -> None:
        pair = (event.patient, event.steward)
        before = self.relationships.get(pair) or Relationship(round=event.round)
        since = seconds(event.block.timestamp)
        self.relationships.put(pair, replace(before, state=state, since=since))

    # --- Consents ---

    def _consent_granted(self, event: events.ConsentGranted) -> None:
        grant = Grant(
            grantee=event.grantee,
            by=event.by,
            terms=event.terms,
            valid_from=event.valid_from,
            valid_until=event.valid_until,
            request=event.request,
            epoch=event.epoch,
            block=event.block,
        )
        consent = Consent(patient=event.patient, consent_id=event.consent_id, grant=grant)
        self.consents.put((event.patient, event.consent_id), consent)
        self.consents_by_patient.append(event.patient, event.consent_id)
        self.consents_by_pair.append((event.patient, event.grantee), event.consent_id)

    def _consent_revoked(self, event: events.ConsentRevoked) -> None:
        key = (event.patient, event.consent_id)
        known = self.consents.get(key)
        if known is None:
            known = Consent(patient=event.patient, consent_id=event.consent_id, grant=None)
            self.consents_by_patient.append(event.patient, event.consent_id)
        self.consents.put(key, replace(known, revoked=event.block))

    # --- Emergency access ---

    def emergency(self, patient: Address, grantee: Address) -> Emergency:
        """Emergency access of one pair; one that never was where there is none."""
        return self.emergencies.get((patient, grantee)) or Emergency()

    def ban(self, patient: Address) -> Ban:
        """Whether the patient forbids emergency access."""
        return self.bans.get(patient) or Ban()

    def _emergency_opened(self, event: events.EmergencyOpened) -> None:
        emergency = replace(
            self.emergency(event.patient, event.grantee),
            emergency_id=event.emergency_id,
            reason=event.reason,
            opened_at=seconds(event.block.timestamp),
            valid_until=event.valid_until,
            epoch=event.epoch,
            bans=self.ban(event.patient).bans,
        )
        self.emergencies.put((event.patient, event.grantee), emergency)
        self.openings.append(event.patient, event)

    def _emergency_closed(self, event: events.EmergencyClosed) -> None:
        before = self.emergency(event.patient, event.grantee)
        emergency = replace(
            before,
            valid_until=min(before.valid_until, seconds(event.block.timestamp)),
            serial=event.serial,
            barred=True,
        )
        self.emergencies.put((event.patient, event.grantee), emergency)

    def _emergency_forbidden(self, event: events.EmergencyForbidden) -> None:
        bans = self.ban(event.patient).bans + 1
        self.bans.put(event.patient, Ban(serial=event.serial, bans=bans, forbidden=True))

    def _emergency_allowed(self, event: events.EmergencyAllowed) -> None:
        if int(event.grantee, 16) == 0:
            ban = replace(self.ban(event.patient), serial=event.serial, forbidden=False)
            self.bans.put(event.patient, ban)
        else:
            before = self.emergency(event.patient, event.grantee)
            emergency = replace(before, serial=event.serial, barred=False)
            self.emergencies.put((event.patient, event.grantee), emergency)

    # --- Anchors ---

    def _anchored(self, event: events.Anchored) -> None:
        anchor = event.anchor
        self.streams.append((event.account, event.topic), anchor)
        key = (event.account, event.topic, event.root)
        if self.roots.get(key) is None:  # a root that is appended again was there from the first
            self.roots.put(key, anchor)


_HANDLERS: dict[type[Event], Callable[[Projection, Any], None]] = {
    events.ControllerRotated: Projection._controller_rotated,
    events.AllRevoked: Projection._all_revoked,
    events.RecoveryStarted: Projection._recovery_started,
    events.RecoveryCancelled: Projection._recovery_cancelled,
    events.RecoveryCompleted: Projection._recovery_completed,
    events.DelegateSet: Projection._delegate_set,
    events.DelegateRemoved: Projection._delegate_removed,
    events.OrganisationAdmitted: Projection._organisation_admitted,
    events.OrganisationPublished: Projection._organisation_published,
    events.OrganisationSuspended: Projection._organisation_suspended,
    events.OrganisationReinstated: Projection._organisation_reinstated,
    events.RolesChanged: Projection._roles_changed,
    events.RelationshipProposed: Projection._relationship_proposed,
    events.RelationshipAccepted: Projection._relationship_accepted,
    events.RelationshipDeclined: Projection._relationship_over,
    events.RelationshipEnded: Projection._relationship_over,
    events.ConsentGranted: Projection._consent_granted,
    events.ConsentRevoked: Projection._consent_revoked,
    events.EmergencyOpened: Projection._emergency_opened,
    events.EmergencyClosed: Projection._emergency_closed,
    events.EmergencyForbidden: Projection._emergency_forbidden,
    events.EmergencyAllowed: Projection._emergency_allowed,
    events.Anchored: Projection._anchored,
}

APPLIED: Final = frozenset(_HANDLERS)
"""The events that change what is kept here."""
