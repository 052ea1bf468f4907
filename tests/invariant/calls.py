"""Calls encoded and answers decoded without web3, whose checks would take most of a long run."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import (
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)
from eth_utils.address import to_checksum_address

from tests.contracts.deployed import Deployed, artifact


@cache
def _function(contract: str, function: str) -> tuple[bytes, list[str], list[str]]:
    """The selector of a function and the types of what goes in and comes out."""
    (entry,) = (
        entry
        for entry in artifact(contract)["abi"]
        if entry["type"] == "function" and entry["name"] == function
    )
    return (
        bytes(function_abi_to_4byte_selector(entry)),
        get_abi_input_types(entry),
        get_abi_output_types(entry),
    )


def call_data(contract: Deployed, function: str, *arguments: Any) -> bytes:
    """The call data of a function."""
    selector, types, _ = _function(contract.name, function)
    return selector + encode(types, arguments)


def ask(contract: Deployed, function: str, *arguments: Any) -> Any:
    """Ask a view: one value as it is, several and structs as tuples."""
    _, _, types = _function(contract.name, function)
    answer = contract.evm.call(contract.address, call_data(contract, function, *arguments))
    values = tuple(
        to_checksum_address(value) if kind == "address" else value
        for kind, value in zip(types, decode(types, answer), strict=True)
    )
    return values[0] if len(values) == 1 else values
