"""The record of a deployment: which contracts stand where, on exactly which chain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self, TypeAlias

from medaccord.chain import artifacts
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDeployment, InvalidDocument
from medaccord.core.identifiers import Address, Digest, hex_digest

Argument: TypeAlias = str | int
"""A constructor's argument as the record has it: an integer, or bytes or an address in hex."""

_PROFILE: Final = "medaccord/deployment/1"
_CONTRACT_MEMBERS: Final = ("address", "arguments", "block", "deployer", "transaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedContract:
    """One contract of a deployment.

    Attributes:
        address: where it stands.
        deployer: who sent the transaction that made it.
        transaction: hash of that transaction.
        block: number of its block.
        arguments: the constructor's arguments, in order.
    """

    address: Address
    deployer: Address
    transaction: Digest
    block: int
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The record of a deployment. It is public; nothing in it is secret.

    Attributes:
        chain_id: EIP-155 chain id.
        genesis_hash: hash of block 0, which tells two chains of one id apart.
        contracts: by name, every one of `artifacts.CONTRACTS`.
    """

    chain_id: int
    genesis_hash: Digest
    contracts: Mapping[str, DeployedContract]

    @property
    def first_block(self) -> int:
        """The block before which no event of these contracts can stand."""
        return min(contract.block for contract in self.contracts.values())

    def to_json(self) -> str:
        """The record as text: sorted, so that one deployment has one text."""
        document = {
            "profile": _PROFILE,
            "chainId": self.chain_id,
            "genesisHash": hex_digest(self.genesis_hash),
            "contracts": {
                name: {
                    "address": contract.address,
                    "deployer": contract.deployer,
                    "transaction": hex_digest(contract.transaction),
                    "block": contract.block,
                    "arguments": list(contract.arguments),
                }
                for name, contract in self.contracts.items()
            },
        }
        return json.dumps(document, indent=2, sort_keys=True) + "\n"

    def save(self, path: Path) -> None:
        """Write the record to a file, making its folder if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InvalidDeployment: the text is no such record, or a contract is missing from it.
        """
        try:
            record = DocumentReader.open(
                text, profile=_PROFILE, required=("chainId", "genesisHash", "contracts")
            )
            contracts = record.object("contracts", required=artifacts.CONTRACTS)
            return cls(
                chain_id=record.integer("chainId", minimum=1),
                genesis_hash=record.digest("genesisHash"),
                contracts=MappingProxyType(
                    {
                        name: _contract(contracts.object(name, required=_CONTRACT_MEMBERS))
                        for name in artifacts.CONTRACTS
                    }
                ),
            )
        except InvalidDocument as error:
            raise InvalidDeployment(f"this is no record of a deployment: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the record in a file.

        Raises:
            InvalidDeployment: there is no such file, or it holds no record of a deployment.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InvalidDeployment(
                f"no record of a deployment at {path}: deploy the contracts, or name the record of "
                "those you want to use"
            ) from error
        return cls.parse(content)


def _contract(record: DocumentReader) -> DeployedContract:
    arguments = record.raw("arguments")
    if not isinstance(arguments, list) or not all(type(each) in (str, int) for each in arguments):
        raise InvalidDocument("arguments are no list of strings and integers")
    return DeployedContract(
        address=record.address("address"),
        deployer=record.address("deployer"),
        transaction=record.digest("transaction"),
        block=record.integer("block"),
        arguments=tuple(arguments),
    )
