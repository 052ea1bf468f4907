"""Relaying while guardians recover an account: its new device can restrict, and nothing more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medaccord.chain import Contracts, GuardianCircle, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper import recovering
from tests.integration.gatekeeper.desk import Desk, assert_refused

LABORATORY = "patient/Observation.rs?category=laboratory"


@pytest.fixture
def sister() -> LocalSigner:
    """The patient's only guardian."""
    return LocalSigner.create()


@pytest.fixture
def circle(sister: LocalSigner) -> GuardianCircle:
    return recovering.circle_of(sister)


@pytest.fixture
def new_device() -> LocalSigner:
    """The key that the sister hands the patient's account to."""
    return LocalSigner.create()


@pytest.fixture
def start_recovery(
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    sister: LocalSigner,
    new_device: LocalSigner,
) -> Callable[[], None]:
    """Has the sister start to hand the patient's account to the new device."""

    def start() -> None:
        recovering.start_recovery(
            contracts, sender, patient, guardian=sister, new_controller=new_device
        )

    return start


def test_revocation_by_the_new_device_is_obeyed_before_it_is_mined_when_a_recovery_is_pending(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
    new_device: LocalSigner,
    start_recovery: Callable[[], None],
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    start_recovery()
    assert desk.get("Observation", headers, patient).status_code == 200
    action = actions.revoke(
        contracts, patient=patient.address, consent_id=consent, by=new_device.address
    )
    with chain.mining_paused():
        answer = desk.relay(action, new_device, wait=False)
        assert (answer.status_code, answer.json()["obeyed"]) == (202, True)
        assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)
    assert contracts.call("Consents", "isActive", patient.address, consent) is False


def test_revoke_all_by_the_new_device_is_obeyed_before_it_is_mined_when_a_recovery_is_pending(
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
    new_device: LocalSigner,
    start_recovery: Callable[[], None],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician)
    start_recovery()
    action = actions.revoke_all(contracts, account=patient.address, by=new_device.address)
    with chain.mining_paused():
        assert desk.relay(action, new_device, wait=False).status_code == 202
        answer = desk.get("Observation", headers, patient)
        assert_refused(answer, 403, Refusal.CONSENT_EPOCH_ENDED)


def test_revocation_by_the_new_device_is_refused_when_the_recovery_was_cancelled(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
    circle: GuardianCircle,
    sister: LocalSigner,
    new_device: LocalSigner,
    start_recovery: Callable[[], None],
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    start_recovery()
    cancellation = actions.cancellation(contracts, account=patient.address, guardian=sister.address)
    cancel = actions.cancel_recovery(
        contracts,
        account=patient.address,
        circle=circle,
        approval=circle.approval(sister.address, sister.sign(cancellation)),
    )
    actions.submit(sender, actions.signed(cancel, patient))
    action = actions.revoke(
        contracts, patient=patient.address, consent_id=consent, by=new_device.address
    )
    assert_refused(desk.relay(action, new_device), 422, "NotAuthorised")
    assert gatekeeper.ledger.held() == ()
    headers = desk.sign_in(clinician)
    assert desk.get("Observation", headers, patient).status_code == 200


def test_ban_is_neither_sent_nor_obeyed_when_its_serial_would_never_end(
    desk: Desk, gatekeeper: Gatekeeper, contracts: Contracts, patient: LocalSigner
) -> None:
    action = actions.forbid_emergency(contracts, patient=patient.address, serial=2**64 - 1)
    assert_refused(desk.relay(action, patient), 400, "InvalidRequest")
    assert gatekeeper.ledger.held() == ()
    assert contracts.call("Consents", "emergencyBanOf", patient.address) == [0, False]
