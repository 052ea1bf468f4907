"""A phrase, the chain and the gatekeepers alone bring back everything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from medaccord.chain import Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client.relationships import RelationshipState
from medaccord.client.restored import Restored, RestoredAccount
from medaccord.client.restoring import restore
from medaccord.client.retracing import FIRST_WINDOW
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.emergency import EmergencyCode, EmergencyReason
from medaccord.core.identifiers import hex_digest
from medaccord.keys import LocalSigner, Origin, Seed
from tests.integration.gatekeeper.desk import Desk, salt
from tests.integration.gatekeeper.restoring.life import Life


def only(found: Restored) -> RestoredAccount:
    assert found.problems == ()
    (account,) = found.accounts
    return account


# --- What is found


def test_nothing_is_found_when_the_phrase_is_fresh(restored: Callable[[], Restored]) -> None:
    found = restored()
    assert (found.accounts, found.delegated, found.next_index) == ((), (), 0)


def test_every_relationship_consent_and_opening_is_found(
    life: Life,
    seed: Seed,
    hospital: LocalSigner,
    clinician: LocalSigner,
    restored: Callable[[], Restored],
) -> None:
    signers = [seed.account(index) for index in range(3)]
    accounts = [life.enrol(signer) for signer in signers[:2]]
    life.propose(clinician, signers[2].address)
    ended = life.grant(accounts[0], signers[0])
    revoke_all = actions.revoke_all(life.contracts, account=accounts[0])
    life.send(revoke_all, signers[0])
    given = [life.grant(account, by) for account, by in zip(accounts, signers[:2], strict=True)]
    revoked = life.grant(accounts[1], signers[1])
    revoke = actions.revoke(life.contracts, patient=accounts[1], consent_id=revoked.consent)
    life.send(revoke, signers[1])
    found = restored()
    assert [each.account for each in found.accounts] == [each.address for each in signers]
    assert (found.next_index, found.problems, found.delegated) == (3, (), ())
    assert {each.held for each in found.accounts} == {True}
    assert {each.origin for each in found.accounts} == {Origin.DERIVED}
    told = [
        [(each.given.consent_id, each.terms, each.given.status) for each in account.consents]
        for account in found.accounts
    ]
    active, inactive = ConsentStatus.ACTIVE, ConsentStatus.INACTIVE
    assert told == [
        [(ended.consent, ended.terms, inactive), (given[0].consent, given[0].terms, active)],
        [(given[1].consent, given[1].terms, active), (revoked.consent, revoked.terms, inactive)],
        [],
    ]
    assert [each.given.revoked for each in found.accounts[1].consents] == [False, True]
    relationships = [each.relationships for each in found.accounts]
    assert [[(each.steward, each.state) for each in of] for of in relationships] == [
        [(hospital.address, RelationshipState.ACTIVE)],
        [(hospital.address, RelationshipState.ACTIVE)],
        [(clinician.address, RelationshipState.PROPOSED)],
    ]


def test_status_of_a_consent_is_the_contracts(
    life: Life, seed: Seed, chain: EmbeddedChain, restored: Callable[[], Restored]
) -> None:
    account = life.enrol(seed.account(0))
    given = life.grant(account, seed.account(0))

    def statuses() -> tuple[ConsentStatus, bool]:
        (consent,) = only(restored()).consents
        on_chain = life.contracts.call("Consents", "isActive", account, given.consent)
        return consent.given.status, bool(on_chain)

    assert statuses() == (ConsentStatus.ACTIVE, True)
    chain.advance(timedelta(days=31))
    assert statuses() == (ConsentStatus.INACTIVE, False)


def test_relationship_is_found_as_ended_and_its_openings_with_it(
    life: Life, seed: Seed, hospital: LocalSigner, restored: Callable[[], Restored]
) -> None:
    account = life.enrol(seed.account(0))
    given = life.grant(account, seed.account(0))
    end = actions.end(life.contracts, patient=account, steward=hospital.address, account=account)
    life.send(end, seed.account(0))
    found = only(restored())
    assert [each.state for each in found.relationships] == [RelationshipState.ENDED]
    assert [each.terms for each in found.consents] == [given.terms]


def test_reason_of_an_emergency_is_found(
    life: Life, seed: Seed, desk: Desk, clinician: LocalSigner, restored: Callable[[], Restored]
) -> None:
    account = life.enrol(seed.account(0))
    reason = EmergencyReason(code=EmergencyCode.UNCONSCIOUS, salt=salt())
    opened = actions.open_emergency(
        life.contracts,
        patient=account,
        grantee=clinician.address,
        reason=reason.commitment,
        valid_until=desk.now() + timedelta(hours=1),
    )
    life.send(opened, clinician)
    before = only(restored())
    assert [each.reason for each in before.emergencies] == [None]
    body = {
        "patient": account,
        "emergency": hex_digest(opened.digest),
        "reason": reason.document(),
    }
    answer = desk.http.post("/openings/emergency", json=body, headers=desk.sign_in(clinician))
    assert answer.status_code == 201, answer.text
    (emergency,) = only(restored()).emergencies
    assert (emergency.emergency_id, emergency.reason) == (opened.digest, reason)


def test_account_is_found_with_its_key_when_it_was_rotated(
    life: Life, seed: Seed, restored: Callable[[], Restored]
) -> None:
    account = life.enrol(seed.account(0))
    for rotations in range(1, 4):
        life.rotate(account, seed.controller(0, rotations - 1), seed.controller(0, rotations))
    given = life.grant(account, seed.controller(0, 3))
    found = only(restored())
    assert (found.account, found.rotations, found.held) == (account, 3, True)
    assert found.controller == seed.controller(0, 3).address
    assert [each.terms for each in found.consents] == [given.terms]


def test_account_is_found_when_guardians_handed_it_to_the_phrase(
    life: Life,
    seed: Seed,
    sender: Sender,
    chain: EmbeddedChain,
    stranger: LocalSigner,
    restored: Callable[[], Restored],
) -> None:
    lost = LocalSigner.create()
    account = life.enrol(lost)
    given = life.grant(account, lost)
    life.start_recovery(lost, guardian=stranger, new=seed.account(2).address)
    pending = restored()
    assert [(each.account, each.held) for each in pending.accounts] == [(account, False)]
    assert pending.next_index == 3
    chain.advance(timedelta(days=7))
    actions.submit(sender, actions.complete_recovery(life.contracts, account=account))
    found = only(restored())
    assert (found.account, found.index, found.origin) == (account, 2, Origin.RECOVERED)
    assert (found.held, found.rotations) == (True, 0)
    told = [(each.terms, each.given.status) for each in found.consents]
    assert told == [(given.terms, ConsentStatus.INACTIVE)]
    assert [each.state for each in found.relationships] == [RelationshipState.ACTIVE]


def test_account_of_another_wallet_is_found_once_it_was_rotated_to_the_phrase(
    life: Life, seed: Seed, restored: Callable[[], Restored]
) -> None:
    imported = LocalSigner.create()
    account = life.enrol(imported)
    assert restored().accounts == ()
    life.rotate(account, imported, seed.controller(4, 1))
    found = only(restored())
    assert (found.account, found.index, found.rotations, found.held) == (account, 4, 1, True)
    assert found.origin is Origin.RECOVERED


def test_account_that_somebody_else_took_is_found_and_not_signed_in_for(
    life: Life, seed: Seed, stranger: LocalSigner, restored: Callable[[], Restored]
) -> None:
    account = life.enrol(seed.account(0))
    life.grant(account, seed.account(0))
    life.rotate(account, seed.account(0), stranger)
    found = only(restored())
    assert (found.account, found.held, found.rotations) == (account, False, 0)
    assert found.controller == stranger.address
    assert [each.terms for each in found.consents] == [None]


def test_account_is_found_far_beyond_what_is_looked_for_at_first(
    life: Life, seed: Seed, hospital: LocalSigner, restored: Callable[[], Restored]
) -> None:
    indices = range(0, FIRST_WINDOW + 40, 20)  # nineteen unused ones in between
    for index in reversed(indices):
        life.propose(hospital, seed.account(index).address)
    found = restored()
    assert [each.index for each in found.accounts] == list(indices)
    assert found.next_index == indices[-1] + 1


def test_key_that_acts_for_others_is_found_and_never_given_again(
    life: Life, seed: Seed, patient: LocalSigner, stranger: LocalSigner, hospital: LocalSigner
) -> None:
    for delegator, index in ((patient, 1), (stranger, 3)):
        life.delegate(delegator, seed.account(index).address)
    removal = actions.undelegate(
        life.contracts, account=stranger.address, delegate=seed.account(3).address
    )
    life.send(removal, stranger)
    found = restore(seed, life.contracts, {})
    assert (found.accounts, found.delegated) == ((), (patient.address,))
    assert found.next_index == 4


# --- What strangers do


def test_account_that_a_stranger_hands_to_a_known_key_is_left_alone(
    life: Life, seed: Seed, stranger: LocalSigner, restored: Callable[[], Restored]
) -> None:
    account = life.enrol(seed.account(0))
    life.rotate(stranger.address, stranger, seed.account(0))
    assert only(restored()).account == account


def test_recovered_account_is_found_when_a_steward_proposes_to_its_key(
    life: Life, seed: Seed, hospital: LocalSigner, restored: Callable[[], Restored]
) -> None:
    imported = LocalSigner.create()
    account = life.enrol(imported)
    life.rotate(account, imported, seed.account(0))
    life.propose(hospital, seed.account(0).address)
    assert only(restored()).account == account
