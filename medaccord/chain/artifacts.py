"""The compiled contracts that this package carries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

CONTRACTS: Final = ("Registry", "Relationships", "Consents", "Anchors", "Consortium")
"""Every contract of a deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract.

    Attributes:
        name: of the contract.
        abi: its JSON ABI.
        bytecode: what a deploying transaction carries, without constructor arguments.
        deployed_bytecode: what stands at its address, with zeros where immutables go.
        immutable_references: (start, length) in bytes of each place an immutable goes.
        compiler: version and settings it was compiled with.
    """

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    immutable_references: tuple[tuple[int, int], ...]
    compiler: Mapping[str, Any]

    def entries(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """The ABI's entries of one kind: `function`, `event`, `error` or `constructor`."""
        return tuple(entry for entry in self.abi if entry["type"] == kind)

    def is_code(self, code: bytes) -> bool:
        """Whether deployed code is this contract's, whatever its immutables hold."""
        return self._masked(code) == self._masked(self.deployed_bytecode)

    def _masked(self, code: bytes) -> bytes:
        masked = bytearray(code)
        for start, length in self.immutable_references:
            masked[start : start + length] = bytes(length)
        return bytes(masked)


@cache
def load(name: str) -> Artifact:
    """Read one of the `CONTRACTS` from the package.

    Raises:
        KeyError: no contract has that name.
    """
    if name not in CONTRACTS:
        raise KeyError(f"no contract {name}; there are {', '.join(CONTRACTS)}")
    document = json.loads(files(__package__).joinpath("artifacts", f"{name}.json").read_bytes())
    references = document["immutableReferences"].values()
    return Artifact(
        name=document["contractName"],
        abi=tuple(document["abi"]),
        bytecode=_code(document["bytecode"]),
        deployed_bytecode=_code(document["deployedBytecode"]),
        immutable_references=tuple(
            (place["start"], place["length"]) for places in references for place in places
        ),
        compiler=document["compiler"],
    )


def _code(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
