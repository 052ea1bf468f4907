"""Which append was the last of its stream, as of the block that an answer was decided at."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.chain import Contracts, actions, connect
from medaccord.chain.events import Anchored
from medaccord.client.evidence import MAX_AGE, ChainEvidence
from medaccord.core.anchors import Anchor
from medaccord.core.errors import ReceiptMismatch
from medaccord.core.identifiers import digest
from medaccord.demo.stage import Stage

TOPIC = digest(b"\x0a" * 32)
CONFIRMATIONS = 3


@pytest.fixture
def contracts(stage: Stage) -> Contracts:
    """Over a network on which a block is final once three are on top of it."""
    network = stage.chain.network(confirmations=CONFIRMATIONS)
    return connect(network, stage.deployment)


@pytest.fixture
def evidence(contracts: Contracts) -> ChainEvidence:
    return ChainEvidence(contracts)


def append(stage: Stage, number: int) -> Anchor:
    """Append a root to a stream of hospital A's."""
    action = actions.append(
        stage.contracts, account=stage.a.account, topic=TOPIC, root=digest(bytes([number]) * 32)
    )
    (event,) = actions.submit(stage.a.sender, action).events
    assert isinstance(event, Anchored)
    return Anchor(
        account=event.account,
        topic=event.topic,
        previous=event.previous,
        root=event.root,
        head=event.head,
        block_number=event.block.number,
        transaction=event.transaction,
    )


def test_append_is_not_the_newest_before_it_is_final(stage: Stage, evidence: ChainEvidence) -> None:
    first = append(stage, 1)
    stage.chain.mine(CONFIRMATIONS - 1)
    head = stage.network.head().number
    assert not evidence.is_newest(first, decided_at=head)
    stage.chain.mine(1)
    assert evidence.is_newest(first, decided_at=head + 1)


def test_append_stays_the_newest_until_the_next_is_final_where_the_answer_was_decided(
    stage: Stage, evidence: ChainEvidence
) -> None:
    first = append(stage, 1)
    stage.chain.mine(CONFIRMATIONS)
    second = append(stage, 2)
    stage.chain.mine(CONFIRMATIONS)
    final_at = second.block_number + CONFIRMATIONS
    assert stage.network.head().number == final_at
    assert evidence.is_newest(first, decided_at=final_at - 1)
    assert not evidence.is_newest(first, decided_at=final_at)
    assert evidence.is_newest(second, decided_at=final_at)


def test_append_counts_as_the_newest_when_it_became_final_after_the_answer(
    stage: Stage, evidence: ChainEvidence
) -> None:
    append(stage, 1)
    second = append(stage, 2)
    stage.chain.mine(CONFIRMATIONS)
    assert evidence.is_newest(second, decided_at=second.block_number)


def test_append_is_not_the_newest_when_the_chain_has_no_such(
    stage: Stage, evidence: ChainEvidence
) -> None:
    first = append(stage, 1)
    stage.chain.mine(CONFIRMATIONS)
    made_up = Anchor(
        account=first.account,
        topic=first.topic,
        previous=first.previous,
        root=digest(b"\x09" * 32),
        head=first.head,
        block_number=first.block_number,
        transaction=first.transaction,
    )
    assert not evidence.is_newest(made_up, decided_at=stage.network.head().number)


def test_block_is_taken_as_it_is_when_it_is_the_head_or_ours_is_behind(
    stage: Stage, evidence: ChainEvidence
) -> None:
    head = stage.network.head().number
    now = evidence.now()
    assert evidence.check_block(head, asked_at=now) == head
    assert evidence.check_block(head + 2, asked_at=now) == head


def test_block_is_refused_one_second_after_its_bound(stage: Stage, evidence: ChainEvidence) -> None:
    before = stage.network.head().number
    stage.chain.mine(1)
    until = stage.network.head().timestamp + MAX_AGE
    assert evidence.check_block(before, asked_at=until) == before
    with pytest.raises(ReceiptMismatch) as refused:
        evidence.check_block(before, asked_at=until + timedelta(seconds=1))
    assert str(refused.value) == (
        f"the answer was decided at block {before}, which was not the newest any more"
    )
