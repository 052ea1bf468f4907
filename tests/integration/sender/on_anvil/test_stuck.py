"""What a node does to transactions that were handed to it, and what becomes of them all the same.

The node is a real one, which forgets, refuses, waits and reorganises on command.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hexbytes import HexBytes

from medaccord.chain import Contracts, Sender, reverts
from medaccord.chain.outbox import MemoryOutbox
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import hex_digest
from medaccord.core.outgoing import Attempt, Outgoing
from tests.integration.anvil import NEEDS_ANVIL, Anvil
from tests.integration.sender.on_anvil.world import GWEI, World, world_on
from tests.integration.stream_calls import appended

pytestmark = NEEDS_ANVIL


@pytest.fixture
def world(node: Anvil, contracts: Contracts) -> Iterator[World]:
    with world_on(node, contracts) as world:
        yield world


def test_forgotten_transaction_goes_again_byte_for_byte(world: World) -> None:
    sender = world.sender()
    sent = sender.send(world.call(), wait=False)
    world.node.call("anvil_dropTransaction", hex_digest(sent.transaction))
    assert world.waiting() == 0
    assert sender.resume() == 1
    assert world.waiting() == 1
    world.node.mine()
    assert sent.wait().transaction == sent.transaction
    assert appended(world.contracts, world.signer.address) == {0: 1}


def test_forgotten_transaction_goes_before_the_next(world: World) -> None:
    sender = world.sender()
    first = sender.send(world.call(0), wait=False)
    world.node.call("anvil_dropTransaction", hex_digest(first.transaction))
    second = sender.send(world.call(1), wait=False)
    world.node.mine()
    assert world.transaction(first.wait().transaction)["nonce"] == 0
    assert world.transaction(second.wait().transaction)["nonce"] == 1


def test_transaction_goes_again_for_more_when_the_base_fee_rose(world: World) -> None:
    sender = world.sender()
    sent = sender.send(world.call(), wait=False)
    world.node.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    world.node.mine()  # which throws out what offers less
    assert sender.resume() == 1
    world.node.mine()
    receipt = sent.wait()
    assert receipt.transaction != sent.transaction
    mined = world.transaction(receipt.transaction)
    assert mined["nonce"] == 0
    assert mined["maxFeePerGas"] >= 50 * GWEI
    assert appended(world.contracts, world.signer.address) == {0: 1}


def let_another_pass(world: World) -> None:
    """Mine a block that has no room for two, with somebody's who pays more in it."""
    world.node.call("evm_setBlockGasLimit", hex(120_000))
    other = world.node.funded_signer()
    transaction = {
        "chainId": world.contracts.network.chain_id,
        "nonce": 0,
        "to": other.address,
        "value": 0,
        "gas": 100_000,
        "data": "0x" + "11" * 4000,
        "maxFeePerGas": 100 * GWEI,
        "maxPriorityFeePerGas": 50 * GWEI,
    }
    raw = other.sign_transaction(transaction)
    world.contracts.network.web3.eth.send_raw_transaction(HexBytes(raw))
    following = int(world.contracts.network.head().timestamp.timestamp()) + 1
    world.node.call("evm_setNextBlockTimestamp", following)
    world.node.mine()
    world.node.call("evm_setBlockGasLimit", hex(30_000_000))


def test_one_of_both_is_mined_when_a_transaction_that_waits_is_replaced(world: World) -> None:
    sender = world.sender()
    sent = sender.send(world.call(), wait=False)
    let_another_pass(world)
    assert world.nonce() == 0
    assert sender.resume() == 0  # it has waited for a moment only
    world.now += timedelta(seconds=30)
    assert sender.resume() == 1
    first, second = world.under_way()[0].attempts
    assert second.max_fee * 8 >= first.max_fee * 9
    assert second.max_priority_fee * 8 >= first.max_priority_fee * 9
    assert world.waiting() == 1
    world.node.mine()
    assert sent.wait().transaction == second.hash
    assert world.nonce() == 1
    assert appended(world.contracts, world.signer.address) == {0: 1}


class Unlucky(MemoryOutbox):
    """Stops, as a kill would, when a dearer attempt was recorded and not sent."""

    def add_attempt(self, id: int, attempt: Attempt) -> Outgoing:
        super().add_attempt(id, attempt)
        raise KeyboardInterrupt


def test_dearer_attempt_is_mined_when_the_process_stopped_before_sending_it(world: World) -> None:
    world.outbox = Unlucky()
    sent = world.sender().send(world.call(), wait=False)
    world.node.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    world.node.mine()
    with pytest.raises(KeyboardInterrupt):
        world.sender().resume()
    assert world.waiting() == 0
    dearer = world.under_way()[0].attempts[1].hash
    assert world.sender().resume() == 1
    world.node.mine()
    assert sent.wait().transaction == dearer
    assert appended(world.contracts, world.signer.address) == {0: 1}


def test_chain_that_stands_still_is_not_paid_more(world: World) -> None:
    sender = world.sender()
    sender.send(world.call(), wait=False)
    world.now += timedelta(hours=1)
    assert sender.resume() == 0
    assert len(world.under_way()[0].attempts) == 1


def test_nothing_above_the_cap_is_offered_when_the_base_fee_rose(world: World) -> None:
    sender = world.sender(max_fee=10 * GWEI, timeout=timedelta(milliseconds=100))
    sent = sender.send(world.call(), wait=False)
    world.node.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    world.node.mine()
    sender.resume()
    assert all(each.max_fee <= 10 * GWEI for each in world.under_way()[0].attempts)
    with pytest.raises(TransportError, match="it may be later"):
        sent.wait()


def test_nothing_is_recorded_when_the_market_is_above_the_cap(world: World) -> None:
    with pytest.raises(TransportError, match="more than 5 wei is not to be paid"):
        world.sender(max_fee=5).send(world.call())
    assert world.under_way() == []


def test_no_nonce_is_lost_when_the_purse_is_empty(world: World) -> None:
    sender = world.sender()
    world.node.fund(world.signer.address, 1000)
    with pytest.raises(TransportError, match="Insufficient funds"):
        sender.send(world.call(), wait=False)
    assert world.under_way() == []
    world.node.fund(world.signer.address, 10**18)
    sent = sender.send(world.call(), wait=False)
    world.node.mine()
    assert world.transaction(sent.wait().transaction)["nonce"] == 0


def test_nonces_have_no_gap_when_fifty_are_in_flight(world: World) -> None:
    sender = world.sender()
    with ThreadPoolExecutor(8) as pool:
        pending = list(
            pool.map(lambda number: sender.send(world.call(number), wait=False), range(50))
        )
    assert [each.nonce for each in world.under_way()] == list(range(50))
    assert world.waiting() == 50
    world.node.mine()
    receipts = [each.wait() for each in pending]
    assert {world.transaction(each.transaction)["nonce"] for each in receipts} == set(range(50))
    assert appended(world.contracts, world.signer.address) == dict.fromkeys(range(50), 1)
    assert world.under_way() == []


def use_nonce_elsewhere(world: World) -> None:
    """Let another program with the same key take the nonce of what the node forgot."""
    world.node.call("anvil_dropAllTransactions")
    elsewhere = Sender(world.node.network(), world.signer, max_fee=2 * GWEI)
    elsewhere.send(world.call(99), wait=False)
    world.node.mine()


def test_transaction_goes_under_another_nonce_when_its_own_was_used_elsewhere(
    world: World,
) -> None:
    sender = world.sender()
    sent = sender.send(world.call(), wait=False)
    use_nonce_elsewhere(world)
    assert sender.resume() == 0
    world.now += timedelta(seconds=30)
    assert sender.resume() == 1
    world.node.mine()
    assert world.transaction(sent.wait().transaction)["nonce"] == 1
    assert appended(world.contracts, world.signer.address) == {99: 1, 0: 1}


def test_wait_says_who_has_the_nonce_until_that_is_final(world: World) -> None:
    sender = world.sender(confirmations=2, timeout=timedelta(milliseconds=100))
    sent = sender.send(world.call(), wait=False)
    use_nonce_elsewhere(world)
    assert sender.resume() == 0
    with pytest.raises(TransportError, match="lost its nonce 0 to another transaction"):
        sent.wait()
    world.node.mine(2)
    assert sender.resume() == 0
    world.now += timedelta(seconds=30)
    assert sender.resume() == 1
    world.node.mine()
    assert world.transaction(sent.wait().transaction)["nonce"] == 1


def test_call_is_given_up_when_the_same_was_done_elsewhere(world: World) -> None:
    sender = world.sender()
    sent = sender.send(world.call(99), wait=False)
    use_nonce_elsewhere(world)
    assert sender.resume() == 0
    assert len(world.under_way()) == 1
    world.now += timedelta(seconds=30)
    assert sender.resume() == 0
    assert world.under_way() == []
    with pytest.raises(reverts.WrongHead):
        sent.wait()


def test_transaction_goes_again_when_a_reorganisation_took_its_block(world: World) -> None:
    sender = world.sender(confirmations=3)
    before = world.node.call("evm_snapshot")
    sent = sender.send(world.call(), wait=False)
    world.node.mine()
    first = sent.wait()
    world.node.call("evm_revert", before)
    world.node.mine(2)
    assert appended(world.contracts, world.signer.address) == {}
    assert sender.resume() == 1
    world.node.mine()
    again = sent.wait()
    assert (again.transaction, again.block.number) == (sent.transaction, first.block.number + 2)
    assert appended(world.contracts, world.signer.address) == {0: 1}


def test_settled_transaction_goes_again_when_a_reorganisation_was_too_deep(world: World) -> None:
    sender = world.sender()
    before = world.node.call("evm_snapshot")
    first = sender.send(world.call(0), wait=False)
    world.node.mine()
    first.wait()
    second = sender.send(world.call(1), wait=False)
    assert [each.nonce for each in world.under_way()] == [1]
    world.node.call("evm_revert", before)
    world.node.call("anvil_dropAllTransactions")
    assert sender.resume() == 2
    world.node.mine()
    second.wait()
    assert appended(world.contracts, world.signer.address) == {0: 1, 1: 1}


def test_transaction_is_settled_once_it_is_final(world: World) -> None:
    sender = world.sender(confirmations=3)
    sender.send(world.call(), wait=False)
    world.node.mine(3)
    sender.resume()
    assert len(world.under_way()) == 1
    world.node.mine()
    sender.resume()
    assert world.under_way() == []


def test_nonce_is_chosen_anew_when_the_key_is_used_elsewhere_at_that_moment(
    world: World,
) -> None:
    elsewhere = Sender(world.node.network(), world.signer)
    for number in range(3):
        elsewhere.send(world.call(2 * number), wait=False)
        world.sender().send(world.call(2 * number + 1), wait=False)
    world.node.mine()
    assert appended(world.contracts, world.signer.address) == dict.fromkeys(range(6), 1)


def test_wait_needs_nobody_to_send_again_what_the_node_forgot(world: World, node: Anvil) -> None:
    sender = world.sender()
    sent = sender.send(world.call(), wait=False)
    node.call("anvil_dropAllTransactions")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sent.wait)
        while not world.waiting():
            assert not waiting.done()
        node.mine()
        assert waiting.result().transaction == sent.transaction
