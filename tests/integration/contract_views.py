"""Holds a projection of the ledger to the contracts' own views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from medaccord.chain import Power, Role
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, Digest
from medaccord.ledger import views
from medaccord.ledger.projection import Projection
from medaccord.ledger.state import Consent, Delegation, Relationship
from tests.integration.random_history import NOBODY, RandomHistory

T = TypeVar("T")


def compare(world: RandomHistory, state: Projection, block: BlockRef, *, sample: int) -> None:
    """Hold a projection to the views of the contracts at its block.

    Args:
        world: whose contracts.
        state: what is compared.
        block: where.
        sample: how many keys, and how many consents, drawn at random, to ask about.
    """
    at, number, payer = int(block.timestamp.timestamp()), block.number, world.setting.sender.address
    contracts = world.setting.contracts

    def ask(name: str, function: str, *arguments: object) -> Any:
        bound = getattr(contracts, name.lower()).functions[function](*arguments)
        return bound.call({"from": payer}, block_identifier=number)

    for account in world.accounts:
        control = state.control(account)
        assert control.controller == ask("Registry", "controllerOf", account)
        assert control.epoch == ask("Registry", "epochOf", account)
        incoming, *_ = ask("Registry", "recoveryOf", account)
        assert (control.incoming or NOBODY) == incoming
        keys = {control.controller, *_some(world, list(world.keys), sample)}
        if control.incoming:
            keys.add(control.incoming)
        for key in keys:
            held = state.delegations.get((account, key)) or Delegation()
            told = ask("Registry", "delegationOf", account, key)
            assert [held.powers, held.until, held.epoch, held.serial] == told
            for power in (Power.GRANT, Power.RESTRICT, Power.RESTRICT | Power.ANCHOR):
                assert views.is_authorised(state, account, key, power, at=at) == ask(
                    "Registry", "isAuthorised", account, key, int(power)
                )
    stream = (world.dice.choice(world.accounts), world.dice.choice(world.topics))
    last = state.streams.last(stream)
    assert (last.head if last else bytes(32)) == ask("Anchors", "headOf", *stream)
    for account in (*world.stewards, world.patients[0]):
        _compare_organisation(state, account, at, ask)
    for patient in world.patients:
        ban = state.ban(patient)
        assert [ban.serial, ban.forbidden] == ask("Consents", "emergencyBanOf", patient)
        for steward in world.stewards:
            _compare_pair(state, patient, steward, at, ask)
    for patient, consent_id in _some(world, world.consents, 2 * sample):
        consent = state.consents.get((patient, consent_id))
        _compare_consent(consent, (patient, consent_id), ask)
        assert views.is_consent_active(state, consent, at=at) == ask(
            "Consents", "isActive", patient, consent_id
        )


def _some(world: RandomHistory, everything: list[T], count: int) -> list[T]:
    return world.dice.sample(everything, min(count, len(everything)))


Ask = Callable[..., Any]


def _compare_organisation(state: Projection, account: Address, at: int, ask: Ask) -> None:
    held = state.organisations.get(account)
    nothing = (0, False, False, 0, bytes(32), bytes(32))
    assert ask("Registry", "organisationOf", account) == (
        nothing
        if held is None
        else (held.roles, True, held.suspended, held.emergency_from, held.key, held.profile)
    )
    assert views.is_active_organisation(state, account) == ask(
        "Registry", "isActiveOrganisation", account
    )
    for role in (*Role, Role.STEWARD | Role.EMERGENCY):
        assert views.has_role(state, account, role, at=at) == ask(
            "Registry", "hasRole", account, int(role)
        )


def _compare_pair(state: Projection, patient: Address, steward: Address, at: int, ask: Ask) -> None:
    held = state.relationships.get((patient, steward)) or Relationship()
    assert (held.state, held.by_patient, held.round, held.since) == ask(
        "Relationships", "relationshipOf", patient, steward
    )
    assert views.is_relationship_active(state, patient, steward) == ask(
        "Relationships", "isActive", patient, steward
    )
    pair = state.emergency(patient, steward)
    told = ask("Consents", "emergencyOf", patient, steward)
    assert [pair.opened_at, pair.valid_until, pair.epoch, pair.serial, pair.barred] == told
    assert views.is_emergency_active(state, patient, steward, at=at) == ask(
        "Consents", "isEmergencyActive", patient, steward
    )


def _compare_consent(held: Consent | None, key: tuple[Address, Digest], ask: Ask) -> None:
    told = ask("Consents", "consentOf", *key)
    assert views.status_of(held) == told[0]
    if held is not None and held.grant is not None:
        assert (held.grant.grantee, held.grant.epoch) == (told[1], told[4])
        if held.revoked is None:
            assert [held.grant.valid_from, held.grant.valid_until] == list(told[2:4])
    if held is not None and held.revoked is not None:
        assert told[2] == int(held.revoked.timestamp.timestamp())
