"""An EVM in this process whose every block is mined by hand, at a second the test chooses.

py-evm through eth-tester, without a node in between: the answer to a transaction is its receipt or
the exact bytes it reverted with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eth.vm.spoof import SpoofTransaction
from eth_account.signers.local import LocalAccount
from eth_tester import PyEVMBackend  # type: ignore[import-untyped]  # eth-tester carries no types
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.currency import to_wei

START: Final = 1_800_000_000
"""Time of the genesis block, so that no test depends on the day it runs."""

ALLOWANCE: Final = to_wei(1, "ether")
_TREASURY: Final = to_wei(1_000_000, "ether")
_GAS: Final = 12_000_000
_FEE: Final = to_wei(2, "gwei")


class Revert(Exception):
    """A transaction or call reverted; `data` is what it reverted with."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"reverted with 0x{data.hex()}")
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One event as the EVM wrote it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A transaction that succeeded, alone in its block."""

    gas_used: int
    timestamp: int
    logs: tuple[Log, ...]


class Evm:
    """The chain. `now` is the second of its last block, which is what calls see."""

    def __init__(self, treasurer: LocalAccount) -> None:
        backend = PyEVMBackend(
            genesis_parameters=PyEVMBackend.generate_genesis_params(
                {"timestamp": START, "gas_limit": 2 * _GAS}
            ),
            genesis_state={
                to_canonical_address(treasurer.address): {
                    "balance": _TREASURY,
                    "nonce": 0,
                    "code": b"",
                    "storage": {},
                }
            },
        )
        self._backend = backend
        self._treasurer = treasurer
        self.chain_id: int = backend.chain.chain_id

    @property
    def now(self) -> int:
        return int(self._backend.chain.get_canonical_head().timestamp)

    def travel_to(self, second: int) -> None:
        """Mine an empty block at this second, so that calls see it."""
        self._backend.chain.set_header_timestamp(second)
        self._backend.mine_blocks()

    def snapshot(self) -> Any:
        return self._backend.chain.get_canonical_head().hash

    def revert(self, snapshot: Any) -> None:
        self._backend.revert_to_snapshot(snapshot)

    def balance_of(self, address: str) -> int:
        return int(self._backend.get_balance(to_canonical_address(address)))

    def nonce_of(self, address: str) -> int:
        return int(self._backend.get_nonce(to_canonical_address(address)))

    def code_at(self, address: str) -> bytes:
        return bytes(self._backend.get_code(to_canonical_address(address)))

    def fund(self, address: str) -> None:
        """Give an account enough to send transactions itself."""
        self.transact(self._treasurer, address, b"", value=ALLOWANCE)

    def transact(
        self,
        sender: LocalAccount,
        to: str | None,
        data: bytes,
        *,
        at: int | None = None,
        value: int = 0,
    ) -> Receipt:
        """Mine a block with this transaction alone.

        Args:
            sender: who signs and pays; it must have been funded.
            to: the contract; None deploys one.
            data: the call.
            at: the block's second; one after the last block unless said otherwise.
            value: wei to send.

        Raises:
            Revert: it reverted; it is mined all the same.
        """
        chain = self._backend.chain
        second = self.now + 1 if at is None else at
        chain.set_header_timestamp(second)
        fields: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": self.nonce_of(sender.address),
            "to": to or "",
            "data": data,
            "value": value,
            "gas": _GAS,
            "maxFeePerGas": _FEE,
            "maxPriorityFeePerGas": 0,
        }
        signed = sender.sign_transaction(fields)
        transaction = chain.get_transaction_builder().decode(bytes(signed.raw_transaction))
        _, receipt, computation = chain.apply_transaction(transaction)
        self._backend.mine_blocks()
        if computation.is_error:
            raise Revert(bytes(computation.output))
        return Receipt(
            gas_used=int(receipt.gas_used),
            timestamp=second,
            logs=tuple(
                Log(
                    address=to_checksum_address(log.address),
                    topics=tuple(topic.to_bytes(32) for topic in log.topics),
                    data=bytes(log.data),
                )
                for log in receipt.logs
            ),
        )

    def call(self, to: str, data: bytes) -> bytes:
        """Ask a contract, at the last block.

        Raises:
            Revert: it reverted.
        """
        chain = self._backend.chain
        asked = SpoofTransaction(
            chain.get_transaction_builder().create_unsigned_transaction(
                nonce=self.nonce_of(self._treasurer.address),
                gas_price=_FEE,
                gas=_GAS,
                to=to_canonical_address(to),
                value=0,
                data=data,
            ),
            from_=to_canonical_address(self._treasurer.address),
        )
        head = chain.get_canonical_head()
        computation = chain.get_vm(at_header=head).state.apply_transaction(asked)  # never kept
        if computation.is_error:
            raise Revert(bytes(computation.output))
        return bytes(computation.output)
