"""Permits count once they are final, restrictions from first sight; and how fresh all that is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from medaccord.chain import Power, actions
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import digest
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from medaccord.ledger import Ledger
from tests.integration.conftest import Setting
from tests.integration.ledger_setting import Story


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


@pytest.fixture
def story(setting: Setting, patient: LocalSigner) -> Story:
    story = Story(setting, patient)
    story.relate()
    story.grant()
    return story


# --- Finality ---


@pytest.fixture
def patient_ledger(setting: Setting, engine: Engine) -> Ledger:
    """A ledger to which two blocks on top make a block final."""
    return Ledger(setting.chain.network(confirmations=2), setting.contracts, engine)


def test_grant_counts_once_it_is_final(
    setting: Setting, patient_ledger: Ledger, story: Story
) -> None:
    counted = []
    for _ in range(3):
        patient_ledger.sync()
        counted.append(story.facts(patient_ledger).consents[0][0].granted)
        setting.chain.mine()
    assert counted == [False, False, True]


def test_revocation_counts_from_first_sight(
    setting: Setting, patient_ledger: Ledger, story: Story
) -> None:
    setting.chain.mine(2)
    patient_ledger.sync()
    assert not story.facts(patient_ledger).consents[0][0].revoked
    story.do(story.revocation(), story.patient)
    patient_ledger.sync()
    consent = story.facts(patient_ledger).consents[0][0]
    assert (consent.granted, consent.revoked) == (True, True)


def test_revoke_all_counts_from_first_sight(
    setting: Setting, patient_ledger: Ledger, story: Story
) -> None:
    setting.chain.mine(2)
    revoke_all = actions.revoke_all(setting.contracts, account=story.patient.address)
    story.do(revoke_all, story.patient)
    patient_ledger.sync()
    assert not story.facts(patient_ledger).consents[0][0].epoch_current


def test_relationship_counts_once_final_and_its_end_from_first_sight(
    setting: Setting, patient_ledger: Ledger, patient: LocalSigner
) -> None:
    story = Story(setting, patient)
    story.relate()
    patient_ledger.sync()
    assert not story.facts(patient_ledger).relationship_active
    setting.chain.mine(2)
    patient_ledger.sync()
    assert story.facts(patient_ledger).relationship_active
    ending = actions.end(
        setting.contracts,
        patient=patient.address,
        steward=story.steward.address,
        account=patient.address,
    )
    story.do(ending, patient)
    patient_ledger.sync()
    assert not story.facts(patient_ledger).relationship_active


def test_emergency_counts_once_final_and_its_closing_from_first_sight(
    setting: Setting, patient_ledger: Ledger, story: Story
) -> None:
    story.open_emergency()
    seen = []
    for _ in range(3):
        patient_ledger.sync()
        emergency = story.facts(patient_ledger).emergency
        assert emergency is not None
        seen.append(emergency.open)
        setting.chain.mine()
    closing = actions.close_emergency(
        setting.contracts, patient=story.patient.address, grantee=story.clinician.address
    )
    story.do(closing, story.patient)
    patient_ledger.sync()
    closed = story.facts(patient_ledger).emergency
    assert closed is not None
    assert [*seen, closed.open] == [False, False, True, False]


def test_suspension_counts_from_first_sight(
    setting: Setting, patient_ledger: Ledger, story: Story
) -> None:
    setting.chain.mine(2)
    vote(setting, actions.Kind.SUSPEND)
    patient_ledger.sync()
    suspended = story.facts(patient_ledger).requester_state
    assert suspended is not None
    assert (suspended.admitted, suspended.active) == (True, False)
    setting.chain.mine(2)
    vote(setting, actions.Kind.REINSTATE)
    patient_ledger.sync()
    reinstated = story.facts(patient_ledger).requester_state
    assert reinstated is not None
    assert not reinstated.active
    setting.chain.mine(2)
    patient_ledger.sync()
    final = story.facts(patient_ledger).requester_state
    assert final is not None
    assert final.active


def vote(setting: Setting, kind: actions.Kind) -> None:
    """Let the only member decide on the clinic."""
    contracts, hospital = setting.contracts, setting.hospital
    motion = actions.Motion(
        kind=kind,
        account=setting.clinician.address,
        deadline=setting.network.clock() + timedelta(hours=1),
    )
    approval = actions.approve(contracts, motion=motion, member=hospital.address)
    actions.submit(setting.sender, actions.signed(approval, hospital))
    execution = actions.execute(contracts, motion=motion, approvers=[hospital.address])
    actions.submit(setting.sender, execution)


def test_delegate_reads_once_final_and_restricts_from_first_sight(
    setting: Setting, patient_ledger: Ledger, story: Story, stranger: LocalSigner
) -> None:
    delegation = actions.delegate(
        setting.contracts,
        account=story.patient.address,
        delegate=stranger.address,
        powers=Power.READ | Power.RESTRICT,
        until=setting.network.clock() + timedelta(days=1),
    )
    story.do(delegation, story.patient)

    def may(power: Power) -> bool:
        return patient_ledger.is_authorised(
            story.patient.address, stranger.address, power, now=setting.network.clock()
        )

    patient_ledger.sync()
    assert (may(Power.READ), may(Power.RESTRICT)) == (False, True)
    setting.chain.mine(2)
    patient_ledger.sync()
    assert (may(Power.READ), may(Power.RESTRICT), may(Power.GRANT)) == (True, True, False)
    setting.chain.advance(timedelta(days=1))
    assert (may(Power.READ), may(Power.RESTRICT)) == (False, False)


def test_anchor_counts_once_it_is_final(setting: Setting, patient_ledger: Ledger) -> None:
    topic, root = digest(b"\x44" * 32), digest(b"\x66" * 32)
    account = setting.hospital.address
    append = actions.append(setting.contracts, account=account, topic=topic, root=root)
    actions.submit(setting.sender, actions.signed(append, setting.hospital))
    patient_ledger.sync()
    assert patient_ledger.anchor_of(account, topic, root) is None
    assert patient_ledger.head_of(account, topic) == patient_ledger.anchors(account, topic)[0].head
    setting.chain.mine(2)
    patient_ledger.sync()
    found = patient_ledger.anchor_of(account, topic, root)
    assert (found,) == patient_ledger.anchors(account, topic)


# --- Freshness ---


def test_facts_are_refused_when_the_node_never_answered_since_the_start(
    setting: Setting, engine: Engine, story: Story
) -> None:
    Ledger(setting.network, setting.contracts, engine).sync()
    restarted = Ledger(setting.network, setting.contracts, engine)
    with pytest.raises(AccessRefused) as caught:
        story.facts(restarted)
    assert caught.value.reason is Refusal.CHAIN_UNREACHABLE


def test_freshness_names_the_block_followed_to_and_when_the_node_answered(
    setting: Setting, ledger: Ledger, story: Story
) -> None:
    ledger.sync()
    freshness = story.facts(ledger).freshness
    assert freshness.head == setting.network.head()
    assert (freshness.behind, freshness.age_counts) == (0, False)
    assert freshness.answered_at == setting.network.clock()


def test_freshness_grows_old_when_the_node_is_not_asked(
    setting: Setting, ledger: Ledger, story: Story
) -> None:
    ledger.sync()
    answered_at = setting.network.clock()
    setting.chain.advance(timedelta(minutes=5))
    assert story.facts(ledger).freshness.answered_at == answered_at
    ledger.refresh(older_than=timedelta(minutes=10))
    assert story.facts(ledger).freshness.answered_at == answered_at
    ledger.refresh(older_than=timedelta(minutes=5))
    assert story.facts(ledger).freshness.answered_at == setting.network.clock()
