"""What the embedded node answers, written as a node on a network writes it.

In process, eth-tester's answers do: web3 takes numbers for numbers. Programs elsewhere want every
number and filter in hexadecimal, and the names of the specification.

Source: Ethereum JSON-RPC specification, "Hex value encoding" and the schemas of blocks,
transactions and receipts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from medaccord.chain.headers import bloom_of

_BLOOM_BYTES: Final = 256
_WORD_BYTES: Final = 32

_TRANSACTION_NAMES: Final = {"data": "input"}
_RECEIPTS: Final = ("eth_getTransactionReceipt", "eth_getBlockReceipts")


def written(method: str, result: object) -> Any:
    """What JSON holds for a result of a method.

    Args:
        method: such as `eth_getBlockByNumber`.
        result: as the embedded node gives it.

    Raises:
        TypeError: JSON has no such value.
    """
    if isinstance(result, Mapping):
        if method.startswith("eth_getBlockBy"):
            return _block(result)
        if method.startswith("eth_getTransactionBy"):
            return _transaction(result)
        if method in _RECEIPTS:
            return _receipt(result)
    if method in _RECEIPTS and isinstance(result, list):
        return [_receipt(each) for each in result]
    return hexadecimal(result)


def hexadecimal(value: object) -> Any:
    """A value with its numbers and bytes in hexadecimal, and all else as it is.

    Raises:
        TypeError: JSON has no such value.
    """
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {str(name): hexadecimal(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [hexadecimal(each) for each in value]
    raise TypeError(f"JSON has no {type(value).__name__}")


def _block(block: Mapping[str, Any]) -> Any:
    transactions = [
        _transaction(each) if isinstance(each, Mapping) else each for each in block["transactions"]
    ]
    bloom = block["logsBloom"].to_bytes(_BLOOM_BYTES, "big")
    return hexadecimal({**block, "transactions": transactions, "logsBloom": bloom})


def _transaction(transaction: Mapping[str, Any]) -> Any:
    named = {_TRANSACTION_NAMES.get(name) or _camel(name): v for name, v in transaction.items()}
    if "accessList" in named:
        named["accessList"] = [_accessed(each) for each in named["accessList"]]
    return hexadecimal(named)


def _accessed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One account of an access list; eth-tester writes the keys of its storage as numbers."""
    named = {_camel(name): value for name, value in entry.items()}
    keys = [
        key.to_bytes(_WORD_BYTES, "big") if isinstance(key, int) else key
        for key in named["storageKeys"]
    ]
    return {**named, "storageKeys": keys}


def _receipt(receipt: Mapping[str, Any]) -> Any:
    filtered = (value for log in receipt["logs"] for value in (log["address"], *log["topics"]))
    bloom = bloom_of(bytes.fromhex(each[2:]) for each in filtered)
    named = {_camel(name): value for name, value in receipt.items()}
    named.pop("stateRoot", None)  # of receipts before Byzantium
    named["logs"] = [{**log, "removed": False} for log in receipt["logs"]]
    return hexadecimal({**named, "logsBloom": bloom.to_bytes(_BLOOM_BYTES, "big")})


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
