"""Everything that an embedded chain holds, as bytes: what was sent, what was told, what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import rlp  # type: ignore[import-untyped]  # rlp carries no types
from eth.rlp.accounts import Account
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from trie import HexaryTrie  # type: ignore[import-untyped]  # trie carries no types
from trie.iter import NodeIterator  # type: ignore[import-untyped]  # trie carries no types

from medaccord.chain import Contracts, Network
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import Address


def calldata(network: Network) -> Iterator[tuple[str, bytes]]:
    """Input of every transaction, deployments included."""
    eth = network.web3.eth
    for number in range(eth.block_number + 1):
        for transaction in eth.get_block(number, full_transactions=True)["transactions"]:
            members: Any = transaction  # eth-tester calls the input data
            sent = members["input"] if "input" in members else members["data"]
            yield f"calldata in block {number}", bytes(HexBytes(sent))


def logs(network: Network, contracts: Contracts) -> Iterator[tuple[str, bytes]]:
    """Topics and data of every log."""
    found = network.web3.eth.get_logs({"fromBlock": 0, "toBlock": network.head().number})
    for log in found:
        assert log["address"] in contracts.addresses
        parts = [*(bytes(topic) for topic in log["topics"]), bytes(log["data"])]
        yield f"log in block {log['blockNumber']}", b"".join(parts)


def storage(chain: EmbeddedChain, contract: Address) -> Iterator[tuple[str, bytes]]:
    """Every slot of a contract that is not zero, as it stands after the last block."""
    inside: Any = chain
    database, head = _database(chain), inside._node._backend.chain.get_canonical_head()
    accounts = HexaryTrie(database, head.state_root)
    account = rlp.decode(accounts[keccak(to_canonical_address(contract))], sedes=Account)
    for position, value in NodeIterator(HexaryTrie(database, account.storage_root)).items():
        yield f"slot {position.hex()[:8]} of {contract}", value


def everything(chain: EmbeddedChain) -> Iterator[tuple[str, bytes]]:
    """Whatever the node keeps: blocks, transactions, receipts, code, and every state there was."""
    store: Any = _database(chain)
    while not hasattr(store, "kv_store"):
        store = store.wrapped_db
    for key, value in store.kv_store.items():
        yield f"entry {key.hex()[:8]} of the node's database", key + value


def _database(chain: EmbeddedChain) -> Any:
    inside: Any = chain  # a node on a network would answer debug_ calls instead
    return inside._node._backend.chain.chaindb.db
