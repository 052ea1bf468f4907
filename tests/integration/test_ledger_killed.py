"""Processes that follow a busy node and are killed at any moment: no event is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from medaccord.chain import actions
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower
from medaccord.store import open_engine
from tests.integration import anvil
from tests.integration.anvil import NEEDS_ANVIL, Anvil
from tests.integration.conftest import Setting
from tests.integration.ledger_on_anvil import deployed, known, rows, send_unlocked

pytestmark = NEEDS_ANVIL

PROGRAM = Path(__file__).with_name("ledger_process.py")
KILLS = 8
EVENTS_A_BLOCK = 3
BLOCKS_BEFORE = 100


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil.running() as node:
        yield node


@pytest.fixture(scope="module")
def made(node: Anvil) -> Setting:
    made = deployed(node)
    node.mine(BLOCKS_BEFORE)
    return made


@contextmanager
def busy(node: Anvil, made: Setting) -> Iterator[None]:
    """The chain grows all the time."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                for _ in range(EVENTS_A_BLOCK):
                    patient = LocalSigner.create()
                    action = actions.revoke_all(made.contracts, account=patient.address, epoch=0)
                    send_unlocked(node, made, actions.signed(action, patient))
                node.mine()
                time.sleep(0.01)
        except BaseException as error:
            failures.append(error)

    # Mined by hand: a node that mines by itself stops when many ask it at once.
    node.call("evm_setAutomine", False)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        node.call("evm_setAutomine", True)
    assert failures == []


@pytest.fixture
def record(made: Setting, tmp_path: Path) -> Path:
    path = tmp_path / "deployment.json"
    made.deployment.save(path)
    return path


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def another(node: Anvil, record: Path, engine: Engine) -> Iterator[Callable[[], int]]:
    """Starts one more process that follows into the database; returns its id."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), node.url, str(record), url_of(engine)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        told, tells = parent.stdin, parent.stdout

        def start() -> int:
            print("go", file=told, flush=True)
            return int(tells.readline())

        try:
            yield start
        finally:
            parent.kill()


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


@pytest.fixture
def agrees(node: Anvil, made: Setting, engine: Engine, tmp_path: Path) -> Callable[[], int]:
    """Finishes following, and holds the ledger to one that is made from nothing."""

    def check() -> int:
        network = node.network(confirmations=2)
        follower = Follower(network, made.contracts, engine)
        follower.sync()
        fresh = open_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
        rebuilt = Follower(network, made.contracts, fresh)
        rebuilt.sync()
        assert rows(engine) == rows(fresh)
        assert known(follower) == known(rebuilt)
        fresh.dispose()
        return len(rows(engine))

    return check


def test_no_event_is_lost_or_doubled_when_the_follower_is_killed_again_and_again(
    node: Anvil,
    made: Setting,
    engine: Engine,
    another: Callable[[], int],
    agrees: Callable[[], int],
) -> None:
    dice = random.Random(11)
    found = []
    with busy(node, made):
        for _ in range(KILLS):
            process = another()
            time.sleep(dice.uniform(0.05, 0.6))
            kill(process)
            found.append(len(rows(engine)))
    assert agrees() >= found[-1]
    assert len(set(found)) > 1  # they were killed while they got somewhere


def test_two_processes_follow_into_one_database_when_one_of_them_is_killed(
    node: Anvil,
    made: Setting,
    engine: Engine,
    another: Callable[[], int],
    agrees: Callable[[], int],
) -> None:
    dice = random.Random(12)
    with busy(node, made):
        another()
        for _ in range(3):
            process = another()
            time.sleep(dice.uniform(0.05, 0.6))
            kill(process)
        last, until = len(rows(engine)), time.monotonic() + 20
        while (now := len(rows(engine))) == last and time.monotonic() < until:
            time.sleep(0.05)
        assert now > last  # the one that is left goes on
    assert agrees() >= now
