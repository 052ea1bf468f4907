"""What can go on chain: every ABI takes and gives addresses, integers, bytes32 and signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.contracts.deployed import CONTRACTS, artifact

EXEMPT = {
    # EIP-5267 publishes the signing domain: name and version, constants of the code.
    "eip712Domain",
    # OpenZeppelin's constructor refuses a domain name that is too long: never a deployed contract.
    "StringTooLong",
}


def types_of(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and the type of a parameter and of every field inside it."""
    yield item["name"], item["type"]
    for part in item.get("components", ()):
        yield from types_of(part)


def parameters() -> list[tuple[str, str, str, str]]:
    """(contract, entry, parameter or field, type) of everything in every ABI."""
    return [
        (contract, entry.get("name", entry["type"]), name, kind)
        for contract in CONTRACTS
        for entry in artifact(contract)["abi"]
        for item in (*entry.get("inputs", ()), *entry.get("outputs", ()))
        for name, kind in types_of(item)
    ]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_abi_has_no_text(contract: str) -> None:
    texts = {
        entry for where, entry, _, kind in parameters() if where == contract and "string" in kind
    }
    assert texts <= EXEMPT


@pytest.mark.parametrize("contract", CONTRACTS)
def test_abi_has_no_free_bytes_when_they_are_no_signature(contract: str) -> None:
    free = {
        (entry, name)
        for where, entry, name, kind in parameters()
        if where == contract and kind.startswith("bytes") and kind in ("bytes", "bytes[]")
    }
    assert {name for _, name in free} <= {"signature"}


def test_abi_walk_sees_the_signatures_inside_structs() -> None:
    assert ("Registry", "startRecovery", "signature", "bytes") in parameters()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_abi_cannot_be_paid(contract: str) -> None:
    payable = [
        entry for entry in artifact(contract)["abi"] if entry.get("stateMutability") == "payable"
    ]
    assert payable == []


@pytest.mark.parametrize("contract", CONTRACTS)
def test_code_fits_the_limit_of_every_network(contract: str) -> None:
    size = len(artifact(contract)["deployedBytecode"].removeprefix("0x")) // 2
    assert 0 < size <= 24_576  # EIP-170
