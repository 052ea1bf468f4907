"""One key, many processes over one database, some of which are killed: each call is mined once."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL

import pytest
from sqlalchemy import Engine

import medaccord
from medaccord.chain import Contracts, Sender
from medaccord.core.identifiers import Address
from medaccord.core.outgoing import SendingKey
from medaccord.keys import LocalSigner
from medaccord.store import open_engine
from medaccord.store.outgoing import DatabaseOutbox
from tests.integration.anvil import ETHER, NEEDS_ANVIL, Anvil
from tests.integration.sender.on_anvil.process import Order, Point
from tests.integration.stream_calls import appended, first_append

pytestmark = NEEDS_ANVIL


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A node, a database, and a key that processes share."""

    node: Anvil
    contracts: Contracts
    signer: LocalSigner
    engine: Engine
    order: Order

    @property
    def account(self) -> Address:
        return self.signer.address

    def sender(self) -> Sender:
        return Sender(
            self.node.network(),
            self.signer,
            outbox=DatabaseOutbox(self.engine),
            timeout=timedelta(seconds=20),
        )

    def nonce(self) -> int:
        return self.contracts.network.web3.eth.get_transaction_count(self.account)

    def under_way(self) -> int:
        key = SendingKey(genesis_hash=self.contracts.network.genesis_hash, address=self.account)
        return len(DatabaseOutbox(self.engine).unsettled(key))

    def waiting(self) -> int:
        return int(self.node.call("txpool_status")["pending"], 16)


@pytest.fixture
def world(node: Anvil, contracts: Contracts, database_url: str, tmp_path: Path) -> Iterator[World]:
    key = secrets.token_bytes(32)
    signer = LocalSigner.unsafe_from_key(key)
    node.fund(signer.address, 100 * ETHER)
    record = tmp_path / "deployment.json"
    contracts.deployment.save(record)
    engine = open_engine(database_url)
    yield World(
        node=node,
        contracts=contracts,
        signer=signer,
        engine=engine,
        order=Order(
            url=node.url,
            deployment=str(record),
            database=database_url,
            key=key.hex(),
            numbers=(0, 1),
        ),
    )
    engine.dispose()


@contextmanager
def process(order: Order) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to send, and is gone when the block ends."""
    with subprocess.Popen(
        order.command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(medaccord.__file__).parents[1])},
    ) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


def go(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("go\n")
    started.stdin.flush()


def run(order: Order) -> int:
    """Run a process to its end, whichever that is, and give its code."""
    with process(order) as started:
        go(started)
        return started.wait(60)


def test_each_call_is_mined_once_when_processes_share_a_key(world: World) -> None:
    # Some numbers are two processes' own, so that both want to send the same.
    orders = [replace(world.order, numbers=numbers) for numbers in ((0, 6), (3, 9), (9, 15))]
    with ExitStack() as stack:
        processes = [stack.enter_context(process(order)) for order in orders]
        for started in processes:
            go(started)
        assert [started.wait(60) for started in processes] == [0, 0, 0]
    assert appended(world.contracts, world.account) == dict.fromkeys(range(15), 1)
    assert world.nonce() == 15
    assert world.under_way() == 0


@pytest.mark.parametrize(
    ("point", "reached_the_node", "sent_again"),
    [("recorded", 0, 1), ("sent", 1, 0)],
)
def test_call_is_mined_once_when_the_process_was_killed_on_the_way(
    world: World, point: Point, reached_the_node: int, sent_again: int
) -> None:
    with world.node.mining_by_hand():
        assert run(replace(world.order, kill=point)) == -SIGKILL
        assert (world.waiting(), world.under_way()) == (reached_the_node, 1)
        sender = world.sender()
        assert sender.resume() == sent_again
        call = first_append(world.contracts, world.account, 0)
        pending = sender.send(call, wait=False, purpose="number:0")
        world.node.mine()
        pending.wait()
    assert appended(world.contracts, world.account) == {0: 1}
    assert (world.nonce(), world.under_way()) == (1, 0)


def test_call_is_mined_once_when_the_process_was_killed_before_it_noted_that(world: World) -> None:
    assert run(replace(world.order, kill="settling")) == -SIGKILL
    assert (world.nonce(), world.under_way()) == (1, 1)
    assert world.sender().resume() == 0
    assert (world.nonce(), world.under_way()) == (1, 0)


def test_each_call_is_mined_once_when_the_process_is_killed_anywhere(world: World) -> None:
    order = replace(world.order, numbers=(0, 20))
    with process(order) as started:
        go(started)
        until = time.monotonic() + 30
        while world.nonce() < 5 and time.monotonic() < until:
            time.sleep(0.001)
        os.kill(started.pid, SIGKILL)
    assert 5 <= world.nonce() < 20
    assert run(order) == 0
    assert appended(world.contracts, world.account) == dict.fromkeys(range(20), 1)
    assert (world.nonce(), world.under_way()) == (20, 0)
