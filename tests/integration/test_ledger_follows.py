"""The ledger resumes, is shared, and undoes what a reorganisation took back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, event

from medaccord.chain import actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import DeploymentMismatch, TransportError
from medaccord.core.identifiers import Digest, digest
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower, Ledger, Projection
from medaccord.store import open_engine
from medaccord.store.tables import ledger_event
from tests.integration.conftest import Setting
from tests.integration.ledger_setting import Story, count_events, everything


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


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


def test_follower_leaves_its_branch_when_another_process_took_it_back_for_a_shorter_one(
    setting: Setting, engine: Engine, story: Story
) -> None:
    first = Follower(setting.network, setting.contracts, engine)
    second = Follower(setting.network, setting.contracts, engine)
    fork = setting.chain.snapshot()
    story.grant()
    setting.chain.mine(3)
    first.sync()
    second.sync()
    setting.chain.revert(fork)
    story.do(story.revocation(), story.patient)
    first.sync()

    assert second.sync() == setting.network.head()
    assert revoked(second, story) == {story.consent_id}


def test_follower_mixes_no_branches_when_another_process_changes_them_as_it_catches_up(
    setting: Setting, engine: Engine, story: Story
) -> None:
    first = Follower(setting.network, setting.contracts, engine)
    fork = setting.chain.snapshot()
    setting.chain.mine()
    first.sync()
    second = Follower(setting.network, setting.contracts, engine)
    setting.chain.mine()
    first.sync()
    asked: list[str] = []

    @event.listens_for(engine, "after_cursor_execute")
    def reorganise(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if "WHERE ledger_block.number = " in statement and not asked:
            asked.append(statement)
            setting.chain.revert(fork)
            story.do(story.revocation(), story.patient)
            setting.chain.mine(3)
            first.sync()

    second.sync()
    assert asked
    assert second.sync() == setting.network.head()
    assert revoked(second, story) == {story.consent_id}


def test_follower_is_refused_when_the_database_is_of_another_chain(
    setting: Setting, engine: Engine
) -> None:
    Follower(setting.network, setting.contracts, engine)
    elsewhere = EmbeddedChain().network()
    with pytest.raises(DeploymentMismatch, match="the ledger of another chain or deployment"):
        Follower(elsewhere, setting.contracts, engine)


def test_nothing_is_known_when_what_a_node_told_does_not_add_up(
    setting: Setting, engine: Engine, story: Story
) -> None:
    Follower(setting.network, setting.contracts, engine).sync()
    with engine.begin() as connection:  # as if a node had forged the headers, and left them out
        connection.execute(
            delete(ledger_event).where(ledger_event.c.kind == "OrganisationAdmitted")
        )
    follower = Follower(setting.network, setting.contracts, engine)
    publication = actions.publish(
        setting.contracts,
        account=setting.hospital.address,
        key=digest(b"\x01" * 32),
        profile=digest(b"\x02" * 32),
    )
    story.do(publication, setting.hospital)
    story.do(story.revocation(), story.patient)

    for _ in range(2):
        with pytest.raises(TransportError, match=r"left out that 0x.* was admitted"):
            follower.sync()
        with follower.views() as known:
            assert known.tip is None
            assert state_of(follower) == everything(Projection())


# --- Reorganisation ---


@pytest.mark.parametrize("confirmations", [0, 2, 50])
def test_follower_undoes_to_the_common_ancestor_when_the_chain_was_reorganised(
    setting: Setting, engine: Engine, story: Story, confirmations: int, tmp_path: Path
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
    fresh = Follower(network, setting.contracts, open_engine(f"sqlite:///{tmp_path / 'fresh.db'}"))
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
