"""Several processes on one database obey as one; and what a ledger says of blocks it is asked for.

A process is one Ledger object here: two share nothing but the database and the chain.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from medaccord.chain import Power, actions
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.identifiers import digest
from medaccord.keys import LocalSigner
from medaccord.ledger import Ledger
from tests.integration.conftest import Setting
from tests.integration.ledger_setting import Story, restriction


@pytest.fixture
def story(setting: Setting, patient: LocalSigner) -> Story:
    story = Story(setting, patient)
    story.relate()
    story.grant()
    return story


@pytest.fixture
def ledger(setting: Setting, engine: Engine) -> Ledger:
    return Ledger(setting.network, setting.contracts, engine)


@pytest.fixture
def other(setting: Setting, engine: Engine) -> Ledger:
    """Of another process on the same database."""
    return Ledger(setting.network, setting.contracts, engine)


def is_revoked(story: Story, ledger: Ledger) -> bool:
    ((consent, _),) = story.facts(ledger).consents
    return consent.revoked


# --- What one process is handed, all obey ---


def test_revocation_handed_to_one_process_is_obeyed_by_another_without_a_sync(
    story: Story, ledger: Ledger, other: Ledger
) -> None:
    other.sync()
    assert not is_revoked(story, other)
    ledger.hold(restriction(story.revocation(), story.patient))
    assert is_revoked(story, other)


def test_revoke_all_handed_to_one_process_ends_delegates_at_another_without_a_sync(
    story: Story, ledger: Ledger, other: Ledger, stranger: LocalSigner
) -> None:
    contracts, patient = story.setting.contracts, story.patient
    now = story.setting.network.clock()
    delegation = actions.delegate(
        contracts,
        account=patient.address,
        delegate=stranger.address,
        powers=Power.READ,
        until=now + timedelta(days=1),
    )
    story.do(delegation, patient)
    other.sync()
    query = (patient.address, stranger.address, Power.READ)
    assert other.is_authorised(*query, now=now)
    ledger.hold(restriction(actions.revoke_all(contracts, account=patient.address), patient))
    assert not other.is_authorised(*query, now=now)


def test_revocation_is_obeyed_by_a_process_that_does_not_know_its_block_yet(
    story: Story, ledger: Ledger, other: Ledger
) -> None:
    other.sync()
    ledger.hold(restriction(story.revocation(), story.patient))
    story.do(story.revocation(), story.patient)
    ledger.sync()
    assert ledger.held() == ()  # the chain shows it, to whom has asked
    assert is_revoked(story, other)  # and who has not obeys the hand-over
    other.sync()
    assert is_revoked(story, other)


def test_restriction_is_held_again_when_the_block_that_settled_it_is_taken_back(
    story: Story, engine: Engine
) -> None:
    chain = story.setting.chain
    ledger = Ledger(chain.network(confirmations=1), story.setting.contracts, engine)
    ledger.sync()
    held = restriction(story.revocation(), story.patient)
    ledger.hold(held)
    before = chain.snapshot()
    story.do(story.revocation(), story.patient)
    chain.mine()
    ledger.sync()
    assert ledger.held() == ()
    chain.revert(before)
    for _ in range(4):
        chain.mine()
    ledger.sync()
    assert is_revoked(story, ledger)
    assert ledger.held() == (held,)  # to be sent again


# --- Whether a block is known ---


def token(ledger: Ledger, number: int, hashed: bytes | None = None) -> ConsistencyToken:
    assert ledger.tip is not None
    hashed = ledger.tip.hash if hashed is None else hashed
    return ConsistencyToken(chain_id=ledger.tip.chain_id, number=number, hash=digest(hashed))


def test_block_is_known_when_it_is_the_one_followed_to(story: Story, ledger: Ledger) -> None:
    assert ledger.knows(ConsistencyToken.of(ledger.sync()))


def test_block_is_known_when_it_is_below(story: Story, ledger: Ledger) -> None:
    earlier = ConsistencyToken.of(ledger.sync())
    story.setting.chain.mine()
    ledger.sync()
    assert ledger.knows(earlier)


def test_block_is_unknown_when_it_is_still_to_come(story: Story, ledger: Ledger) -> None:
    assert not ledger.knows(token(ledger, ledger.sync().number + 1))


def test_block_is_unknown_when_the_branch_has_another_of_its_height(
    story: Story, ledger: Ledger
) -> None:
    tip = ledger.sync()
    assert not ledger.knows(token(ledger, tip.number, b"\x99" * 32))
    assert not ledger.knows(token(ledger, tip.number - 1, b"\x99" * 32))


def test_block_is_unknown_when_nothing_was_followed_yet(story: Story, ledger: Ledger) -> None:
    block = ConsistencyToken.of(story.setting.network.head())
    assert not ledger.knows(block)
