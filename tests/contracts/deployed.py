"""A contract on the test chain: calls by name, decoded reverts and events, and its signatures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import rlp  # type: ignore[import-untyped]  # rlp carries no types
from eth_abi.abi import decode
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.abi import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
)
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract

import medaccord
from medaccord.core.typed_data import ACTIONS
from tests.contracts.evm import Evm, Receipt, Revert

ROOT: Final = Path(__file__).resolve().parents[2]
ARTIFACTS: Final = Path(medaccord.__file__).parent / "chain" / "artifacts"
TEST_ARTIFACTS: Final = ROOT / "tests" / "contracts" / "artifacts"
CONTRACTS: Final = ("Registry", "Relationships", "Consents", "Anchors", "Consortium")

_PANIC: Final[Any] = {
    "type": "error",
    "name": "Panic",
    "inputs": [{"name": "code", "type": "uint256"}],
}


@cache
def artifact(name: str) -> dict[str, Any]:
    """The compiled contract of this name, of the package or of the tests."""
    folder = ARTIFACTS if name in CONTRACTS else TEST_ARTIFACTS
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


@cache
def _errors() -> dict[bytes, list[Any]]:
    """Every custom error by selector: a contract passes on the errors of those it calls.

    One selector can have several entries, which name their arguments differently.
    """
    found: dict[bytes, list[Any]] = {function_abi_to_4byte_selector(_PANIC): [_PANIC]}
    for path in (*ARTIFACTS.glob("*.json"), *TEST_ARTIFACTS.glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8"))["abi"]:
            if entry["type"] == "error":
                found.setdefault(function_abi_to_4byte_selector(entry), []).append(entry)
    return found


@dataclass(frozen=True, slots=True)
class Event:
    """What a contract said: the name of the event and every one of its values."""

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One contract.

    Attributes:
        name: its name, which its artifact and its EIP-712 domain carry.
        address: where it is.
        evm: the chain it is on.
    """

    name: str
    address: str
    evm: Evm
    _contract: Contract = field(repr=False)

    @classmethod
    def deploy(cls, evm: Evm, deployer: LocalAccount, name: str, *arguments: Any) -> Deployed:
        """Deploy the contract of this name.

        Raises:
            Revert: its constructor refused.
        """
        compiled = artifact(name)
        factory = Web3().eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        address = address_of_next(evm, deployer)
        evm.transact(deployer, None, _bytes(factory.constructor(*arguments).data_in_transaction))
        return cls.at(evm, name, address)

    @classmethod
    def at(cls, evm: Evm, name: str, address: str) -> Deployed:
        contract = Web3().eth.contract(
            address=Web3.to_checksum_address(address), abi=artifact(name)["abi"]
        )
        return cls(name=name, address=address, evm=evm, _contract=contract)

    def data(self, function: str, *arguments: Any) -> bytes:
        """The call data of a function."""
        return _bytes(self._contract.encode_abi(function, args=arguments))

    def send(
        self, sender: LocalAccount, function: str, *arguments: Any, at: int | None = None
    ) -> Receipt:
        """Call a function in a transaction, at the second `at` or the next.

        Raises:
            Revert: the contract refused.
        """
        return self.evm.transact(sender, self.address, self.data(function, *arguments), at=at)

    def call(self, function: str, *arguments: Any) -> Any:
        """Ask a view: one value as it is, several as a tuple, structs as dicts by field.

        Raises:
            Revert: the contract refused.
        """
        answer = self.evm.call(self.address, self.data(function, *arguments))
        outputs = self._function(function).abi["outputs"]
        values = [
            _named(output, value)
            for output, value in zip(
                outputs, decode([_type(output) for output in outputs], answer), strict=True
            )
        ]
        return values[0] if len(values) == 1 else tuple(values)

    def _function(self, function: str) -> Any:
        if "(" in function:  # an overloaded one, named with its types
            return self._contract.get_function_by_signature(function)
        return self._contract.get_function_by_name(function)

    def events(self, receipt: Receipt) -> list[Event]:
        """Every event this contract wrote in a transaction, in order."""
        abis = {
            event_abi_to_log_topic(entry): entry
            for entry in self._contract.abi
            if entry["type"] == "event"
        }
        found = []
        for log in receipt.logs:
            if log.address != self.address:
                continue
            entry = abis[log.topics[0]]
            indexed = iter(log.topics[1:])
            plain = [item for item in entry["inputs"] if not item["indexed"]]
            data = iter(decode([item["type"] for item in plain], log.data))
            values = {
                item["name"]: _named(
                    item,
                    decode([item["type"]], next(indexed))[0] if item["indexed"] else next(data),
                )
                for item in entry["inputs"]
            }
            found.append(Event(entry["name"], values))
        return found

    def sign(self, signer: Any, struct: str, message: Mapping[str, Any], **domain: Any) -> bytes:
        """The signature of a `Key` over a struct, in the contract's domain or a changed one."""
        return bytes(signer.sign_message(self._signable(struct, message, domain)).signature)

    def digest(self, struct: str, message: Mapping[str, Any]) -> bytes:
        """The EIP-712 digest of a struct in the contract's domain."""
        signable = self._signable(struct, message, {})
        return keccak(b"\x19" + signable.version + signable.header + signable.body)

    def _signable(
        self, struct: str, message: Mapping[str, Any], instead: Mapping[str, Any]
    ) -> SignableMessage:
        domain = {
            "name": f"medaccord {self.name}",
            "version": "1",
            "chainId": self.evm.chain_id,
            "verifyingContract": self.address,
        }
        types = {struct: [{"name": name, "type": kind} for kind, name in ACTIONS[struct]]}
        return encode_typed_data({**domain, **instead}, types, dict(message))


def address_of_next(evm: Evm, deployer: LocalAccount, skip: int = 0) -> str:
    """The address of the next contract that `deployer` creates, or of one after it."""
    nonce = evm.nonce_of(deployer.address) + skip
    packed = rlp.encode([to_canonical_address(deployer.address), nonce])
    return str(to_checksum_address(keccak(packed)[12:]))


@contextmanager
def expect_revert(error: str, **arguments: Any) -> Iterator[None]:
    """Expect the custom error of this name, with exactly these arguments."""
    with pytest.raises(Revert) as caught:
        yield
    assert (error, arguments) in decode_error(caught.value.data)


def decode_error(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The name and the arguments of a custom error, in every naming; the bare data if none."""
    return [
        (
            entry["name"],
            {
                item["name"]: _named(item, value)
                for item, value in zip(
                    entry["inputs"],
                    decode([_type(item) for item in entry["inputs"]], data[4:]),
                    strict=True,
                )
            },
        )
        for entry in _errors().get(data[:4], ())
    ] or [(f"0x{data.hex()}", {})]


def _type(item: Mapping[str, Any]) -> str:
    if item["type"].startswith("tuple"):
        inner = ",".join(_type(part) for part in item["components"])
        return f"({inner}){item['type'].removeprefix('tuple')}"
    return str(item["type"])


def _named(item: Mapping[str, Any], value: Any) -> Any:
    if item["type"] == "tuple":
        return {
            part["name"]: _named(part, inner)
            for part, inner in zip(item["components"], value, strict=True)
        }
    return to_checksum_address(value) if item["type"] == "address" else value


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))
