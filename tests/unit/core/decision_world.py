"""The people and papers that the cases in decisions.md speak of."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from medaccord.core.decision import (
    BlockRef,
    Bounds,
    ConsentState,
    EmergencyState,
    Facts,
    Freshness,
    OrganisationState,
    Permit,
    Query,
    decide,
)
from medaccord.core.facts import ROLE_EMERGENCY, ROLE_MEMBER, ROLE_STEWARD
from medaccord.core.identifiers import AccountId, Address, Digest, address, digest
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms

CHAIN_ID = 1337
PATIENT = address("0x" + "a1" * 20)
OTHER_PATIENT = address("0x" + "a2" * 20)
HOSPITAL_A = address("0x" + "b1" * 20)
HOSPITAL_B = address("0x" + "b2" * 20)
DEPARTMENT_C = address("0x" + "b3" * 20)
HOSPITAL_D = address("0x" + "b4" * 20)
STRANGER = address("0x" + "e1" * 20)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = datetime(2026, 3, 31, 12, tzinfo=UTC)
EMERGENCY_START = datetime(2026, 3, 10, 11, tzinfo=UTC)
EMERGENCY_END = datetime(2026, 3, 10, 15, tzinfo=UTC)

BOUNDS = Bounds(
    max_node_silence=timedelta(seconds=30),
    max_blocks_behind=5,
    max_clock_skew=timedelta(seconds=15),
    max_head_age=timedelta(seconds=60),
)


def some_digest(number: int) -> Digest:
    """32 bytes that tell one paper from another."""
    return digest(number.to_bytes(32, "big"))


def account(of: Address) -> AccountId:
    """An account of the chain that all this happens on."""
    return AccountId(chain_id=CHAIN_ID, address=of)


TERMS = Terms(
    stewards=(account(HOSPITAL_A),),
    scopes=(Scope.parse("patient/Observation.rs?category=laboratory"),),
    purposes=(Purpose.TREAT,),
    salt=some_digest(7),
)
CONSENT = ConsentState(
    consent_id=some_digest(100),
    patient=PATIENT,
    grantee=HOSPITAL_B,
    terms_commitment=TERMS.commitment,
    valid_from=START,
    valid_until=END,
    granted=True,
    revoked=False,
    epoch_current=True,
)
EMERGENCY = EmergencyState(
    emergency_id=some_digest(200),
    patient=PATIENT,
    grantee=DEPARTMENT_C,
    reason=some_digest(201),
    opened_at=EMERGENCY_START,
    valid_until=EMERGENCY_END,
    open=True,
)


def organisation(of: Address, roles: int) -> OrganisationState:
    """An organisation in good standing."""
    return OrganisationState(account=of, admitted=True, active=True, roles=roles)


ORGANISATIONS = {
    HOSPITAL_B: organisation(HOSPITAL_B, ROLE_MEMBER),
    DEPARTMENT_C: organisation(DEPARTMENT_C, ROLE_EMERGENCY),
    HOSPITAL_D: organisation(HOSPITAL_D, ROLE_MEMBER),
}


def block(timestamp: datetime) -> BlockRef:
    """The newest block, at a time."""
    return BlockRef(chain_id=CHAIN_ID, number=42, hash=some_digest(42), timestamp=timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: what is asked, what is known, and what time it is."""

    query: Query
    facts: Facts
    now: datetime = NOON
    bounds: Bounds = BOUNDS

    def decide(self) -> Permit:
        """Put it to the program."""
        return decide(self.query, self.facts, now=self.now, bounds=self.bounds)

    def knowing(self, **changes: object) -> "Case":
        """The same case with other facts."""
        return replace(self, facts=replace(self.facts, **changes))  # type: ignore[arg-type]  # names are checked by replace

    def at(self, clock: datetime, chain: datetime) -> "Case":
        """The same case at another time; the node has just answered."""
        fresh = replace(self.facts.freshness, answered_at=clock, head=block(chain))
        return replace(self.knowing(freshness=fresh), now=clock)

    def with_consent(self, **changes: object) -> "Case":
        """The same case with another state of the first consent."""
        (state, terms), *others = self.facts.consents
        changed = replace(state, **changes)  # type: ignore[arg-type]  # names are checked by replace
        return self.knowing(consents=((changed, terms), *others))

    def with_terms(self, terms: Terms) -> "Case":
        """The same case with other terms of the first consent, signed as such."""
        ((state, _), *others) = self.facts.consents
        signed = replace(state, terms_commitment=terms.commitment)
        return self.knowing(consents=((signed, terms), *others))


def usual(
    requester: Address = HOSPITAL_B,
    *,
    interaction: str = "s",
    resource_type: str = "Observation",
    purpose: Purpose = Purpose.TREAT,
) -> Case:
    """What holds unless a row of decisions.md says otherwise."""
    return Case(
        query=Query(
            requester=requester,
            patient=PATIENT,
            purpose=purpose,
            interaction=interaction,
            resource_type=resource_type,
        ),
        facts=Facts(
            steward=HOSPITAL_A,
            steward_state=organisation(HOSPITAL_A, ROLE_MEMBER | ROLE_STEWARD),
            requester_state=ORGANISATIONS.get(requester),
            relationship_active=True,
            consents=((CONSENT, TERMS),),
            emergency=EMERGENCY if requester == DEPARTMENT_C else None,
            emergency_reason_known=requester == DEPARTMENT_C,
            freshness=Freshness(answered_at=NOON, head=block(NOON), behind=0, age_counts=True),
        ),
    )
