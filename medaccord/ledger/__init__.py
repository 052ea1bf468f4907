"""The ledger: a local copy of the chain's state, rebuildable, that decisions are made from."""

from medaccord.ledger.follower import Follower, TakenIn
from medaccord.ledger.following import Following
from medaccord.ledger.ledger import Ledger
from medaccord.ledger.pending import Restriction, RestrictionKind
from medaccord.ledger.projection import Projection
from medaccord.ledger.state import (
    Consent,
    ConsentStatus,
    Grant,
    Organisation,
    Relationship,
    RelationshipState,
)

__all__ = [
    "Consent",
    "ConsentStatus",
    "Follower",
    "Following",
    "Grant",
    "Ledger",
    "Organisation",
    "Projection",
    "Relationship",
    "RelationshipState",
    "Restriction",
    "RestrictionKind",
    "TakenIn",
]
