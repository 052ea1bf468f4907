"""Which keys act for an account: delegates named and removed, guardians, a new controller."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.chain import GuardianCircle, Power, Sender, actions, reverts
from medaccord.chain.events import ControllerRotated, GuardiansSet, RecoveryCancelled
from medaccord.client import Delegate, Patient
from medaccord.core.errors import AccessRefused, InvalidRequest
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Hospital, Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import Visit, World
from tests.integration.gatekeeper.desk import salt

DAY = timedelta(days=1)


@pytest.fixture
def carer() -> LocalSigner:
    """A key the patient trusts."""
    return LocalSigner.create()


@pytest.fixture
def guardian() -> LocalSigner:
    """Somebody who helps when a key is lost."""
    return LocalSigner.create()


@pytest.fixture
def circle(guardian: LocalSigner) -> GuardianCircle:
    return GuardianCircle(salts={guardian.address: salt()}, threshold=1)


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
    assert (state.controller, state.guardians, state.pending) == (patient.account, None, None)
    rotated = patient.recovery.rotate(carer.address).event(ControllerRotated)
    assert rotated.new_controller == carer.address
    assert patient.recovery.state().controller == carer.address
    with pytest.raises(AccessRefused) as refused:
        patient.inbox.list()
    assert refused.value.reason is Refusal.NOT_SIGNED_IN
    acting: Patient = visit(Patient, carer, patient.account)
    assert list(acting.records.search("Condition"))


def test_guardians_are_in_force_once_the_delay_is_over(
    patient: Patient, circle: GuardianCircle, stage: Stage
) -> None:
    named = patient.recovery.protect(circle).event(GuardiansSet)
    state = patient.recovery.state()
    assert circle.commitment in (state.guardians, state.next_guardians)
    assert named.commitment == circle.commitment


@pytest.fixture
def recovering(
    patient: Patient,
    circle: GuardianCircle,
    guardian: LocalSigner,
    stranger: LocalSigner,
    stage: Stage,
) -> None:
    """The guardian hands the account to a stranger."""
    patient.recovery.protect(circle)
    stage.chain.advance(timedelta(days=7, seconds=1))
    deadline = stage.network.clock() + timedelta(hours=1)
    approval = actions.recovery_approval(
        stage.contracts,
        account=patient.account,
        guardian=guardian.address,
        new_controller=stranger.address,
        deadline=deadline,
    )
    started = actions.start_recovery(
        stage.contracts,
        account=patient.account,
        new_controller=stranger.address,
        deadline=deadline,
        circle=circle,
        approvals=[circle.approval(guardian.address, guardian.sign(approval))],
    )
    actions.submit(stage.a.sender, started)


@pytest.mark.usefixtures("recovering")
def test_recovery_that_runs_is_seen_with_its_key_and_when_it_is_ready(
    patient: Patient, circle: GuardianCircle, stranger: LocalSigner, stage: Stage
) -> None:
    state = patient.recovery.state()
    assert state.pending is not None
    assert (state.guardians, state.controller) == (circle.commitment, patient.account)
    assert state.pending.new_controller == stranger.address
    assert state.pending.ready_at == stage.network.head().timestamp + timedelta(days=7)


@pytest.mark.usefixtures("recovering")
def test_rotation_is_refused_while_a_recovery_runs(patient: Patient, carer: LocalSigner) -> None:
    with pytest.raises(reverts.Reverted):
        patient.recovery.rotate(carer.address)


@pytest.mark.usefixtures("recovering")
def test_recovery_is_cancelled_by_the_controller_and_one_guardian(
    world: World,
    patient: Patient,
    hospital: Hospital,
    circle: GuardianCircle,
    guardian: LocalSigner,
    stage: Stage,
) -> None:
    message = actions.cancellation(
        stage.contracts, account=patient.account, guardian=guardian.address
    )
    approval = circle.approval(guardian.address, guardian.sign(message))
    with pytest.raises(InvalidRequest, match="name a sender that pays for it"):
        patient.recovery.cancel(circle, approval)
    payer = Sender(stage.network, stage.chain.funded_signer())
    with Patient(world.patient, stage.contracts, hospital.url, sender=payer) as paying:
        done = paying.recovery.cancel(circle, approval)
        assert done.event(RecoveryCancelled).guardian == guardian.address
        assert paying.recovery.state().pending is None
