"""The ledger against the contracts' own views, at its head and at any earlier block."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from medaccord.core.blocks import BlockRef
from medaccord.ledger import Follower, Projection
from medaccord.ledger.history import History
from medaccord.ledger.projection import APPLIED
from medaccord.store import open_engine
from tests.integration.conftest import Setting
from tests.integration.contract_views import compare
from tests.integration.random_history import RandomHistory

ROUNDS = int(os.environ.get("MEDACCORD_HISTORY_ROUNDS", "4"))
"""Of forty actions each."""

EARLIER = 2
"""Blocks drawn after each round, to be looked at again."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """SQLite alone: what a database keeps of events is shown elsewhere, on both kinds."""
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def world(setting: Setting) -> RandomHistory:
    return RandomHistory(setting, random.Random(2026))


def upto(history: History, block: BlockRef) -> Projection:
    """What the events kept in the database add up to at a block."""
    state = Projection()
    with history.read() as (_, found):
        for event in found:
            if event.block.number > block.number:
                break
            state.apply(event)
    return state


def drawn(world: RandomHistory, setting: Setting, tip: BlockRef) -> Iterator[BlockRef]:
    first = setting.deployment.first_block
    for _ in range(EARLIER):
        yield setting.network.block(world.dice.randint(first, tip.number))


def test_ledger_says_what_the_contracts_said_at_any_block_of_a_long_random_history(
    setting: Setting, engine: Engine, world: RandomHistory
) -> None:
    network = setting.chain.network(confirmations=3)
    follower = Follower(network, setting.contracts, engine)
    history = History(engine, network, setting.contracts)
    for _ in range(ROUNDS):
        world.take(40)
        tip = follower.sync()
        with follower.views() as known:
            compare(world, known.newest, tip, sample=2)
            compare(world, known.final, network.block(tip.number - 3), sample=1)
        for block in drawn(world, setting, tip):
            compare(world, upto(history, block), block, sample=1)
    assert sum(world.done.values()) >= 40 * ROUNDS
    if ROUNDS >= 6:  # enough to have seen every kind
        seen = {kind.__name__ for kind in APPLIED} - {"OrganisationAdmitted"}
        assert world.done.keys() >= seen
