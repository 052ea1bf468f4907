"""Which keys act for an account: delegates named and removed, guardians, a new controller."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from medaccord.chain import Power, Sender, actions, reverts
from medaccord.chain.events import ControllerRotated, GuardiansSet, RecoveryCancelled
from medaccord.client import Delegate, Patient, RunningRecovery
from medaccord.client.guardian_documents import RecoveryRequest
from medaccord.client.guardians import ChosenGuardians, Guardian, Guardians
from medaccord.client.recovering import AccountRecovery
from medaccord.core.errors import AccessRefused, InvalidRequest
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner, Passphrase, Wallet
from tests.integration.client.conftest import Visit, World

PASSPHRASE = Passphrase(b"a passphrase")
CHEAP = 2**4
DAY = timedelta(days=1)


@pytest.fixture
def carer() -> LocalSigner:
    """A key the patient trusts."""
    return LocalSigner.create()


@pytest.fixture
def wallet(world: World, patient: Patient, tmp_path: Path) -> Wallet:
    """The patient's, which has the key of the account."""
    made = Wallet.create(tmp_path / "wallet", PASSPHRASE, cost=CHEAP)
    made.import_account(world.patient)
    return made


@pytest.fixture
def guardian(stage: Stage, tmp_path: Path) -> Guardian:
    """Somebody who helps when a key is lost."""
    return Guardian(Wallet.create(tmp_path / "guardian", PASSPHRASE, cost=CHEAP), stage.contracts)


@pytest.fixture
def chosen(patient: Patient, wallet: Wallet, guardian: Guardian, stage: Stage) -> ChosenGuardians:
    """That guardian, not named on the chain yet."""
    guardians = Guardians(wallet, stage.contracts)
    return guardians.choose(patient.account, [guardian.card()], threshold=1)


def test_delegates_are_those_who_may_act_now(
    patient: Patient, carer: LocalSigner, stranger: LocalSigner, stage: Stage
) -> None:
    now = stage.network.clock().replace(microsecond=0)
    for key, span in ((stranger, DAY), (carer, 2 * DAY)):
        patient.delegates.add(key.address, Power.READ, until=now + span)
    patient.delegates.add(carer.address, Power.READ | Power.GRANT, until=now + 3 * DAY)
    later = Delegate(key=carer.address, powers=Power.READ | Power.GRANT, until=now + 3 * DAY)
    assert [each.key for each in patient.delegates.list()] == [stranger.address, carer.address]
    assert patient.delegates.list()[1] == later
    stage.chain.advance(DAY)  # the end is excluded
    assert patient.delegates.list() == (later,)
    patient.delegates.remove(carer.address)
    assert patient.delegates.list() == ()


def test_delegates_are_none_when_everything_was_revoked(
    patient: Patient, carer: LocalSigner, stage: Stage
) -> None:
    patient.delegates.add(carer.address, Power.READ, until=stage.network.clock() + DAY)
    patient.consents.revoke_all()
    assert patient.delegates.list() == ()


def test_account_is_its_own_controller_until_it_is_handed_over(
    patient: Patient, visit: Visit, carer: LocalSigner
) -> None:
    state = patient.recovery.state()
    assert (state.controller, state.guardians, state.running) == (patient.account, None, None)
    rotated = patient.recovery.rotate(carer.address).event(ControllerRotated)
    assert rotated.new_controller == carer.address
    assert patient.recovery.state().controller == carer.address
    with pytest.raises(AccessRefused) as refused:
        patient.inbox.list()
    assert refused.value.reason is Refusal.NOT_SIGNED_IN
    acting: Patient = visit(Patient, carer, patient.account)
    assert list(acting.records.search("Condition"))


def test_guardians_are_in_force_at_once_when_there_were_none(
    patient: Patient, chosen: ChosenGuardians
) -> None:
    named = patient.recovery.protect(chosen).event(GuardiansSet)
    state = patient.recovery.state()
    assert state.guardians == named.commitment == chosen.circle.commitment
    assert (state.next_guardians, state.next_from) == (None, None)


def test_guardians_are_in_force_after_the_delay_when_there_were_others(
    patient: Patient,
    chosen: ChosenGuardians,
    wallet: Wallet,
    guardian: Guardian,
    stage: Stage,
) -> None:
    patient.recovery.protect(chosen)
    others = Guardians(wallet, stage.contracts)
    second = others.choose(patient.account, [guardian.card()], threshold=1)
    mined = patient.recovery.protect(second).block
    assert mined is not None
    state = patient.recovery.state()
    assert (state.guardians, state.next_guardians) == (
        chosen.circle.commitment,
        second.circle.commitment,
    )
    assert state.next_from == mined.timestamp + timedelta(days=7)


def test_guardians_are_refused_when_they_were_chosen_for_another_account(
    patient: Patient, wallet: Wallet, guardian: Guardian, stage: Stage
) -> None:
    other = wallet.new_account().account
    guardians = Guardians(wallet, stage.contracts)
    chosen = guardians.choose(other, [guardian.card()], threshold=1)
    with pytest.raises(InvalidRequest, match=f"were chosen for {other}: choose some for"):
        patient.recovery.protect(chosen)


def test_guardians_are_refused_when_they_were_named_before(
    patient: Patient, chosen: ChosenGuardians
) -> None:
    patient.recovery.protect(chosen)
    with pytest.raises(reverts.Reverted):
        patient.recovery.protect(chosen)


@pytest.fixture
def thief(stage: Stage, tmp_path: Path) -> AccountRecovery:
    """Somebody who talks the guardian over."""
    return AccountRecovery(
        Wallet.create(tmp_path / "thief", PASSPHRASE, cost=CHEAP), stage.contracts
    )


@pytest.fixture
def asked(
    patient: Patient,
    chosen: ChosenGuardians,
    guardian: Guardian,
    thief: AccountRecovery,
    stage: Stage,
) -> RecoveryRequest:
    """The guardian hands the account to a thief, who has started a recovery."""
    patient.recovery.protect(chosen)
    for handout in chosen.sealed.values():
        guardian.take(handout.document())
    request = thief.request(patient.account)
    actions.submit(stage.a.sender, thief.start(request, [guardian.approve(request)]))
    return request


def test_recovery_that_runs_is_seen_with_its_key_and_when_it_is_ready(
    patient: Patient, chosen: ChosenGuardians, asked: RecoveryRequest, stage: Stage
) -> None:
    state = patient.recovery.state()
    assert (state.guardians, state.controller) == (chosen.circle.commitment, patient.account)
    assert state.running == RunningRecovery(
        account=patient.account,
        new_controller=asked.new_controller,
        nonce=0,
        ready_at=stage.network.head().timestamp + timedelta(days=7),
    )


def test_one_recovery_is_seen_by_patient_and_by_whoever_asked_for_it(
    patient: Patient, thief: AccountRecovery, asked: RecoveryRequest
) -> None:
    assert patient.recovery.state().running == thief.pending(patient.account)


@pytest.mark.usefixtures("asked")
def test_rotation_is_refused_while_a_recovery_runs(patient: Patient, carer: LocalSigner) -> None:
    with pytest.raises(reverts.Reverted):
        patient.recovery.rotate(carer.address)


@pytest.mark.usefixtures("asked")
def test_recovery_is_cancelled_by_the_controller_and_one_guardian(
    world: World, patient: Patient, hospital: Hospital, guardian: Guardian, stage: Stage
) -> None:
    objection = guardian.object_to(stage.contracts.account_id(patient.account))
    with pytest.raises(InvalidRequest, match="name a sender that pays for it"):
        patient.recovery.cancel(objection)
    payer = Sender(stage.network, stage.chain.funded_signer())
    with Patient(world.patient, stage.contracts, hospital.url, sender=payer) as paying:
        done = paying.recovery.cancel(objection)
        assert done.event(RecoveryCancelled).guardian == objection.place.guardian
        assert paying.recovery.state().running is None


@pytest.mark.usefixtures("asked")
def test_objection_is_refused_when_it_is_to_a_recovery_of_another_account(
    patient: Patient, guardian: Guardian, neighbour: Patient, stage: Stage
) -> None:
    objection = guardian.object_to(stage.contracts.account_id(patient.account))
    with pytest.raises(InvalidRequest, match=f"not of {neighbour.account}"):
        neighbour.recovery.cancel(objection)
