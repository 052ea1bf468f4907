"""The ledger says what the contracts say, whatever happened on the way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from medaccord.chain import Power, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.events import OrganisationAdmitted
from medaccord.core.errors import AccessRefused, DeploymentMismatch
from medaccord.core.identifiers import Digest, digest
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower, Ledger, Projection
from medaccord.ledger.projection import APPLIED
from medaccord.store import open_engine
from tests.integration.conftest import Setting
from tests.integration.ledger_setting import Story, count_events, everything
from tests.integration.random_history import RandomHistory, compare


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


def test_projections_say_what_the_contracts_say_over_a_random_history(
    setting: Setting, engine: Engine
) -> None:
    network = setting.chain.network(confirmations=3)
    follower = Follower(network, setting.contracts, engine)
    world = RandomHistory(setting, random.Random(5))
    for _ in range(5):
        world.take(30)
        tip = follower.sync()
        with follower.views() as known:
            compare(world, known.newest, tip, sample=2)
            compare(world, known.final, network.block(tip.number - 3), sample=2)
    with follower.views() as known:
        compare(world, known.newest, tip, sample=12)
    assert sum(world.done.values()) >= 150
    assert world.done.keys() >= {kind.__name__ for kind in APPLIED - {OrganisationAdmitted}}


def state_of(follower: Follower) -> dict[str, object]:
    with follower.views() as known:
        return everything(known.newest)


@pytest.fixture
def story(setting: Setting, patient: LocalSigner) -> Story:
    story = Story(setting, patient)
    story.relate()
    story.grant()
    return story


# --- Restart ---


def test_follower_resumes_without_doubling_when_restarted(
    setting: Setting, engine: Engine, story: Story
) -> None:
    Follower(setting.network, setting.contracts, engine).sync()
    counted = count_events(engine)
    again = Follower(setting.network, setting.contracts, engine)
    before = state_of(again)

    again.sync()
    assert count_events(engine) == counted
    assert state_of(again) == before
    story.do(story.revocation(), story.patient)
    again.sync()

    assert count_events(engine) == counted + 1
    third = Follower(setting.network, setting.contracts, engine)
    assert state_of(third) == state_of(again) != before


def test_rebuilt_ledger_is_the_same_as_the_one_followed(
    setting: Setting, engine: Engine, story: Story
) -> None:
    follower = Follower(setting.network, setting.contracts, engine)
    follower.sync()
    story.open_emergency()
    follower.sync()
    followed, counted = state_of(follower), count_events(engine)

    follower.rebuild()

    assert state_of(follower) == followed
    assert count_events(engine) == counted


def test_sync_leaves_nothing_half_done_when_the_process_dies_before_the_commit(
    setting: Setting, engine: Engine, story: Story
) -> None:
    follower = Follower(setting.network, setting.contracts, engine)

    def die(connection: Connection) -> None:
        raise KeyboardInterrupt

    event.listen(engine, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        follower.sync()
    event.remove(engine, "commit", die)

    assert count_events(engine) == 0
    assert state_of(follower) == everything(Projection())
    follower.sync()
    assert state_of(follower)["relationships"] != {}


def test_two_followers_share_a_database_when_they_take_turns(
    setting: Setting, engine: Engine, story: Story
) -> None:
    first = Follower(setting.network, setting.contracts, engine)
    second = Follower(setting.network, setting.contracts, engine)
    for follower in (first, second, first):
        story.grant()
        follower.sync()
    second.sync()
    assert state_of(first) == state_of(second)
    assert state_of(second) == state_of(Follower(setting.network, setting.contracts, engine))


def test_follower_is_refused_when_the_database_is_of_another_chain(
    setting: Setting, engine: Engine
) -> None:
    Follower(setting.network, setting.contracts, engine)
    elsewhere = EmbeddedChain().network()
    with pytest.raises(DeploymentMismatch, match="the ledger of another chain or deployment"):
        Follower(elsewhere, setting.contracts, engine)


# --- Reorganisation ---


@pytest.mark.parametrize("confirmations", [0, 2, 50])
def test_follower_undoes_to_the_common_ancestor_when_the_chain_was_reorganised(
    setting: Setting, engine: Engine, story: Story, confirmations: int
) -> None:
    network = setting.chain.network(confirmations=confirmations)
    follower = Follower(network, setting.contracts, engine)
    fork = setting.chain.snapshot()
    story.do(story.revocation(), story.patient)
    story.open_emergency()
    follower.sync()
    assert story.consent_id in revoked(follower, story)

    setting.chain.revert(fork)
    setting.chain.mine()
    story.grant()
    story.grant()
    setting.chain.mine(60)
    tip = follower.sync()

    assert tip == network.head()
    assert revoked(follower, story) == set()
    fresh = Follower(network, setting.contracts, open_engine(f"{engine.url}-fresh"))
    fresh.sync()
    for follower_state, fresh_state in zip(both(follower), both(fresh), strict=True):
        assert follower_state == fresh_state
    restarted = Follower(network, setting.contracts, engine)
    assert both(restarted) == both(fresh)


def test_follower_undoes_when_the_new_chain_is_no_longer_than_the_old(
    setting: Setting, engine: Engine, story: Story
) -> None:
    follower = Follower(setting.network, setting.contracts, engine)
    fork = setting.chain.snapshot()
    story.do(story.revocation(), story.patient)
    follower.sync()
    setting.chain.revert(fork)
    story.open_emergency()
    assert follower.sync() == setting.network.head()
    assert revoked(follower, story) == set()


def test_follower_makes_its_state_anew_when_it_must_undo_more_than_it_remembers(
    setting: Setting, engine: Engine, story: Story
) -> None:
    follower = Follower(setting.network, setting.contracts, engine)
    fork = setting.chain.snapshot()
    story.do(story.revocation(), story.patient)
    setting.chain.mine(200)
    follower.sync()
    setting.chain.revert(fork)
    setting.chain.mine(201)
    setting.chain.mine(2)
    assert follower.sync() == setting.network.head()
    assert revoked(follower, story) == set()


def test_follower_takes_nothing_back_when_the_node_knows_less_of_the_same_chain(
    setting: Setting, ledger: Ledger, story: Story
) -> None:
    behind = setting.chain.snapshot()
    story.do(story.revocation(), story.patient)
    tip = ledger.sync()
    setting.chain.revert(behind)

    assert ledger.sync() == tip
    assert story.facts(ledger).consents[0][0].revoked
    assert ledger.freshness().behind == 1


def revoked(follower: Follower, story: Story) -> set[Digest]:
    with follower.views() as known:
        ids = known.newest.consents_by_patient.get(story.patient.address)
        consents = [known.newest.consents.get((story.patient.address, each)) for each in ids]
        return {each.consent_id for each in consents if each is not None and each.revoked}


def both(follower: Follower) -> list[dict[str, object]]:
    with follower.views() as known:
        return [everything(known.newest), everything(known.final)]


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
