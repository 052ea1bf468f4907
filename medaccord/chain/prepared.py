"""A call made ready to be sent: everything of a transaction but its nonce and its fees."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, cast

from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.types import BlockIdentifier, Nonce, TxParams, Wei

from medaccord.chain.fees import Fees
from medaccord.core.identifiers import Address, address

Call: TypeAlias = ContractFunction | ContractConstructor
"""A function or a constructor of a contract with its arguments bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a transaction does, whatever nonce and fees it goes with.

    Attributes:
        chain_id: EIP-155 chain id.
        to: the contract called; None where one is created.
        data: what it is called with.
        gas: the most gas it may use.
    """

    chain_id: int
    to: Address | None
    data: bytes
    gas: int

    @classmethod
    def of(cls, call: Call, *, sender: Address, chain_id: int) -> Self:
        """Try a call, and make it ready.

        Raises:
            Web3Exception: a contract refuses, or the node does not answer; see `translated`.
        """
        bare: TxParams = {"from": sender, "value": Wei(0)}
        # A fourth on top: what others do in between may make it cost more.
        gas = call.estimate_gas(bare) * 5 // 4
        filled = call.build_transaction(
            {
                **bare,
                "gas": gas,
                "chainId": chain_id,
                # Not asked of the node: the outbox counts nonces, and fees come last.
                "nonce": Nonce(0),
                "maxFeePerGas": Wei(0),
                "maxPriorityFeePerGas": Wei(0),
            }
        )
        to = filled.get("to")
        return cls(
            chain_id=chain_id,
            to=address(str(to)) if to else None,
            data=bytes(HexBytes(filled["data"])),
            gas=gas,
        )

    def transaction(self, *, nonce: int, fees: Fees) -> dict[str, Any]:
        """The whole transaction, to be signed."""
        called = {} if self.to is None else {"to": self.to}
        return called | {
            "chainId": self.chain_id,
            "nonce": nonce,
            "value": 0,
            "data": "0x" + self.data.hex(),
            "gas": self.gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.max_priority_fee,
        }

    def attempt(self, web3: Web3, *, sender: Address, at: BlockIdentifier = "latest") -> None:
        """Do it without sending it, to learn whether it is refused.

        Args:
            web3: the connection.
            sender: who would send it.
            at: the block whose state is asked.

        Raises:
            Web3Exception: it is refused, or the node does not answer; see `translated`.
        """
        call: dict[str, Any] = {"from": sender, "data": "0x" + self.data.hex()}
        web3.eth.call(cast(TxParams, call | ({} if self.to is None else {"to": self.to})), at)

    def to_document(self) -> str:
        """The JSON form, for the outbox."""
        return json.dumps(
            {
                "chainId": self.chain_id,
                "to": self.to,
                "data": "0x" + self.data.hex(),
                "gas": self.gas,
            }
        )

    @classmethod
    def parse(cls, document: str) -> Self:
        """Read the JSON form back. It comes from our own outbox, so it is well formed."""
        read = json.loads(document)
        return cls(
            chain_id=read["chainId"],
            to=address(read["to"]) if read["to"] else None,
            data=bytes.fromhex(read["data"][2:]),
            gas=read["gas"],
        )
