"""A chain inside this process, for the demo and for tests: py-evm through eth-tester.

It answers JSON-RPC as a node does: revert data in an error, `pending` counting what waits, the
chain id it signs for. Every call holds one lock, so that many threads may share it; every block is
dated by the chain's own clock.
"""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eth_account import Account
from eth_utils.currency import to_wei
from eth_utils.exceptions import ValidationError
from web3 import Web3
from web3.types import RPCEndpoint, RPCError, RPCResponse

from medaccord.chain.network import Clock, Network, utc_now
from medaccord.core.identifiers import Address
from medaccord.keys.signer import LocalSigner

try:
    from eth.exceptions import TransactionNotFound as UnknownTransaction
    from eth_tester import (  # type: ignore[import-untyped]  # eth-tester carries no types
        EthereumTester,
        PyEVMBackend,
    )
    from eth_tester.backends.pyevm.serializers import (  # type: ignore[import-untyped]  # the same
        serialize_transaction_receipt,
    )
    from eth_tester.exceptions import (  # type: ignore[import-untyped]  # the same
        TransactionFailed,
        TransactionNotFound,
    )
    from eth_tester.exceptions import (
        ValidationError as TesterValidationError,
    )
    from web3.providers.eth_tester import EthereumTesterProvider
except ModuleNotFoundError as error:
    raise ImportError(
        "the embedded chain needs py-evm and eth-tester: pip install 'medaccord[embedded]'"
    ) from error

CHAIN_ID: Final = 1337
"""Chain id of an embedded chain, the one Ape calls `local`."""

_ALLOWANCE: Final = to_wei(100, "ether")
_REVERTED: Final = 3
_REFUSED: Final = -32000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A point that an `EmbeddedChain` can be taken back to."""

    block_hash: bytes
    offset: timedelta


class EmbeddedChain:
    """A chain of one process: mines a block per transaction, at once, unless paused.

    Two chains never share a genesis hash, so the deployment record of one does not fit another.
    """

    def __init__(self, *, wall: Clock = utc_now) -> None:
        """Start at block 0.

        Args:
            wall: the time outside; `clock` is this plus what `advance` added.
        """
        self._wall = wall
        self._offset = timedelta()
        self._node = _Node(self._now)
        self._web3 = Web3(self._node, middleware=())
        self._faucet = LocalSigner(Account.from_key(self._node.faucet_key))

    def network(self, *, confirmations: int = 0) -> Network:
        """Connect to it; any number of networks may be open, on any thread.

        Args:
            confirmations: blocks on top of a block before permits count it final.
        """
        return Network(self._web3, confirmations=confirmations, clock=self.clock)

    def clock(self) -> datetime:
        """The time on this chain: never behind its head, never standing still behind the wall."""
        with self._node.lock:
            head = datetime.fromtimestamp(self._node.head_timestamp, UTC)
            return max(head, self._now())

    def advance(self, span: timedelta) -> None:
        """Let time pass, and mine one empty block so that calls see it.

        Args:
            span: above zero, counted from `clock`.
        """
        if span <= timedelta():
            raise ValueError(f"time passes forwards only, not by {span}")
        with self._node.lock:
            target = self.clock() + span
            self._offset += target - self._now()
            self._node.mine()

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks; the first one takes in whatever waits."""
        with self._node.lock:
            for _ in range(blocks):
                self._node.mine()

    @contextmanager
    def mining_paused(self) -> Iterator[None]:
        """Let transactions wait, unmined, until the block ends; then mine them in one block."""
        with self._node.lock:
            already, self._node.paused = self._node.paused, True
        try:
            yield
        finally:
            with self._node.lock:
                self._node.paused = already
                if not already and self._node.waiting:
                    self._node.mine()

    def fund(self, account: Address, wei: int = _ALLOWANCE) -> None:
        """Give money to an account.

        Args:
            account: who gets it.
            wei: how much, in wei; 100 ether unless said otherwise.
        """
        eth = self._web3.eth
        with self._node.lock:
            base_fee = eth.get_block("latest")["baseFeePerGas"]
            eth.send_raw_transaction(
                self._faucet.sign_transaction(
                    {
                        "chainId": CHAIN_ID,
                        "nonce": eth.get_transaction_count(self._faucet.address, "pending"),
                        "to": account,
                        "value": wei,
                        "gas": 21_000,
                        "maxFeePerGas": 2 * base_fee + eth.max_priority_fee,
                        "maxPriorityFeePerGas": eth.max_priority_fee,
                    }
                )
            )

    def funded_signer(self) -> LocalSigner:
        """A fresh key with money to send transactions."""
        signer = LocalSigner.create()
        self.fund(signer.address)
        return signer

    def snapshot(self) -> Snapshot:
        """Remember this point: the head, and the time that `advance` added so far."""
        with self._node.lock:
            return Snapshot(block_hash=self._node.head_hash, offset=self._offset)

    def revert(self, snapshot: Snapshot) -> None:
        """Go back to a point: blocks mined since are gone, and what waits is dropped.

        Blocks mined afterwards have other hashes, so followers see a reorganisation.
        """
        with self._node.lock:
            self._node.revert(snapshot.block_hash)
            self._offset = snapshot.offset

    def _now(self) -> datetime:
        return self._wall() + self._offset


class _Backend(PyEVMBackend):  # type: ignore[misc]  # eth-tester carries no types
    """Finds a receipt by the chain's index; eth-tester reads every block from the head down."""

    def get_transaction_receipt(self, transaction_hash: bytes) -> Any:
        chain = self.chain
        try:
            number, index = chain.get_canonical_transaction_index(transaction_hash)
        except UnknownTransaction as error:
            raise TransactionNotFound(transaction_hash.hex()) from error
        if number >= chain.get_block().number:  # left behind by a revert to a snapshot
            raise TransactionNotFound(transaction_hash.hex())
        block = chain.get_canonical_block_by_number(number)
        if index >= len(block.transactions) or block.transactions[index].hash != transaction_hash:
            raise TransactionNotFound(transaction_hash.hex())
        return serialize_transaction_receipt(
            block,
            block.get_receipts(chain.chaindb),
            block.transactions[index],
            index,
            False,  # mined, not pending
            chain.get_vm(block.header),
        )


class _Node(EthereumTesterProvider):
    """JSON-RPC in front of py-evm, one call at a time, with a pool of waiting transactions."""

    def __init__(self, now: Clock) -> None:
        # The random extra data tells two chains started in one second apart.
        genesis = PyEVMBackend.generate_genesis_params(
            {"timestamp": int(now().timestamp()), "extra_data": os.urandom(32)}
        )
        backend = _Backend(genesis_parameters=genesis)
        type(backend.chain).chain_id = CHAIN_ID  # a class of this backend's own
        self._tester = EthereumTester(backend)
        super().__init__(self._tester)
        self.lock = threading.RLock()
        self.paused = False
        self.waiting: list[Any] = []
        self.faucet_key: bytes = backend.account_keys[0].to_bytes()
        self._backend = backend
        self._now = now
        self._answers: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "net_version": lambda: str(CHAIN_ID),
            "eth_getTransactionCount": self._transaction_count,
            "eth_sendRawTransaction": self._send,
            "eth_getLogs": self._logs,
        }

    @property
    def head_timestamp(self) -> int:
        return int(self._backend.chain.get_canonical_head().timestamp)

    @property
    def head_hash(self) -> bytes:
        return bytes(self._backend.chain.get_canonical_head().hash)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        answer = self._answers.get(method)
        with self.lock:
            try:
                if answer is None:
                    return super().make_request(method, params)
                return {"jsonrpc": "2.0", "id": 0, "result": answer(*params)}
            except TransactionFailed as error:
                message, data = _revert(error)
                return _error(_REVERTED, message, data)
            except (ValidationError, TesterValidationError) as error:
                return _error(_REFUSED, str(error))

    def mine(self) -> None:
        """Mine one block of all that waits."""
        waiting, self.waiting = self.waiting, []
        self._mine_block(waiting)

    def revert(self, block_hash: bytes) -> None:
        self.waiting.clear()
        self._backend.revert_to_snapshot(block_hash)

    def _mine_block(self, transactions: Sequence[Any]) -> None:
        chain = self._backend.chain
        now = int(self._now().timestamp())
        chain.set_header_timestamp(max(self.head_timestamp + 1, now))
        for transaction in transactions:
            chain.apply_transaction(transaction)
        self._backend.mine_blocks()

    def _send(self, raw: str) -> str:
        builder = self._backend.chain.get_transaction_builder()
        transaction = builder.decode(bytes.fromhex(raw.removeprefix("0x")))
        expected = self._next_nonce(transaction.sender)
        if transaction.nonce != expected:
            raise ValidationError(f"nonce {transaction.nonce} where {expected} is next")
        if self.paused:
            self.waiting.append(transaction)
        else:
            self._mine_block([transaction])
        return "0x" + str(transaction.hash.hex())

    def _next_nonce(self, sender: bytes) -> int:
        waiting = [transaction for transaction in self.waiting if transaction.sender == sender]
        return int(self._backend.get_nonce(sender)) + len(waiting)

    def _transaction_count(self, account: str, block: Any = "latest") -> str:
        if block == "pending":
            return hex(self._next_nonce(bytes.fromhex(account[2:])))
        return hex(self._tester.get_nonce(account, block))

    def _logs(self, wanted: Mapping[str, Any]) -> list[Any]:
        # eth-tester reads every receipt of the range; the bloom of a block says where none is.
        chain = self._backend.chain
        head = chain.get_canonical_head().block_number
        named = {"earliest": 0}
        first, last = (
            bound if isinstance(bound, int) else named.get(str(bound), head)
            for bound in (wanted.get("from_block"), wanted.get("to_block"))
        )
        found = []
        for number in range(first, min(last, head) + 1):
            if not chain.get_canonical_block_header_by_number(number).bloom:
                continue
            for transaction in chain.get_canonical_block_by_number(number).transactions:
                transaction_hash = "0x" + transaction.hash.hex()
                receipt = self._tester.get_transaction_receipt(transaction_hash)
                found += [log for log in receipt["logs"] if _matches(log, wanted)]
        return found


def _matches(log: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    addresses = wanted.get("address") or ()
    if isinstance(addresses, str):
        addresses = (addresses,)
    if addresses and log["address"].lower() not in {each.lower() for each in addresses}:
        return False
    topics = wanted.get("topics") or ()
    return len(topics) <= len(log["topics"]) and all(
        choice is None or topic in ((choice,) if isinstance(choice, str) else choice)
        for choice, topic in zip(topics, log["topics"], strict=False)  # fewer choices than topics
    )


def _revert(failure: TransactionFailed) -> tuple[str, bytes]:
    """Message and data of a revert: eth-tester hides the data in a cause, or in the text of it."""
    while isinstance(failure.__context__, TransactionFailed):
        failure = failure.__context__
    cause = failure.args[0] if failure.args else b""
    if isinstance(cause, Exception):
        cause = cause.args[0] if cause.args else b""
    if isinstance(cause, str) and cause.startswith(("b'", 'b"')):
        cause = ast.literal_eval(cause)
    if isinstance(cause, bytes):
        return "execution reverted", cause
    return f"execution reverted: {cause}", b""


def _error(code: int, message: str, data: bytes | None = None) -> RPCResponse:
    error: RPCError = {"code": code, "message": message}
    if data is not None:
        error["data"] = "0x" + data.hex()
    return {"jsonrpc": "2.0", "id": 0, "error": error}
