"""What a decision is made from: the query, the state of the chain as the ledger saw it, the bounds.

Everything here is a plain value. The ledger fills `Facts` in the cautious way (permits from final
blocks, restrictions from first sight); nothing in this module reads a clock or a chain.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from medaccord.core.blocks import BlockRef
from medaccord.core.errors import InvalidInput, InvalidRequest
from medaccord.core.identifiers import Address, ConsentId, Digest
from medaccord.core.purposes import Purpose
from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.core.scopes import INTERACTIONS
from medaccord.core.terms import Terms

__all__ = [
    "ROLE_EMERGENCY",
    "ROLE_MEMBER",
    "ROLE_STEWARD",
    "Bounds",
    "ConsentState",
    "EmergencyState",
    "Facts",
    "Freshness",
    "OrganisationState",
    "Pair",
    "Query",
]

ROLE_MEMBER: Final = 1
ROLE_STEWARD: Final = 2
ROLE_EMERGENCY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for.

    Attributes:
        requester: the account acted for; sign-in has shown that the key may act for it.
        patient: the patient's account.
        purpose: what for.
        interaction: "r" for reading one record, "s" for searching.
        resource_type: the FHIR R4 resource type asked for.

    Raises:
        InvalidRequest: an unknown interaction or resource type.
    """

    requester: Address
    patient: Address
    purpose: Purpose
    interaction: str
    resource_type: str

    def __post_init__(self) -> None:
        """Refuse what no scope speaks of."""
        if self.interaction not in INTERACTIONS:
            raise InvalidRequest(f"records are read (r) or searched (s), not {self.interaction!r}")
        if self.resource_type not in RESOURCE_TYPES:
            raise InvalidRequest(f"{self.resource_type!r} is no FHIR R4 resource type")

    @property
    def pair(self) -> "Pair":
        """Whom it is about."""
        return Pair(requester=self.requester, patient=self.patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Whom facts are about: they are the same for whatever one requester asks of one patient.

    Attributes:
        requester: the account acted for.
        patient: the patient's account.
    """

    requester: Address
    patient: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationState:
    """An organisation as the consortium has it.

    Attributes:
        account: the organisation.
        admitted: whether it was ever admitted.
        active: admitted and not suspended.
        roles: bit mask of the roles in effect now (`ROLE_MEMBER` and so on).
    """

    account: Address
    admitted: bool
    active: bool
    roles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """A consent as it stands on chain.

    Attributes:
        consent_id: the consent's EIP-712 digest.
        patient: who gave it.
        grantee: whom it lets read.
        terms_commitment: commitment to its terms.
        valid_from: start, included.
        valid_until: end, excluded.
        granted: its grant is final on chain.
        revoked: its revocation was seen anywhere, mined or not.
        epoch_current: no revoke-all or recovery of the patient's came after it.
    """

    consent_id: ConsentId
    patient: Address
    grantee: Address
    terms_commitment: Digest
    valid_from: datetime
    valid_until: datetime
    granted: bool
    revoked: bool
    epoch_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyState:
    """The last emergency access that an organisation opened to a patient's records.

    Attributes:
        emergency_id: the opening's EIP-712 digest.
        patient: whose records.
        grantee: who opened it.
        reason: commitment to the reason.
        opened_at: time of the block it was opened in.
        valid_until: end, excluded.
        open: final on chain, and neither closed, barred, forbidden nor ended by a revoke-all.
    """

    emergency_id: Digest
    patient: Address
    grantee: Address
    reason: Digest
    opened_at: datetime
    valid_until: datetime
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far the facts can be relied on.

    Attributes:
        answered_at: when the node last answered, by our clock.
        head: the newest block the facts take into account.
        behind: blocks between that and the newest block the node tells of.
        age_counts: the network makes blocks at a known pace, so that an old head means trouble.
        silence: time since that answer by a clock that nobody can set; zero where there is none.
    """

    answered_at: datetime
    head: BlockRef
    behind: int
    age_counts: bool
    silence: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much staleness is borne; each bound is included.

    Attributes:
        max_node_silence: longest time since the node's last answer.
        max_blocks_behind: most blocks the ledger may be behind the node.
        max_clock_skew: farthest the head, or the last answer, may lie ahead of our clock.
        max_head_age: oldest head where its age counts; None only where no network's does.

    Raises:
        InvalidInput: a bound is negative.
    """

    max_node_silence: timedelta
    max_blocks_behind: int
    max_clock_skew: timedelta
    max_head_age: timedelta | None

    def __post_init__(self) -> None:
        """Refuse bounds that nothing can meet."""
        spans = (self.max_node_silence, self.max_clock_skew, self.max_head_age or timedelta())
        if min(spans) < timedelta() or self.max_blocks_behind < 0:
            raise InvalidInput("a bound on staleness is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the ledger and the steward know that bears on a query.

    Attributes:
        steward: the organisation whose gatekeeper decides.
        steward_state: its standing.
        requester_state: the requester's standing; None where it was never admitted.
        relationship_active: steward and patient have an active relationship.
        consents: consents with the terms that were handed in for them; None where none were.
            Those of other patients or for other grantees are passed over.
        emergency: emergency access of the requester to the patient's records, if it opened any.
        emergency_reason_known: the opening's reason was handed in and opens its commitment.
        freshness: how far all this can be relied on.
    """

    steward: Address
    steward_state: OrganisationState
    requester_state: OrganisationState | None
    relationship_active: bool
    consents: tuple[tuple[ConsentState, Terms | None], ...]
    emergency: EmergencyState | None
    emergency_reason_known: bool
    freshness: Freshness
