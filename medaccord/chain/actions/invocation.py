"""A function of a contract with its arguments, as data: to be sent, or to travel as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Self, TypeAlias

from web3 import Web3
from web3.contract.contract import ContractFunction

from medaccord.chain import artifacts
from medaccord.chain.deployment import Contracts
from medaccord.core.documents import MAX_INTEGER, DocumentReader
from medaccord.core.errors import InvalidDocument, InvalidIdentifier
from medaccord.core.identifiers import AccountId, address

Parameter: TypeAlias = Mapping[str, Any]
"""A parameter of a function as its ABI has it."""

PROFILE: Final = "medaccord/action/1"
"""Profile of the JSON form."""

MAX_ITEMS: Final = 256
"""Longest list that is read: guardians, or the steps of a Merkle proof."""

MAX_BYTES: Final = 4096
"""Longest bytes that are read: a signature, which a contract wallet may make long."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
_OCTETS = re.compile(r"0x((?:[0-9a-f]{2})*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A call of one of our contracts that changes its state; anybody may send it.

    Attributes:
        contract: name of the contract, one of `artifacts.CONTRACTS`.
        at: where it stands, and on which chain.
        function: name of the function.
        arguments: by the names of the ABI; a struct is a mapping, a list a tuple.
    """

    contract: str
    at: AccountId
    function: str
    arguments: Mapping[str, Any]

    def bind(self, web3: Web3) -> ContractFunction:
        """The call as web3 makes it."""
        contract = web3.eth.contract(self.at.address, abi=artifacts.load(self.contract).abi)
        return contract.functions[self.function](*self.arguments.values())

    def to_document(self) -> dict[str, Any]:
        """The JSON form: bytes in hex, integers of types wider than 53 bits as decimal text."""
        return {
            "profile": PROFILE,
            "contract": str(self.at),
            "function": self.function,
            "arguments": {
                parameter["name"]: _write(parameter, self.arguments[parameter["name"]])
                for parameter in parameters(self.contract, self.function)
            },
        }

    @classmethod
    def parse(cls, contracts: Contracts, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read the JSON form of a call of a deployment's contracts.

        Raises:
            InvalidDocument: it is anything else than `to_document` writes, or a call of a contract
                that is not of the deployment.
        """
        reader = DocumentReader.open(
            document, profile=PROFILE, required=("contract", "function", "arguments")
        )
        name = _contract_at(contracts, reader.text("contract"))
        function = reader.text("function")
        wanted = parameters(name, function)
        arguments = reader.object("arguments", required=[each["name"] for each in wanted])
        return cls(
            contract=name,
            at=contracts.account_id(contracts.address(name)),
            function=function,
            arguments=MappingProxyType(
                {each["name"]: _read(each, arguments.raw(each["name"])) for each in wanted}
            ),
        )


@cache
def parameters(contract: str, function: str) -> tuple[Parameter, ...]:
    """The parameters of a function that changes the state of a contract.

    Raises:
        InvalidDocument: the contract has no such function.
    """
    for entry in artifacts.load(contract).entries("function"):
        if entry["name"] == function and entry["stateMutability"] == "nonpayable":
            return tuple(entry["inputs"])
    raise InvalidDocument(f"{contract} has no function {function!r} that changes its state")


def _contract_at(contracts: Contracts, where: str) -> str:
    for name in artifacts.CONTRACTS:
        if where == str(contracts.account_id(contracts.address(name))):
            return name
    raise InvalidDocument(f"the action is for {where}, which is none of our contracts here")


def _element(parameter: Parameter) -> Parameter | None:
    """What a list is a list of; None where the parameter is no list."""
    kind: str = parameter["type"]
    return {**parameter, "type": kind[:-2]} if kind.endswith("[]") else None


def _is_wide(kind: str) -> bool:
    return int(kind.removeprefix("uint")) > MAX_INTEGER.bit_length()


def _write(parameter: Parameter, value: Any) -> Any:
    kind = parameter["type"]
    if element := _element(parameter):
        return [_write(element, each) for each in value]
    if kind == "tuple":
        return {part["name"]: _write(part, value[part["name"]]) for part in parameter["components"]}
    if kind.startswith("bytes"):
        return "0x" + value.hex()
    if kind.startswith("uint"):
        return str(value) if _is_wide(kind) else int(value)
    return value


def _read(parameter: Parameter, value: object) -> Any:
    kind, name = parameter["type"], parameter["name"]
    if element := _element(parameter):
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MAX_ITEMS:
            raise InvalidDocument(f"{name} is no list of at most {MAX_ITEMS}")
        return tuple(_read(element, each) for each in value)
    if kind == "tuple":
        parts = parameter["components"]
        reader = DocumentReader(value, what=name, required=[part["name"] for part in parts])
        return {part["name"]: _read(part, reader.raw(part["name"])) for part in parts}
    if kind.startswith("bytes"):
        return _read_bytes(kind, name, value)
    if kind.startswith("uint"):
        return _read_integer(kind, name, value)
    try:
        if isinstance(value, str) and address(value) == value:
            return value
    except InvalidIdentifier as error:
        raise InvalidDocument(f"{name} is no address") from error
    raise InvalidDocument(f"{name} is no address written with its checksum")


def _read_bytes(kind: str, name: str, value: object) -> bytes:
    found = _OCTETS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidDocument(f"{name} is not bytes in lower-case hexadecimal")
    octets = bytes.fromhex(found[1])
    length = int(kind.removeprefix("bytes") or 0)
    if length and len(octets) != length:
        raise InvalidDocument(f"{name} has {len(octets)} bytes, not {length}")
    if len(octets) > MAX_BYTES:
        raise InvalidDocument(f"{name} is longer than {MAX_BYTES} bytes")
    return octets


def _read_integer(kind: str, name: str, value: object) -> int:
    if _is_wide(kind):
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise InvalidDocument(f"{name} is no whole number written as text")
        number = int(value)
    elif type(value) is int:
        number = value
    else:
        raise InvalidDocument(f"{name} is no whole number")
    if not 0 <= number < 2 ** int(kind.removeprefix("uint")):
        raise InvalidDocument(f"{name} is {number}, outside {kind}")
    return number
