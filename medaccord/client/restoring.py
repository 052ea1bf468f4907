"""Restoring: from a phrase, the chain and the stewards' gatekeepers alone, all that there was.

The node is asked for whole ranges of events and for its head, never for an account. Each account
signs in at the gatekeepers of its own stewards only, over connections of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeGuard

import httpx

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event
from medaccord.chain.values import moment
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.client.given_consents import GivenConsent
from medaccord.client.relationships import Relationship, RelationshipState
from medaccord.client.restored import (
    Restored,
    RestoredAccount,
    RestoredConsent,
    RestoredEmergency,
    RestoreProblem,
)
from medaccord.client.restored_openings import Openings, fetch_openings
from medaccord.client.retracing import Traces, retrace
from medaccord.client.session import Session
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import MedaccordError, TransportError
from medaccord.core.identifiers import Address, address
from medaccord.core.purposes import Purpose
from medaccord.keys.seed import GAP_LIMIT, Seed
from medaccord.keys.wallet_state import Origin

_STATES: Final[Mapping[type[Event], RelationshipState]] = MappingProxyType(
    {
        events.RelationshipProposed: RelationshipState.PROPOSED,
        events.RelationshipAccepted: RelationshipState.ACTIVE,
        events.RelationshipDeclined: RelationshipState.ENDED,
        events.RelationshipEnded: RelationshipState.ENDED,
    }
)
_STEPS: Final = (
    events.RelationshipProposed,
    events.RelationshipAccepted,
    events.RelationshipDeclined,
    events.RelationshipEnded,
)


def restore(
    seed: Seed,
    contracts: Contracts,
    gatekeepers: Mapping[Address, str],
    *,
    http: httpx.Client | None = None,
) -> Restored:
    """Find every relationship, consent and opening of a phrase, whatever any device held before.

    Accounts are found up to a gap of `GAP_LIMIT` unused ones, also those that were rotated, and
    others' that were handed to the phrase. An account that was imported and never rotated is not:
    the phrase does not have its key.

    Args:
        seed: The phrase.
        contracts: From `medaccord.connect`.
        gatekeepers: Addresses of the stewards' gatekeepers, by steward; `find_gatekeepers` finds
            them. Those of stewards without a relationship are not called.
        http: The client to send with, which stays open; one for each account and gatekeeper unless
            given, so that no gatekeeper sees two accounts come by one connection.

    Raises:
        TransportError: The node does not answer, or badly. A gatekeeper that does not answer is
            among the `problems` of the result.
    """
    traces = retrace(seed, contracts)
    problems: list[RestoreProblem] = []
    accounts = []
    for account, index in traces.accounts.items():
        found = _account(seed, contracts, traces, account, index)
        for steward in _keepers(found):
            if found.is_open:
                break
            try:
                openings = _ask(seed, contracts, found, gatekeepers.get(steward), http)
                found = openings.of(found)
            except MedaccordError as error:
                problems.append(RestoreProblem(account=account, steward=steward, error=error))
        accounts.append(found)
    return Restored(
        block=traces.head,
        accounts=tuple(accounts),
        delegated=traces.delegated,
        next_index=traces.next_index,
        gatekeepers=dict(gatekeepers),
        problems=tuple(problems),
    )


def _account(
    seed: Seed, contracts: Contracts, traces: Traces, account: Address, index: int
) -> RestoredAccount:
    """What the chain tells about one account."""
    own = [event for event in traces.events if account in _about(event)]
    controllers = [account, *(event.new_controller for event in own if _hands_over(event))]
    rotations = _rotations(seed, index, controllers)
    return RestoredAccount(
        account=account,
        index=index,
        origin=Origin.DERIVED if seed.account(index).address == account else Origin.RECOVERED,
        controller=controllers[-1],
        rotations=rotations,
        held=seed.controller(index, rotations).address == controllers[-1],
        relationships=_relationships(account, own),
        consents=tuple(
            RestoredConsent(given=given, terms=None) for given in _consents(own, traces, contracts)
        ),
        emergencies=tuple(
            RestoredEmergency(
                emergency_id=event.emergency_id,
                grantee=event.grantee,
                opened_at=event.block.timestamp,
                commitment=event.reason,
                reason=None,
            )
            for event in own
            if isinstance(event, events.EmergencyOpened)
        ),
    )


def _about(event: Event) -> tuple[object, ...]:
    return getattr(event, "patient", None), getattr(event, "account", None)


def _hands_over(event: Event) -> TypeGuard[events.ControllerRotated | events.RecoveryCompleted]:
    return isinstance(event, events.ControllerRotated | events.RecoveryCompleted)


def _rotations(seed: Seed, index: int, controllers: Sequence[Address]) -> int:
    """How far the keys of an index were used: the number of the last one that ever controlled."""
    furthest = len(controllers) + GAP_LIMIT
    numbers = {seed.controller(index, each).address: each for each in range(furthest)}
    return next((numbers[each] for each in reversed(controllers) if each in numbers), 0)


def _relationships(account: Address, own: Sequence[Event]) -> tuple[Relationship, ...]:
    found: dict[Address, Relationship] = {}
    for event in own:
        if (state := _STATES.get(type(event))) is None:
            continue
        assert isinstance(event, _STEPS)
        before = found.get(event.steward)
        proposer = before.proposed_by if before else None
        if state is RelationshipState.PROPOSED:
            proposer = event.account
        found[event.steward] = Relationship(
            patient=account,
            steward=event.steward,
            state=state,
            proposed_by=proposer,
            round=event.round,
            since=event.block.timestamp,
        )
    return tuple(found.values())


def _consents(own: Sequence[Event], traces: Traces, contracts: Contracts) -> Iterator[GivenConsent]:
    revoked = {event.consent_id for event in own if isinstance(event, events.ConsentRevoked)}
    raised = [
        event.epoch
        for event in own
        if isinstance(event, events.AllRevoked | events.RecoveryCompleted)
    ]
    epoch, now = max(raised, default=0), contracts.network.clock()
    for event in own:
        if not isinstance(event, events.ConsentGranted):
            continue
        starts, ends = moment(event.valid_from), moment(event.valid_until)
        active = (
            starts <= now < ends
            and event.epoch == epoch
            and event.consent_id not in revoked
            and event.grantee in traces.active
        )
        yield GivenConsent(
            consent_id=event.consent_id,
            resource_owner=event.patient,
            grantee=event.grantee,
            issued=event.block.timestamp,
            valid_from=starts,
            expires=ends,
            status=ConsentStatus.ACTIVE if active else ConsentStatus.INACTIVE,
            revoked=event.consent_id in revoked,
            request=event.request if any(event.request) else None,
            terms=event.terms,
            by=event.by,
            transaction=event.transaction,
        )


# --- Openings ---


def _keepers(found: RestoredAccount) -> tuple[Address, ...]:
    """Stewards that may have openings of an account: those who ever were its own."""
    if not found.held:
        return ()
    return tuple(
        each.steward
        for each in found.relationships
        if each.state in (RelationshipState.ACTIVE, RelationshipState.ENDED)
    )


def _ask(
    seed: Seed,
    contracts: Contracts,
    found: RestoredAccount,
    url: str | None,
    http: httpx.Client | None,
) -> Openings:
    if url is None:
        raise TransportError("no address of this steward's gatekeeper is known: name it")
    api = GatekeeperApi(url, http=http)
    try:
        return fetch_openings(
            Session(
                api,
                seed.controller(found.index, found.rotations),
                contracts.account_id(found.account),
                registry=address(contracts.registry.address),
                purpose=Purpose.PATRQT,
                clock=contracts.network.clock,
            )
        )
    finally:
        api.close()
