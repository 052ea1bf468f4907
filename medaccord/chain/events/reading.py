"""Reading one event from one log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from eth_utils.crypto import keccak

from medaccord.chain import artifacts
from medaccord.chain.events import kinds
from medaccord.chain.events.kinds import Event
from medaccord.chain.values import snake_case
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, Digest, address, digest

_WORD: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How an event lies in a log: one word a parameter, the indexed ones first."""

    made: type[Event]
    readers: tuple[tuple[str, Callable[[bytes], Any]], ...]

    def values(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Topics hold the indexed parameters, data holds the others together."""
        words = b"".join(map(bytes, log["topics"][1:])) + bytes(log["data"])
        if len(words) != _WORD * len(self.readers):
            raise TransportError(f"a log of {len(words)} bytes is no {self.made.__name__}")
        return {
            name: read(words[at : at + _WORD])
            for at, (name, read) in zip(range(0, len(words), _WORD), self.readers, strict=True)
        }


def decode(log: Mapping[str, Any], block: BlockRef) -> Event | None:
    """Read one log.

    Warning: any contract can report an event of our form. `fetching` takes ours alone; whoever
    reads other logs looks at `contract`.

    Args:
        log: as web3 gives it.
        block: the block it stands in.

    Returns:
        The event; None where its form is none of ours.

    Raises:
        TransportError: it has the name of one of ours, and another length.
    """
    layout = _LAYOUTS.get(bytes(log["topics"][0])) if log["topics"] else None
    if layout is None:
        return None
    return layout.made(
        contract=_contract(log["address"]),
        block=block,
        transaction=digest(bytes(log["transactionHash"])),
        log_index=log["logIndex"],
        **layout.values(log),
    )


def _layouts() -> dict[bytes, _Layout]:
    layouts = {}
    for contract in artifacts.CONTRACTS:
        for abi in artifacts.load(contract).entries("event"):
            made = getattr(kinds, abi["name"], None)
            if made is None:  # EIP712DomainChanged, which our contracts never report
                continue
            parameters = sorted(abi["inputs"], key=lambda each: not each["indexed"])
            signature = f"{abi['name']}({','.join(each['type'] for each in abi['inputs'])})"
            layouts[keccak(text=signature)] = _Layout(
                made=made,
                readers=tuple(
                    (snake_case(each["name"]), _reader(each["type"])) for each in parameters
                ),
            )
    return layouts


def _reader(kind: str) -> Callable[[bytes], Any]:
    if kind == "address":
        return _address
    if kind == "bytes32":
        return digest
    if kind.startswith("uint"):
        return _number
    raise ValueError(f"events of ours hold words alone, not {kind}")


@lru_cache(maxsize=2**16)
def _address(word: bytes) -> Address:
    return address("0x" + word[-20:].hex())


@lru_cache(maxsize=2**8)
def _contract(text: str) -> Address:
    return address(text.lower())


def _number(word: bytes) -> int:
    return int.from_bytes(word, "big")


_LAYOUTS: Final = _layouts()

TOPIC_OF: Final = {layout.made: Digest(topic) for topic, layout in _LAYOUTS.items()}
"""The first topic of each kind of event: the hash of its signature."""
