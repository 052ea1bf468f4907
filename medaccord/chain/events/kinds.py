"""One frozen dataclass for every event of the ABIs.

Integers are as the contracts hold them; times are Unix seconds.
"""

from dataclasses import dataclass

from medaccord.core.anchors import Anchor
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, ConsentId, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event has.

    Attributes:
        contract: who reported it.
        block: the block it stands in.
        transaction: hash of the transaction it stands in.
        log_index: its place in the block, from 0.
    """

    contract: Address
    block: BlockRef
    transaction: Digest
    log_index: int


# --- Registry ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerRotated(Event):
    """An account was handed to another key."""

    account: Address
    new_controller: Address
    by: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class AllRevoked(Event):
    """Every consent and delegation of an account ended; `epoch` is the new one."""

    account: Address
    by: Address
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateSet(Event):
    """A key was given powers of an account until a second, exclusive."""

    account: Address
    delegate: Address
    by: Address
    powers: int
    until: int
    epoch: int
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateRemoved(Event):
    """A key lost its powers; delegations up to this serial are dead."""

    account: Address
    delegate: Address
    by: Address
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardiansSet(Event):
    """Guardians were named, in force from a second on, inclusive."""

    account: Address
    by: Address
    commitment: Digest
    effective_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryStarted(Event):
    """Guardians began to hand an account to another key."""

    account: Address
    new_controller: Address
    nonce: int
    ready_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCancelled(Event):
    """The controller and one guardian stopped a recovery."""

    account: Address
    by: Address
    guardian: Address
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCompleted(Event):
    """The guardians' new key took over; `epoch` is the new one."""

    account: Address
    new_controller: Address
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationAdmitted(Event):
    """The consortium admitted an organisation; `emergency_from` is 0 without that role."""

    account: Address
    by: Address
    roles: int
    key: Digest
    profile: Digest
    emergency_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationPublished(Event):
    """An organisation changed its key or profile."""

    account: Address
    by: Address
    key: Digest
    profile: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationSuspended(Event):
    """The consortium suspended an organisation."""

    account: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationReinstated(Event):
    """The consortium took a suspension back."""

    account: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesChanged(Event):
    """The consortium changed roles; `emergency_from` is 0 without that role."""

    account: Address
    roles: int
    emergency_from: int


# --- Consortium ---


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionApproved(Event):
    """A member approved a motion."""

    motion_id: Digest
    member: Address
    by: Address
    kind: int
    account: Address
    roles: int
    key: Digest
    profile: Digest
    nonce: int
    deadline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWithdrawn(Event):
    """A member withdrew its approval of a motion, for good."""

    motion_id: Digest
    member: Address
    by: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionExecuted(Event):
    """A motion was carried out."""

    motion_id: Digest
    executor: Address
    approvals: int


# --- Relationships ---


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipProposed(Event):
    """A patient or a steward (`account`) proposed a relationship."""

    patient: Address
    steward: Address
    by: Address
    account: Address
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipAccepted(Event):
    """The other side accepted."""

    patient: Address
    steward: Address
    by: Address
    account: Address
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipDeclined(Event):
    """The other side declined."""

    patient: Address
    steward: Address
    by: Address
    account: Address
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipEnded(Event):
    """Either side ended the relationship, or its proposal."""

    patient: Address
    steward: Address
    by: Address
    account: Address
    round: int


# --- Consents ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGranted(Event):
    """A consent was granted, from a second (inclusive) to another (exclusive)."""

    patient: Address
    grantee: Address
    consent_id: ConsentId
    by: Address
    terms: Digest
    valid_from: int
    valid_until: int
    request: Digest
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRevoked(Event):
    """A consent was revoked for good, perhaps before it was ever sent."""

    patient: Address
    consent_id: ConsentId
    by: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyOpened(Event):
    """An organisation opened emergency access for itself, to a second, exclusive."""

    patient: Address
    grantee: Address
    emergency_id: Digest
    by: Address
    reason: Digest
    valid_until: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyClosed(Event):
    """A patient closed emergency access to one organisation, and barred it."""

    patient: Address
    grantee: Address
    by: Address
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyForbidden(Event):
    """A patient ended and forbade all emergency access."""

    patient: Address
    by: Address
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyAllowed(Event):
    """A patient lifted a bar, or, with the zero grantee, the ban."""

    patient: Address
    grantee: Address
    by: Address
    serial: int


# --- Anchors ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored(Event):
    """A root was appended to a stream."""

    account: Address
    topic: Digest
    by: Address
    previous: Digest
    root: Digest
    head: Digest

    @property
    def anchor(self) -> Anchor:
        """The append, as proofs name it."""
        return Anchor(
            account=self.account,
            topic=self.topic,
            previous=self.previous,
            root=self.root,
            head=self.head,
            block_number=self.block.number,
            transaction=self.transaction,
        )
