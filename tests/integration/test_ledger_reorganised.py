"""Reorganisations of a real node: whatever is replaced, the ledger says what the new chain says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from web3.types import Nonce, TxParams, Wei

from medaccord.chain import Network, actions
from medaccord.chain.events import ConsentRevoked
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower
from medaccord.ledger.depths import UNDO_BLOCKS
from medaccord.store import open_engine
from tests.integration import anvil
from tests.integration.anvil import NEEDS_ANVIL, Anvil
from tests.integration.conftest import Setting
from tests.integration.ledger_on_anvil import deployed, known, revoke_all, rows
from tests.integration.ledger_setting import Story

pytestmark = NEEDS_ANVIL


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil.running() as node:
        yield node


@pytest.fixture(scope="module")
def made(node: Anvil) -> Setting:
    setting = deployed(node)
    node.mine(UNDO_BLOCKS)
    return setting


@pytest.fixture
def story(made: Setting) -> Story:
    story = Story(made, LocalSigner.create())
    story.relate()
    story.grant()
    return story


def rebuilt(made: Setting, network: Network, folder: Path) -> list[dict[str, object]]:
    """What a ledger made from nothing says."""
    engine = open_engine(f"sqlite:///{folder / 'rebuilt.db'}")
    follower = Follower(network, made.contracts, engine)
    follower.sync()
    engine.dispose()
    return known(follower)


@pytest.mark.parametrize("depth", [1, 3, 60])
@pytest.mark.parametrize("confirmations", [0, 2])
def test_ledger_is_that_of_the_new_chain_when_blocks_are_replaced_by_empty_ones(
    node: Anvil,
    made: Setting,
    story: Story,
    engine: Engine,
    tmp_path: Path,
    depth: int,
    confirmations: int,
) -> None:
    network = node.network(confirmations=confirmations)
    follower = Follower(network, made.contracts, engine)
    follower.sync()
    before = rows(engine)
    node.mine(depth - 1)
    story.do(story.revocation(), story.patient)
    follower.sync()
    assert len(rows(engine)) == len(before) + 1

    node.call("anvil_reorg", depth, [])
    tip = follower.sync()

    assert tip == network.head()
    assert rows(engine) == before
    assert known(follower) == rebuilt(made, network, tmp_path)
    assert known(Follower(network, made.contracts, engine)) == known(follower)


def test_ledger_is_made_anew_when_more_is_replaced_than_it_can_undo_in_memory(
    engine: Engine, tmp_path: Path
) -> None:
    # A node of its own: so far back, it has forgotten what our contracts hold.
    with anvil.running() as node:
        made = deployed(node)
        follower = Follower(made.network, made.contracts, engine)
        node.mine(10)
        follower.sync()
        before = rows(engine)
        revoke_all(made)
        node.mine(UNDO_BLOCKS + 40)
        follower.sync()
        assert len(rows(engine)) == len(before) + 1
        node.call("anvil_reorg", UNDO_BLOCKS + 41, [])
        assert follower.sync() == made.network.head()
        assert rows(engine) == before
        assert known(follower) == rebuilt(made, made.network, tmp_path)


def test_ledger_has_the_transactions_that_took_the_place_of_others(
    node: Anvil, made: Setting, story: Story, engine: Engine, tmp_path: Path
) -> None:
    follower = Follower(made.network, made.contracts, engine)
    payer = node.funded_signer()
    revoke_all(made, 2)
    follower.sync()
    before = rows(engine)
    # Three blocks are replaced: the first new one has a revocation that was not there before.
    revoke_all(made, 3)
    follower.sync()
    revocation = actions.signed(story.revocation(), story.patient)
    raw = raw_transaction(made, revocation, payer)
    node.call("anvil_reorg", 3, [[raw, 0]])

    assert follower.sync() == made.network.head()
    added = rows(engine)[len(before) :]
    assert rows(engine)[: len(before)] == before
    assert [row[3] for row in added] == [ConsentRevoked.__name__]
    with follower.views() as views:
        consent = views.newest.consents.get((story.patient.address, story.consent_id))
    assert consent is not None
    assert consent.revoked is not None
    assert known(follower) == rebuilt(made, made.network, tmp_path)


def raw_transaction(made: Setting, signed: actions.SignedAction, payer: LocalSigner) -> str:
    """The transaction that carries a signed action, not yet sent."""
    call = signed.invocation.bind(made.network.web3)
    fixed: TxParams = {
        "from": payer.address,
        "nonce": Nonce(0),
        "gas": 500_000,
        "maxFeePerGas": Wei(10**12),
        "maxPriorityFeePerGas": Wei(10**9),
        "chainId": anvil.CHAIN_ID,
    }
    transaction = call.build_transaction(fixed)
    return "0x" + payer.sign_transaction(dict(transaction)).hex()


def test_ledger_keeps_what_it_knows_while_the_new_branch_cannot_be_read(
    node: Anvil, made: Setting, story: Story, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(made.network, made.contracts, engine)
    story.do(story.revocation(), story.patient)
    follower.sync()
    before = known(follower), rows(engine)
    node.call("anvil_reorg", 1, [])
    with monkeypatch.context() as patch:
        # The node's answers grow too long to be read: one way of many to fail after the head came.
        patch.setattr("medaccord.chain.http_node._MOST_BYTES", 3_000)
        with pytest.raises(Exception, match="an answer of more than 3,000 bytes"):
            follower.sync()
    assert (known(follower), rows(engine)) == before
    follower.sync()
    assert rows(engine) == before[1][:-1]


def test_ledgers_of_two_processes_agree_when_the_other_one_undid_blocks(
    node: Anvil, made: Setting, story: Story, engine: Engine
) -> None:
    first = Follower(made.network, made.contracts, engine)
    second = Follower(made.network, made.contracts, engine)
    story.do(story.revocation(), story.patient)
    first.sync()
    second.sync()
    node.call("anvil_reorg", 1, [])
    revoke_all(made)
    first.sync()
    second.sync()
    assert known(first) == known(second)
    assert known(Follower(made.network, made.contracts, engine)) == known(first)
