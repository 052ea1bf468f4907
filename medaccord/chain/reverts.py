"""What a contract says when it refuses, as exceptions: one class for every error of the ABIs.

    try:
        actions.submit(sender, action)
    except reverts.ConsentRevokedAlready as error:
        print(error.consent_id)

The classes are made from the ABIs that the package carries, so they cannot fall behind. Their
attributes are the error's parameters in snake case: `Address`, `Digest` (for bytes32) or `int`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak
from web3.exceptions import ContractLogicError, Web3Exception

from medaccord.chain import artifacts
from medaccord.chain.values import from_abi, snake_case
from medaccord.core.errors import ContractReverted, MedaccordError, TransportError

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_PANIC: Final = keccak(text="Panic(uint256)")[:4]


class Reverted(ContractReverted):
    """A contract refused; on its own, in words that are not among our errors.

    Attributes:
        data: what the contract returned: selector and parameters, or nothing.
        values: the parameters by their Solidity names; empty where the error is not ours.
    """

    parameters: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(Solidity type, name) of each parameter."""

    def __init__(self, message: str, *, data: bytes = b"") -> None:
        """Keep what the contract returned.

        Args:
            message: one line for a person.
            data: see `Reverted`.
        """
        super().__init__(message)
        self.data = data
        self.values: Mapping[str, Any] = MappingProxyType({})


def from_data(data: bytes, *, message: str = "the contract refused") -> Reverted:
    """The exception for what a contract returned as it refused.

    Args:
        data: selector and parameters, or nothing.
        message: what to say where the data is none of our errors.
    """
    made = _BY_SELECTOR.get(data[:4])
    if made is None:
        return Reverted(message, data=data)
    try:
        decoded = decode([kind for kind, _ in made.parameters], data[4:])
    except DecodingError:
        return Reverted(f"malformed {made.__name__}", data=data)
    values = {
        name: from_abi(kind, value)
        for (kind, name), value in zip(made.parameters, decoded, strict=True)
    }
    shown = ", ".join(f"{name}={_shown(value)}" for name, value in values.items())
    error = made(f"{made.__name__}({shown})", data=data)
    error.values = MappingProxyType(values)
    return error


def translate(error: Exception) -> MedaccordError:
    """An exception of web3, or of the connection under it, as one of ours.

    Returns:
        A `Reverted` where a contract refused, a `TransportError` where the node did, or could not
        be reached, or answered nonsense; an exception of ours as it is.
    """
    if isinstance(error, MedaccordError):
        return error
    if isinstance(error, ContractLogicError):
        data = _revert_data(error.data)
        if data[:4] == _PANIC:
            return Reverted(f"the contract panicked: {error.message}", data=data)
        return from_data(data, message=f"the contract refused: {error.message}")
    return TransportError(f"the node did not do what was asked: {error}")


@contextmanager
def translated() -> Iterator[None]:
    """Translate what web3 and the connection raise within the block.

    Raises:
        ContractReverted: a contract refused.
        TransportError: the node did, or could not be reached, or answered nonsense.
    """
    try:
        yield
    except (Web3Exception, OSError, json.JSONDecodeError) as error:
        raise translate(error) from error


def _revert_data(data: object) -> bytes:
    """Revert data as clients put it: `0x…`, `Reverted 0x…`, or either inside an object."""
    if isinstance(data, Mapping):
        return next(filter(None, map(_revert_data, data.values())), b"")
    found = _HEX.search(data) if isinstance(data, str) else None
    return bytes.fromhex(found[0][2:]) if found else b""


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _make_classes() -> dict[bytes, type[Reverted]]:
    classes: dict[bytes, type[Reverted]] = {}
    for contract in artifacts.CONTRACTS:
        for error in artifacts.load(contract).entries("error"):
            kinds = tuple(parameter["type"] for parameter in error["inputs"])
            names = tuple(parameter["name"] for parameter in error["inputs"])
            selector = keccak(text=f"{error['name']}({','.join(kinds)})")[:4]
            made = classes.get(selector) or _make_class(
                error["name"],
                f"{contract} refused: {error['name']}({', '.join(names)}).",
                tuple(zip(kinds, names, strict=True)),
            )
            # Two contracts may name the parameters of one error each in its own way.
            for (_, first), name in zip(made.parameters, names, strict=True):
                setattr(made, snake_case(name), _parameter(first))
            classes[selector] = made
    return classes


def _make_class(name: str, doc: str, parameters: tuple[tuple[str, str], ...]) -> type[Reverted]:
    members = {"__doc__": doc, "__module__": __name__, "parameters": parameters}
    return type(name, (Reverted,), members)


def _parameter(name: str) -> property:
    return property(lambda error: error.values[name], doc=f"The parameter `{name}`.")


_BY_SELECTOR: Final = _make_classes()
globals().update({made.__name__: made for made in _BY_SELECTOR.values()})


def __getattr__(name: str) -> type[Any]:
    """Tell a type checker that the classes are there, and a person which ones are."""
    known = ", ".join(sorted(made.__name__ for made in _BY_SELECTOR.values()))
    raise AttributeError(f"no contract has the error {name}; there are {known}")
