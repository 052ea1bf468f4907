"""JSON-RPC in front of py-evm, as a node on a network answers it.

eth-tester gives the EVM and most answers. This adds what it lacks: revert data in the error, the
chain id it signs for, blocks dated by a clock, a pool of transactions that wait, receipts and logs
found without reading the whole chain, and one lock around it all.
"""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from eth_utils.exceptions import ValidationError
from web3 import Web3
from web3.types import RPCEndpoint, RPCError, RPCResponse

from medaccord.chain.network import Clock

try:
    from eth.abc import BlockAPI, BlockHeaderAPI, SignedTransactionAPI, StateAPI
    from eth.exceptions import HeaderNotFound
    from eth.exceptions import TransactionNotFound as UnknownTransaction
    from eth.rlp.headers import BlockHeader
    from eth.vm.forks.prague import PragueVM
    from eth.vm.spoof import SpoofTransaction
    from eth_tester import (  # type: ignore[import-untyped]  # eth-tester carries no types
        EthereumTester,
        PyEVMBackend,
    )
    from eth_tester.backends.pyevm.serializers import (  # type: ignore[import-untyped]  # the same
        serialize_transaction_receipt,
    )
    from eth_tester.exceptions import (  # type: ignore[import-untyped]  # the same
        BlockNotFound,
        TransactionFailed,
        TransactionNotFound,
    )
    from eth_tester.exceptions import (
        ValidationError as TesterValidationError,
    )
    from web3.providers.eth_tester import EthereumTesterProvider
    from web3.providers.eth_tester.middleware import result_formatters
except ModuleNotFoundError as error:
    raise ImportError(
        "the embedded chain needs py-evm and eth-tester: pip install 'medaccord[embedded]'"
    ) from error

CHAIN_ID: Final = 1337
"""Chain id of an embedded chain, the one Ape calls `local`."""

_HASH_LENGTH: Final = 66
"""Of a hash in hexadecimal."""

_REVERTED: Final = 3
_REFUSED: Final = -32000


class _Backend(PyEVMBackend):  # type: ignore[misc]  # eth-tester carries no types
    """Finds a receipt by the chain's index, and numbers its logs within the block.

    eth-tester reads every block from the head down, and numbers logs within the transaction.
    """

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
        receipts = block.get_receipts(chain.chaindb)
        receipt = serialize_transaction_receipt(
            block,
            receipts,
            block.transactions[index],
            index,
            False,  # mined, not pending
            chain.get_vm(block.header),
        )
        before = sum(len(each.logs) for each in receipts[:index])
        logs = [{**log, "log_index": before + log["log_index"]} for log in receipt["logs"]]
        return {**receipt, "logs": logs}


def _dated_by(now: Clock) -> type[PragueVM]:
    """The EVM whose blocks, and tries at what the next block would do, are dated by a clock."""

    class Dated(PragueVM):
        @classmethod
        def create_header_from_parent(
            cls, parent_header: BlockHeaderAPI, **header_params: Any
        ) -> BlockHeader:
            following = max(parent_header.timestamp + 1, int(now().timestamp()))
            header_params.setdefault("timestamp", following)
            made: BlockHeader = PragueVM.create_header_from_parent(parent_header, **header_params)
            return made

    return Dated


def _estimate_gas(state: StateAPI, transaction: SignedTransactionAPI) -> int:
    """Twice what one run costs, whoever pays; py-evm's own search runs it a dozen times."""
    gas = state.gas_limit
    free = SpoofTransaction(transaction, gas=gas, max_fee_per_gas=0, max_priority_fee_per_gas=0)
    computation = state.apply_transaction(cast(SignedTransactionAPI, free))
    computation.raise_if_error()
    return min(gas, 2 * (gas - computation.get_gas_remaining()))


class EmbeddedNode(EthereumTesterProvider):
    """JSON-RPC in front of py-evm, one call at a time, with a pool of waiting transactions.

    Attributes:
        lock: held by every call; whoever makes several as one holds it too.
        paused: whether transactions wait.
        waiting: those that do, in the order they came.
        faucet_key: of an account of the genesis block that is rich. Everybody knows it.
    """

    def __init__(self, now: Clock) -> None:
        """Start a chain at block 0.

        Args:
            now: dates its blocks.
        """
        # The random extra data tells two chains started in one second apart.
        genesis = PyEVMBackend.generate_genesis_params(
            {"timestamp": int(now().timestamp()), "extra_data": os.urandom(32)}
        )
        backend = _Backend(genesis_parameters=genesis)
        own_class = type(backend.chain)  # eth-tester makes one for every backend
        own_class.chain_id = CHAIN_ID
        own_class.vm_configuration = ((0, _dated_by(now)),)
        own_class.gas_estimator = staticmethod(_estimate_gas)
        backend.chain.gas_estimator = _estimate_gas  # this one chose another as it was made
        self._tester = EthereumTester(backend)
        super().__init__(self._tester)
        self.lock = threading.RLock()
        self.paused = False
        self.waiting: list[Any] = []
        self.faucet_key: bytes = backend.account_keys[0].to_bytes()
        self._caller = backend.account_keys[0].public_key.to_checksum_address()
        self._backend = backend
        self._now = now
        self._answers: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "net_version": lambda: str(CHAIN_ID),
            "eth_getTransactionCount": self._transaction_count,
            "eth_sendRawTransaction": self._send,
            "eth_getLogs": self._logs,
            "eth_getBlockReceipts": self._block_receipts,
        }

    @property
    def head_timestamp(self) -> int:
        """Time of the newest block, in Unix seconds."""
        return int(self._backend.chain.get_canonical_head().timestamp)

    @property
    def head_hash(self) -> bytes:
        """Hash of the newest block."""
        return bytes(self._backend.chain.get_canonical_head().hash)

    def request_func(
        self, web3: Web3, middleware: Any
    ) -> Callable[[RPCEndpoint, Any], RPCResponse]:
        """What calls go through; see `make_request`."""
        answering: Callable[[RPCEndpoint, Any], RPCResponse]
        answering = super().request_func(web3, middleware)

        def request(method: RPCEndpoint, params: Any) -> RPCResponse:
            if method == "eth_call":
                # Without a sender, web3 looks one up among eth-tester's accounts at every call.
                params = [{"from": self._caller, **params[0]}, *params[1:]]
            return answering(method, params)

        return request

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one call of JSON-RPC."""
        answer = self._answers.get(method)
        with self.lock:
            try:
                if answer is None:
                    return super().make_request(method, params)
                return {"jsonrpc": "2.0", "id": 0, "result": answer(*params)}
            except TransactionFailed as error:
                message, data = revert_of(error)
                return _error(_REVERTED, message, data)
            except (ValidationError, TesterValidationError, BlockNotFound) as error:
                return _error(_REFUSED, str(error))

    def mine(self) -> None:
        """Mine one block of what waits and fits, without what can no longer be paid for."""
        waiting, self.waiting = self.waiting, []
        chain = self._backend.chain
        self._date_block()
        for transaction in waiting:
            block = chain.header
            if (
                self.waiting
                or block.gas_used + transaction.gas > block.gas_limit >= transaction.gas
            ):
                self.waiting.append(transaction)  # in their order, or nonces would have gaps
                continue
            with suppress(ValidationError):
                chain.apply_transaction(transaction)
        self._backend.mine_blocks()

    def revert(self, block_hash: bytes) -> None:
        """Make an earlier block the head again, and drop what waits."""
        self.waiting.clear()
        self._backend.revert_to_snapshot(block_hash)

    def _send(self, raw: str) -> str:
        chain = self._backend.chain
        transaction = chain.get_transaction_builder().decode(bytes.fromhex(raw[2:]))
        if transaction.chain_id != CHAIN_ID:  # py-evm does not look
            raise ValidationError(f"signed for chain {transaction.chain_id}, this is {CHAIN_ID}")
        if any(each.hash == transaction.hash for each in self.waiting):
            raise ValidationError("already known")
        expected = self._next_nonce(transaction.sender)
        if transaction.nonce != expected:
            which = "low" if transaction.nonce < expected else "high"
            told = f"nonce too {which}: nonce {transaction.nonce} where {expected} is next"
            raise ValidationError(told)
        if self.paused:
            self._check_purse(transaction)
            self.waiting.append(transaction)
        else:
            self._date_block()
            chain.apply_transaction(transaction)
            self._backend.mine_blocks()
        return "0x" + str(transaction.hash.hex())

    def _check_purse(self, transaction: SignedTransactionAPI) -> None:
        """Refuse what could not be paid for now, as a node does before it lets it wait."""
        needed = transaction.value + transaction.gas * transaction.max_fee_per_gas
        held = self._backend.get_balance(transaction.sender)
        if held < needed:
            raise ValidationError(f"insufficient funds for gas * price + value: {held} < {needed}")

    def _date_block(self) -> None:
        """Date the next block now: py-evm dated it as the one before was mined."""
        now = int(self._now().timestamp())
        self._backend.chain.set_header_timestamp(max(self.head_timestamp + 1, now))

    def _next_nonce(self, sender: bytes) -> int:
        waiting = [transaction for transaction in self.waiting if transaction.sender == sender]
        return int(self._backend.get_nonce(sender)) + len(waiting)

    def _transaction_count(self, account: str, block: Any = "latest") -> str:
        if block == "pending":
            return hex(self._next_nonce(bytes.fromhex(account[2:])))
        return hex(self._tester.get_nonce(account, block))

    def _block_receipts(self, named: str) -> list[Any]:
        block = self._block(named)
        assert result_formatters is not None  # web3 says it might be, and always sets it
        written = result_formatters[RPCEndpoint("eth_getTransactionReceipt")]
        return [
            written(self._tester.get_transaction_receipt("0x" + each.hash.hex()))
            for each in block.transactions
        ]

    def _block(self, named: str) -> BlockAPI:
        """A mined block, by its hash or number in hexadecimal, or by name."""
        chain = self._backend.chain
        try:
            if len(named) == _HASH_LENGTH:
                return cast(BlockAPI, chain.get_block_by_hash(bytes.fromhex(named[2:])))
            head = chain.get_canonical_head().block_number
            number = {"earliest": 0}.get(named, head) if named.isalpha() else int(named, 16)
            return cast(BlockAPI, chain.get_canonical_block_by_number(number))
        except HeaderNotFound as error:
            raise ValidationError(f"no block {named}") from error

    def _logs(self, wanted: Mapping[str, Any]) -> list[Any]:
        # eth-tester reads every receipt of the range; the bloom of a block says where none is.
        chain = self._backend.chain
        head = chain.get_canonical_head().block_number
        named = {"earliest": 0}
        first, last = (
            bound if isinstance(bound, int) else named.get(str(bound), head)
            for bound in (wanted.get("from_block"), wanted.get("to_block"))
        )
        if "blockHash" in wanted:
            first = last = self._block(wanted["blockHash"]).number
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


def revert_of(failure: TransactionFailed) -> tuple[str, bytes]:
    """Message and data of a revert: eth-tester hides the data in a cause, or in the text of it.

    Args:
        failure: as eth-tester raises it; also where another program runs it, as Ape does.
    """
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
