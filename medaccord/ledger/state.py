"""What the contracts hold, value by value, as the ledger keeps it.

Times are Unix seconds as the contracts count them: some (`until` of a delegation) may lie beyond
what a `datetime` can say.
"""

from dataclasses import dataclass
from enum import IntEnum

from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, ConsentId, Digest

__all__ = [
    "Ban",
    "Consent",
    "ConsentStatus",
    "Control",
    "Delegation",
    "Emergency",
    "Grant",
    "Organisation",
    "Relationship",
    "RelationshipState",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Who controls an account.

    Attributes:
        controller: the key or wallet that acts for the account.
        epoch: what was granted or delegated in an earlier epoch is over.
        incoming: the key that a pending recovery by guardians will hand it to; None when none is
            pending.
    """

    controller: Address
    epoch: int = 0
    incoming: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """The last delegation of an account to a key.

    Attributes:
        powers: bits of `medaccord.chain.powers.Power`; 0 once removed.
        until: end in Unix seconds, exclusive.
        epoch: the account's epoch in which it counts.
        serial: the highest the pair has seen.
    """

    powers: int = 0
    until: int = 0
    epoch: int = 0
    serial: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation that the consortium admitted.

    Attributes:
        roles: bits of `medaccord.chain.powers.Role`.
        suspended: whether the consortium suspended it.
        emergency_from: Unix second from which EMERGENCY counts, inclusive; 0 without that role.
        key: its X25519 public key.
        profile: hash of its public profile.
    """

    roles: int
    suspended: bool
    emergency_from: int
    key: Digest
    profile: Digest


class RelationshipState(IntEnum):
    """Where a relationship stands, numbered as in the contract."""

    NONE = 0
    PROPOSED = 1
    ACTIVE = 2
    ENDED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """The link of a patient and a steward.

    Attributes:
        state: where it stands.
        by_patient: whether the patient proposed the round.
        round: counts the proposals, from 1.
        since: Unix second of the last step.
    """

    state: RelationshipState = RelationshipState.NONE
    by_patient: bool = False
    round: int = 0
    since: int = 0


class ConsentStatus(IntEnum):
    """What a consent's id stands for, numbered as in the contract."""

    NONE = 0
    GRANTED = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a granted consent says.

    Attributes:
        grantee: the organisation that may read.
        by: the key that granted it: the patient's controller or a delegate.
        terms: commitment to the terms.
        valid_from: first second, inclusive.
        valid_until: end in Unix seconds, exclusive.
        request: digest of the request it answers, or zero.
        epoch: the patient's epoch in which it counts.
        block: where it was granted.
    """

    grantee: Address
    by: Address
    terms: Digest
    valid_from: int
    valid_until: int
    request: Digest
    epoch: int
    block: BlockRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent's id under its patient: granted, revoked, or revoked before it was ever sent.

    Attributes:
        patient: the patient's account.
        consent_id: the digest that the patient signed.
        grant: what it says; None where it was revoked before it was granted.
        revoked: where it was revoked; None while it is not.
    """

    patient: Address
    consent_id: ConsentId
    grant: Grant | None
    revoked: BlockRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """Emergency access of one organisation to one patient.

    Attributes:
        emergency_id: digest of the latest opening; None where there was none.
        reason: commitment to its reason; None where there was none.
        opened_at: Unix second of the latest opening; 0 where there was none.
        valid_until: its end in Unix seconds, exclusive, brought forward when it is closed.
        epoch: the patient's epoch at the opening.
        bans: how often the patient had forbidden emergency access at the opening.
        serial: of the latest closure or allowance of the pair.
        barred: whether the patient closed the pair and has not allowed it since.
    """

    emergency_id: Digest | None = None
    reason: Digest | None = None
    opened_at: int = 0
    valid_until: int = 0
    epoch: int = 0
    bans: int = 0
    serial: int = 0
    barred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Whether a patient forbids emergency access altogether.

    Attributes:
        serial: of the latest ban or patient-wide allowance.
        bans: how often it was forbidden; what was open at a lower count is over.
        forbidden: whether it is forbidden now.
    """

    serial: int = 0
    bans: int = 0
    forbidden: bool = False
