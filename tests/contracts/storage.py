"""Everything a contract has stored, read from the chain's own trie: nothing can hide from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import rlp  # type: ignore[import-untyped]  # rlp carries no types
from eth.rlp.accounts import Account
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from trie import HexaryTrie  # type: ignore[import-untyped]  # trie carries no types
from trie.iter import NodeIterator  # type: ignore[import-untyped]  # trie carries no types

from tests.contracts.deployed import Deployed


def storage_of(contract: Deployed) -> dict[bytes, bytes]:
    """Every slot of a contract that is not zero, by the hash of its position."""
    chain = contract.evm._backend.chain
    database = chain.chaindb.db
    accounts = HexaryTrie(database, chain.get_canonical_head().state_root)
    account = rlp.decode(accounts[keccak(to_canonical_address(contract.address))], sedes=Account)
    storage = HexaryTrie(database, account.storage_root)
    return dict(NodeIterator(storage).items())


@contextmanager
def only_writes(slots: int, contract: Deployed, *others: Deployed) -> Iterator[None]:
    """Expect exactly this many slots of `contract`, and none of `others`, to change."""
    before = storage_of(contract)
    before_of_others = [storage_of(other) for other in others]
    yield
    after = storage_of(contract)
    changed = [
        position
        for position in before.keys() | after.keys()
        if before.get(position) != after.get(position)
    ]
    assert len(changed) == slots
    assert [storage_of(other) for other in others] == before_of_others
