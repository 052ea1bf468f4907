"""Somebody who reads everything on the chain, and asks which accounts are one person's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hexbytes import HexBytes

from medaccord.chain import Network
from medaccord.core.identifiers import Address

_WORD: Final = 32
_SMALL: Final = 2**64
_SIGNS: Final = {(27 << 248).to_bytes(_WORD), (28 << 248).to_bytes(_WORD)}
"""The last word of a signature, which is one of two for everybody."""


def word(account: Address) -> bytes:
    """An address as calldata, topics and storage hold it."""
    return bytes.fromhex(account[2:]).rjust(_WORD, b"\0")


class Observer:
    """Knows, for each account, every value of every transaction that had to do with it.

    Who sent it, who got it, what was in its calldata, and what the contracts reported.

    Attributes:
        ends: everybody who ever sent or got a transaction.
    """

    def __init__(self, network: Network, public: Iterable[Address]) -> None:
        """Read the whole chain.

        Args:
            network: the chain.
            public: addresses that everybody knows and shares: of contracts and organisations.
        """
        self._public = {word(each) for each in public}
        self._seen: dict[bytes, set[bytes]] = defaultdict(set)
        self._senders: dict[bytes, set[bytes]] = defaultdict(set)
        self.ends: set[bytes] = set()
        for sender, receiver, said in _transactions(network):
            self.ends |= {sender, receiver}
            for value in said:
                self._seen[value] |= said | {sender, receiver}
                self._senders[value].add(sender)

    def about(self, account: Address) -> set[bytes]:
        """Every value that was in one transaction with an account."""
        return self._seen.get(word(account), set()) - {word(account)}

    def senders(self, account: Address) -> set[bytes]:
        """Who sent the transactions that had to do with an account."""
        return self._senders.get(word(account), set())

    def links(self, one: Address, other: Address) -> set[bytes]:
        """What two accounts share, and not everybody does.

        Numbers below 2^64 are left out: counters, powers and times. What is left is an address, a
        hash, a salt, a topic, a commitment, or a part of a signature.
        """
        shared = self.about(one) & self.about(other)
        if word(other) in self.about(one):
            shared.add(word(other))
        return {
            value for value in shared - self._public - _SIGNS if int.from_bytes(value) >= _SMALL
        }


def _transactions(network: Network) -> Iterator[tuple[bytes, bytes, set[bytes]]]:
    """Sender, receiver and every value of each transaction, 32 bytes each."""
    eth = network.web3.eth
    reported: dict[bytes, set[bytes]] = defaultdict(set)
    for log in eth.get_logs({"fromBlock": 0, "toBlock": network.head().number}):
        values = {bytes(topic) for topic in log["topics"]} | _words(bytes(log["data"]))
        reported[bytes(log["transactionHash"])] |= values - {bytes(log["topics"][0])}
    for number in range(eth.block_number + 1):
        for transaction in eth.get_block(number, full_transactions=True)["transactions"]:
            members: Any = transaction  # eth-tester calls the input data
            sent = HexBytes(members["input"] if "input" in members else members["data"])
            receiver = word(members["to"]) if members.get("to") else bytes(_WORD)
            # What is called begins with four bytes that name the function.
            said = _words(bytes(sent)[4:]) | reported[bytes(members["hash"])]
            yield word(members["from"]), receiver, said


def _words(data: bytes) -> set[bytes]:
    return {data[at : at + _WORD].ljust(_WORD, b"\0") for at in range(0, len(data), _WORD)}
