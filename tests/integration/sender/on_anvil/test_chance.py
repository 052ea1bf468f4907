"""What chance does to transactions on a real node: each is mined once, whatever it was."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from medaccord.chain import Contracts
from medaccord.core.identifiers import hex_digest
from tests.integration.anvil import NEEDS_ANVIL, Anvil
from tests.integration.sender.on_anvil.world import GWEI, World, world_on
from tests.integration.stream_calls import appended

pytestmark = NEEDS_ANVIL


@pytest.fixture
def world(node: Anvil, contracts: Contracts) -> Iterator[World]:
    with world_on(node, contracts) as world:
        yield world


@pytest.mark.parametrize("seed", range(4))
def test_each_call_is_mined_once_whatever_happens_to_it(world: World, seed: int) -> None:
    chance = random.Random(seed)
    sender = world.sender(confirmations=4)
    head = world.contracts.network.head
    forks = [(head().number, str(world.node.call("evm_snapshot")))]
    highest = head().number
    sent = 0

    def send() -> None:
        nonlocal sent
        sender.send(world.call(sent), wait=False, purpose=f"number:{sent}")
        sent += 1

    def forget_one() -> None:
        attempts = [attempt for each in world.under_way() for attempt in each.attempts]
        if attempts:
            world.node.call("anvil_dropTransaction", hex_digest(chance.choice(attempts).hash))

    def mine() -> None:
        world.node.mine()
        nonlocal highest
        highest = max(highest, head().number)
        world.now = max(world.now, head().timestamp)
        forks.append((head().number, str(world.node.call("evm_snapshot"))))

    def change_base_fee() -> None:
        world.node.call("anvil_setNextBlockBaseFeePerGas", hex(chance.randint(1, 20) * GWEI))
        mine()

    def reorganise() -> None:
        young = [index for index, fork in enumerate(forks) if highest - fork[0] < 4]
        if young:  # what was final at any time stays
            world.node.call("evm_revert", forks[young[0]][1])
            del forks[young[0] :]

    def restart() -> None:
        nonlocal sender
        sender = world.sender(confirmations=4)

    happenings: list[Callable[[], object]] = [
        *(send, send, send, mine, change_base_fee, forget_one, reorganise, restart),
        lambda: world.node.call("anvil_dropAllTransactions"),
        lambda: sender.resume(),
    ]
    for _ in range(60):
        world.now += timedelta(seconds=chance.choice([0, 1, 40]))
        chance.choice(happenings)()
    while world.under_way():
        sender.resume()
        world.node.mine()
    assert sent > 5
    assert appended(world.contracts, world.signer.address) == dict.fromkeys(range(sent), 1)
    assert world.nonce() == sent
