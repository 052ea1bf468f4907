"""A node that answers late, wrongly, by half or from another chain: refused, nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from medaccord.chain import Network, events
from medaccord.core.errors import DeploymentMismatch, TransportError
from medaccord.ledger import Follower
from tests.integration import anvil
from tests.integration.anvil import NEEDS_ANVIL, Anvil
from tests.integration.conftest import Setting
from tests.integration.faulty_node import FaultyNode, blocks, logs
from tests.integration.ledger_on_anvil import (
    deployed,
    in_one_block,
    known,
    revoke_all,
    rows,
    through,
)

pytestmark = NEEDS_ANVIL

Log = dict[str, Any]


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil.running() as node:
        yield node


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A deployment, and the block up to which a follower is to know of it."""

    setting: Setting
    synced: int


@pytest.fixture(scope="module")
def made(node: Anvil) -> Made:
    setting = deployed(node)
    revoke_all(setting)
    synced = setting.network.head().number
    revoke_all(setting, 3)
    in_one_block(node, setting, 4)
    node.mine(2)
    return Made(setting=setting, synced=synced)


@dataclass(slots=True, kw_only=True)
class Desk:
    """A follower behind a faulty line, synced once; since then there are new events on the chain.

    Attributes:
        proxy: the line.
        follower: asks over it.
        engine: its database.
        direct: a network that asks the node itself.
    """

    proxy: FaultyNode
    follower: Follower
    engine: Engine
    direct: Setting

    def refuses(self, kind: type[Exception], match: str) -> None:
        """Sync is refused, and whatever was known stands; once the line is mended, all is right."""
        before = known(self.follower), rows(self.engine)
        with self.follower.views() as views:
            answer = views.answer
        with pytest.raises(kind, match=match):
            self.follower.sync()
        assert (known(self.follower), rows(self.engine)) == before
        with self.follower.views() as views:
            assert views.answer == answer  # what did not hold makes nothing fresh
        self.proxy.mend()
        self.recovers()

    def recovers(self) -> None:
        """It follows again, and comes to what a ledger made from nothing says."""
        assert self.follower.sync() == self.direct.network.head()
        followed = known(self.follower), rows(self.engine)
        self.follower.rebuild()
        assert (known(self.follower), rows(self.engine)) == followed


@pytest.fixture
def patience() -> timedelta:
    """How long the node may take; long, so that busy machines see the faults they are shown."""
    return timedelta(seconds=20)


@pytest.fixture
def desk(node: Anvil, made: Made, engine: Engine, patience: timedelta) -> Iterator[Desk]:
    with FaultyNode(node.url).running() as proxy:
        network = Network.connect(proxy.url, timeout=patience)
        follower = Follower(network, through(made.setting, network), engine)
        proxy.head = made.synced
        follower.sync()
        proxy.mend()
        yield Desk(proxy=proxy, follower=follower, engine=engine, direct=made.setting)


# --- The line ---


IMPATIENT = pytest.mark.parametrize("patience", [timedelta(seconds=1)])


@IMPATIENT
def test_sync_is_refused_when_the_node_answers_too_late(desk: Desk) -> None:
    desk.proxy.delay = 3
    desk.refuses(TransportError, "no answer within 1 seconds")


@IMPATIENT
def test_sync_is_refused_when_the_answer_drips_in(desk: Desk) -> None:
    desk.proxy.drip = 0.02
    desk.refuses(TransportError, "no answer within 1 seconds")


def test_sync_is_refused_when_the_connection_ends_in_the_middle_of_the_answer(desk: Desk) -> None:
    desk.proxy.cut = True
    desk.refuses(TransportError, "the node did not do what was asked: peer closed connection")


def test_sync_is_refused_when_only_the_answer_with_the_logs_is_cut(desk: Desk) -> None:
    def cut_when_long(text: bytes) -> bytes:
        desk.proxy.cut = len(text) > 10_000
        return text

    desk.proxy.raw = cut_when_long
    desk.refuses(TransportError, "the node did not do what was asked: peer closed connection")


def test_sync_is_refused_when_nobody_answers(desk: Desk) -> None:
    upstream, desk.proxy.upstream = desk.proxy.upstream, "http://127.0.0.1:1"
    before = known(desk.follower)
    with pytest.raises(TransportError):
        desk.follower.sync()
    assert known(desk.follower) == before
    desk.proxy.upstream = upstream
    desk.recovers()


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>Bad gateway</html>", b"\xff\xfe{}", b"[" * 100_000, b'"yes"', b"1" * 10_000],
    ids=["nothing", "html", "encoding", "nesting", "text", "number"],
)
def test_sync_is_refused_when_the_answer_is_no_json_rpc(desk: Desk, answer: bytes) -> None:
    desk.proxy.raw = lambda _: answer
    desk.refuses(TransportError, "no JSON|no answers? of JSON-RPC")


def test_sync_is_refused_when_the_answers_are_to_other_calls(desk: Desk) -> None:
    def renumber(_: object, answers: list[Log]) -> None:
        for answer in answers:
            answer["id"] += 1_000_000

    desk.proxy.spoil = renumber
    desk.refuses(TransportError, "to (an)?other calls?")


def test_sync_is_refused_when_answers_of_a_batch_are_missing(desk: Desk) -> None:
    def shorten(_: object, answers: list[Log]) -> None:
        if len(answers) > 1:
            answers.pop()

    desk.proxy.spoil = shorten
    desk.refuses(TransportError, "the answers are to other calls")


def test_sync_takes_the_answers_of_a_batch_in_any_order(desk: Desk) -> None:
    desk.proxy.spoil = lambda _, answers: answers.reverse()
    desk.recovers()


def test_sync_is_refused_when_the_node_refuses_one_call_of_a_batch(desk: Desk) -> None:
    def refuse(asked: list[Log], answers: list[Log]) -> None:
        for request, answer in zip(asked, answers, strict=True):
            if request["method"] == "eth_getLogs":
                del answer["result"]
                answer["error"] = {"code": -32005, "message": "query exceeds limits"}

    desk.proxy.spoil = refuse
    desk.refuses(TransportError, "the node refused eth_getLogs: .*query exceeds limits")


def test_sync_is_refused_when_the_node_refuses_batches(desk: Desk) -> None:
    def refuse(asked: list[Log], answers: list[Log]) -> object:
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "too many"}}
        return error if len(asked) > 1 else None

    desk.proxy.spoil = refuse
    desk.refuses(TransportError, "the node refused a batch of calls: .*too many")


# --- Logs that cannot be ---


def first(change: Callable[[Log], object]) -> Callable[[list[Log]], None]:
    def changed(found: list[Log]) -> None:
        change(found[0])

    return changed


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda found: found[: len(found) // 2],
            "left logs of block [0-9]+ out: it gave 0 of [14]",
        ),
        (
            lambda found: found[len(found) // 2 :],
            "left logs of block [0-9]+ out: it gave 0 of [14]",
        ),
        (lambda found: [], "left logs of block [0-9]+ out: it gave 0 of [14]"),
        (lambda found: found[:-1], "left logs of block [0-9]+ out: it gave 3 of 4"),
        (lambda found: [*found[:4], *found[5:]], "left logs of block [0-9]+ out: it gave 3 of 4"),
        (lambda found: [*found, found[-1]], "gave log 3 of block [0-9]+ twice, or after log 3"),
        (lambda found: found[::-1], "gave log 2 of block [0-9]+ twice, or after log 3"),
        (first(lambda log: log.update(blockNumber="0x1")), "a log of block 1, asked for"),
        (first(lambda log: log.update(address="0x" + "11" * 20)), "a log of 0x1111.*not asked for"),
        (first(lambda log: log.update(blockHash="0x" + "22" * 32)), "was replaced while it was"),
        (first(lambda log: log.update(removed=True)), "a log that it says was removed"),
        (first(lambda log: log["topics"].append("0x" + "33" * 32)), "cannot hold log 0"),
        (first(lambda log: log.update(data=log["data"] + "00")), "is no AllRevoked"),
        (first(lambda log: log.update(logIndex="0xffffffffff")), "left logs|of block"),
        (first(lambda log: log.update(logIndex="first")), "'first' in place of a number"),
        (first(lambda log: log.update(address=7)), "7 in place of bytes"),
        (first(lambda log: log.update(topics="none")), "'none' in place of a list"),
        (lambda found: "none", "'none' in place of a list"),
        (lambda found: [None], "None in place of an object"),
    ],
    ids=lambda value: None if callable(value) else value,
)
def test_sync_is_refused_when_the_logs_cannot_be_all_or_not_those(
    desk: Desk, change: Callable[[list[Log]], object], match: str
) -> None:
    desk.proxy.spoil = logs(change)
    desk.refuses(TransportError, match)


def test_sync_is_refused_when_the_receipts_leave_out_the_same_logs(desk: Desk) -> None:
    def spoil(asked: list[Log], answers: list[Log]) -> None:
        logs(lambda found: found[:-1])(asked, answers)
        for request, answer in zip(asked, answers, strict=True):
            if request["method"] == "eth_getBlockReceipts":
                answer["result"][-1]["logs"] = []

    desk.proxy.spoil = spoil
    desk.refuses(TransportError, "the receipts of block [0-9]+ are not those of its header")


# --- Headers that cannot be ---


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda block: block.update(parentHash="0x" + "11" * 32), "does not follow the block"),
        (lambda block: block.update(number="0x1"), "answered with block 1 in place of"),
        (lambda block: block.update(logsBloom=None), "None in place of bytes"),
        (lambda block: block.update(logsBloom="0x" + "00" * 256), "cannot hold log"),
        (lambda block: block.update(timestamp="0xffffffffffff"), "in place of a block"),
        (lambda block: block.update(hash="0x11"), "in place of a hash"),
    ],
)
def test_sync_is_refused_when_the_headers_cannot_be(
    desk: Desk, change: Callable[[Log], object], match: str
) -> None:
    desk.proxy.spoil = blocks(change)
    desk.refuses(TransportError, match)


def test_sync_is_refused_when_the_newest_block_of_all_is_not_there(desk: Desk) -> None:
    def forget(asked: list[Log], answers: list[Log]) -> None:
        for request, answer in zip(asked, answers, strict=True):
            if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "latest":
                answer["result"] = None

    desk.proxy.spoil = forget
    desk.refuses(TransportError, "the node has no block latest")


# --- Other chains ---


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Anvil]:
    """A chain of the same id and another genesis block, longer than ours."""
    with anvil.running() as node:
        node.mine(500)
        yield node


def test_sync_is_refused_when_a_node_of_another_chain_took_the_place(
    desk: Desk, elsewhere: Anvil
) -> None:
    ours, desk.proxy.upstream = desk.proxy.upstream, elsewhere.url
    before = known(desk.follower), rows(desk.engine)
    for _ in range(2):
        with pytest.raises(DeploymentMismatch, match="a chain was started anew behind the same"):
            desk.follower.sync()
    with pytest.raises(DeploymentMismatch, match="a chain was started anew behind the same"):
        desk.follower.rebuild()
    assert (known(desk.follower), rows(desk.engine)) == before
    desk.proxy.upstream = ours
    desk.recovers()


def test_sync_is_refused_when_the_chain_id_changed(desk: Desk, elsewhere: Anvil) -> None:
    ours, desk.proxy.upstream = desk.proxy.upstream, elsewhere.url

    def rename(asked: list[Log], answers: list[Log]) -> None:
        for request, answer in zip(asked, answers, strict=True):
            if request["method"] == "eth_chainId":
                answer["result"] = "0x7"

    desk.proxy.spoil = rename
    before = known(desk.follower), rows(desk.engine)
    with pytest.raises(DeploymentMismatch, match="the node is on chain 7 now, this ledger is of"):
        desk.follower.sync()
    assert (known(desk.follower), rows(desk.engine)) == before
    desk.proxy.upstream = ours
    desk.proxy.mend()
    desk.recovers()


def test_sync_takes_nothing_in_when_the_node_is_exchanged_between_head_and_logs(
    desk: Desk, elsewhere: Anvil
) -> None:
    ours = desk.proxy.upstream

    def exchange(asked: list[Log], answers: list[Log]) -> None:
        if asked[0]["method"] == "eth_getBlockByNumber":
            desk.proxy.upstream = elsewhere.url

    desk.proxy.spoil = exchange
    before = known(desk.follower), rows(desk.engine)
    with pytest.raises((TransportError, DeploymentMismatch)):
        desk.follower.sync()
    assert (known(desk.follower), rows(desk.engine)) == before
    desk.proxy.mend()
    desk.proxy.upstream = ours
    desk.recovers()


def test_fetching_for_a_client_is_refused_when_a_log_is_about_somebody_else(
    desk: Desk, made: Made
) -> None:

    network = Network.connect(desk.proxy.url)
    contracts = through(made.setting, network)
    last = network.head().number
    about = next(
        event.account
        for event in events.fetch(network, contracts, 0, last)
        if isinstance(event, events.AllRevoked)
    )
    assert len(events.fetch(network, contracts, 0, last, about=about)) == 1
    desk.proxy.spoil = logs(first(lambda log: log["topics"].__setitem__(1, "0x" + "11" * 32)))
    with pytest.raises(TransportError, match=f"a log that is not about {about}"):
        events.fetch(network, contracts, 0, last, about=about)
