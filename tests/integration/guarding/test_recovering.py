"""A lost account is handed to a new phone by its guardians, or is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from medaccord.chain import Contracts, Sender, actions, events, reverts
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client.guardian_documents import (
    CancellationApproval,
    RecoveryApproval,
    RecoveryRequest,
)
from medaccord.client.guardians import ChosenGuardians
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import (
    CommitmentMismatch,
    InvalidInput,
    InvalidRequest,
    KeyMissing,
    SignatureMismatch,
    TransportError,
)
from medaccord.core.identifiers import Address
from medaccord.keys import LocalSigner, Origin
from tests.integration.guarding.conftest import Person

DELAY = timedelta(days=7)


def passed_on(approval: RecoveryApproval) -> RecoveryApproval:
    """As it arrives on another device."""
    return RecoveryApproval.parse(document_bytes(approval.document()))


def controller(contracts: Contracts, account: Address) -> str:
    return str(contracts.call("Registry", "controllerOf", account))


# --- Recovering


def started(account: Address, device: Person, by: list[Person], sender: Sender) -> RecoveryRequest:
    """Two guardians hand the account to the new device."""
    request = device.recovery.request(account)
    seen = RecoveryRequest.parse(document_bytes(request.document()))
    approvals = [passed_on(each.guardian.approve(seen)) for each in by]
    receipt = actions.submit(sender, device.recovery.start(request, approvals))
    (event,) = receipt.events
    assert isinstance(event, events.RecoveryStarted)
    assert (event.account, event.new_controller) == (account, request.new_controller)
    return request


def test_account_is_the_new_devices_when_two_of_three_guardians_recovered_it(
    chosen: ChosenGuardians,
    account: Address,
    patient: Person,
    family: list[Person],
    device: Person,
    contracts: Contracts,
    sender: Sender,
    chain: EmbeddedChain,
) -> None:
    request = started(account, device, family[1:], sender)
    pending = device.recovery.pending(account)
    assert pending is not None
    assert pending.new_controller == request.new_controller
    chain.advance(DELAY)
    device.recovery.wait(account, patience=timedelta())
    actions.submit(sender, device.recovery.complete(account))
    held = device.recovery.completed(account)
    assert controller(contracts, account) == device.wallet.signer(account).address
    assert (held.account, held.origin, held.used) == (account, Origin.RECOVERED, True)
    assert device.recovery.pending(account) is None
    revoke = actions.revoke_all(contracts, account=account)
    with pytest.raises(reverts.NotAuthorised):
        actions.submit(sender, actions.signed(revoke, patient.wallet.signer(account)))
    revoke = actions.revoke_all(contracts, account=account, by=request.new_controller)
    actions.submit(sender, actions.signed(revoke, device.wallet.signer(account)))


def test_recovery_is_not_completed_one_second_before_the_delay_has_run(
    chosen: ChosenGuardians,
    account: Address,
    family: list[Person],
    device: Person,
    sender: Sender,
    chain: EmbeddedChain,
) -> None:
    started(account, device, family[:2], sender)
    pending = device.recovery.pending(account)
    assert pending is not None
    chain.advance(DELAY - timedelta(hours=1))
    with pytest.raises(TransportError, match="can be completed from"):
        device.recovery.wait(account, patience=timedelta())
    with pytest.raises(reverts.RecoveryNotReady):
        actions.submit(sender, device.recovery.complete(account))
    with pytest.raises(KeyMissing, match="no key of this wallet"):
        device.recovery.completed(account)


def test_wallet_of_the_stolen_key_is_handed_its_next_key(
    chosen: ChosenGuardians,
    account: Address,
    patient: Person,
    family: list[Person],
    sender: Sender,
    chain: EmbeddedChain,
    contracts: Contracts,
) -> None:
    following = patient.wallet.next_signer(account).address
    assert started(account, patient, family[:2], sender).new_controller == following
    chain.advance(DELAY)
    actions.submit(sender, patient.recovery.complete(account))
    assert patient.recovery.completed(account).rotations == 1
    assert patient.wallet.signer(account).address == controller(contracts, account) == following


def test_request_asks_for_the_same_key_every_time(account: Address, device: Person) -> None:
    first, second = (device.recovery.request(account) for _ in range(2))
    assert first.new_controller == second.new_controller
    assert len(device.wallet.accounts()) == 1


def test_start_is_refused_when_too_few_approved(
    chosen: ChosenGuardians, account: Address, family: list[Person], device: Person
) -> None:
    request = device.recovery.request(account)
    approval = family[0].guardian.approve(request)
    with pytest.raises(InvalidInput, match="1 of the 2 guardians that it takes"):
        device.recovery.start(request, [approval, passed_on(approval)])
    with pytest.raises(InvalidInput, match="0 of the 1 guardians"):
        device.recovery.start(request, [])


def test_start_is_refused_when_an_approval_is_of_another_request(
    chosen: ChosenGuardians, account: Address, family: list[Person], device: Person
) -> None:
    request = device.recovery.request(account)
    longer = replace(request, deadline=request.deadline + timedelta(days=1))
    approvals = [
        each.guardian.approve(asked)
        for each, asked in zip(family[:2], (request, longer), strict=True)
    ]
    with pytest.raises(InvalidInput, match="is of another request"):
        device.recovery.start(request, approvals)


def test_start_is_refused_when_an_approval_was_not_signed_by_its_guardian(
    chosen: ChosenGuardians, account: Address, family: list[Person], device: Person
) -> None:
    request = device.recovery.request(account)
    one, two = (each.guardian.approve(request) for each in family[:2])
    with pytest.raises(SignatureMismatch, match=f"{two.place.guardian} did not sign"):
        device.recovery.start(request, [one, replace(two, signature=one.signature)])


def test_start_is_refused_when_approvals_are_of_different_circles(
    chosen: ChosenGuardians,
    account: Address,
    patient: Person,
    family: list[Person],
    stranger: Person,
    device: Person,
    sender: Sender,
) -> None:
    card = stranger.guardian.card()
    made = patient.guardians.choose(account, [card], threshold=1)
    actions.submit(sender, actions.signed(made.action, patient.wallet.signer(account)))
    stranger.guardian.take(made.handouts[card.guardian].document())
    request = device.recovery.request(account)
    approvals = [each.guardian.approve(request) for each in (family[0], stranger)]
    with pytest.raises(InvalidInput, match="guardians of different times"):
        device.recovery.start(request, approvals)


def test_approval_is_refused_when_the_wallet_guards_no_such_account(
    chosen: ChosenGuardians, account: Address, stranger: Person, device: Person
) -> None:
    with pytest.raises(KeyMissing, match="take its handout in"):
        stranger.guardian.approve(device.recovery.request(account))


def test_approval_is_refused_when_the_request_is_over(
    chosen: ChosenGuardians,
    account: Address,
    family: list[Person],
    device: Person,
    chain: EmbeddedChain,
) -> None:
    request = device.recovery.request(account, lifetime=timedelta(hours=1))
    chain.advance(timedelta(hours=1, seconds=1))
    with pytest.raises(InvalidRequest, match="have it made anew"):
        family[0].guardian.approve(request)


def test_approval_is_refused_when_the_request_is_for_another_recovery(
    chosen: ChosenGuardians, account: Address, family: list[Person], device: Person
) -> None:
    request = replace(device.recovery.request(account), nonce=1)
    with pytest.raises(InvalidRequest, match=r"for recovery 1 of .*, the next one is 0"):
        family[0].guardian.approve(request)


def test_approval_is_refused_when_the_account_has_other_guardians_by_now(
    chosen: ChosenGuardians,
    account: Address,
    patient: Person,
    family: list[Person],
    stranger: Person,
    device: Person,
    sender: Sender,
    chain: EmbeddedChain,
) -> None:
    made = patient.guardians.choose(account, [stranger.guardian.card()], threshold=1)
    actions.submit(sender, actions.signed(made.action, patient.wallet.signer(account)))
    chain.advance(DELAY)
    with pytest.raises(CommitmentMismatch, match="has other guardians by now"):
        family[0].guardian.approve(device.recovery.request(account))


def test_completion_is_refused_when_no_recovery_is_under_way(
    account: Address, device: Person
) -> None:
    with pytest.raises(InvalidRequest, match=r"no recovery of .* is under way"):
        device.recovery.complete(account)
    with pytest.raises(InvalidRequest, match=r"no recovery of .* is under way"):
        device.recovery.wait(account, patience=timedelta())


# --- Stopping a recovery


def test_recovery_is_stopped_by_the_controller_and_one_guardian(
    chosen: ChosenGuardians,
    account: Address,
    patient: Person,
    family: list[Person],
    device: Person,
    contracts: Contracts,
    sender: Sender,
) -> None:
    started(account, device, family[:2], sender)
    objection = family[2].guardian.object_to(contracts.account_id(account))
    arrived = CancellationApproval.parse(document_bytes(objection.document()))
    receipt = actions.submit(sender, patient.guardians.cancel(arrived))
    assert [type(event) for event in receipt.events] == [events.RecoveryCancelled]
    assert patient.recovery.pending(account) is None
    assert controller(contracts, account) == account


def test_objection_is_refused_when_no_recovery_is_under_way(
    chosen: ChosenGuardians, account: Address, family: list[Person], contracts: Contracts
) -> None:
    with pytest.raises(InvalidRequest, match=r"no recovery of .* is under way"):
        family[0].guardian.object_to(contracts.account_id(account))


def test_cancellation_is_refused_when_the_guardian_did_not_sign_it(
    chosen: ChosenGuardians,
    account: Address,
    patient: Person,
    family: list[Person],
    device: Person,
    contracts: Contracts,
    sender: Sender,
) -> None:
    started(account, device, family[:2], sender)
    objection = family[2].guardian.object_to(contracts.account_id(account))
    forged = replace(objection, signature=LocalSigner.create().sign_text("no"))
    with pytest.raises(SignatureMismatch, match="did not sign"):
        patient.guardians.cancel(forged)


def test_cancellation_is_refused_when_the_account_is_not_of_this_wallet(
    chosen: ChosenGuardians,
    account: Address,
    family: list[Person],
    device: Person,
    stranger: Person,
    contracts: Contracts,
    sender: Sender,
) -> None:
    started(account, device, family[:2], sender)
    objection = family[2].guardian.object_to(contracts.account_id(account))
    with pytest.raises(KeyMissing, match=f"no key of {account}"):
        stranger.guardians.cancel(objection)
