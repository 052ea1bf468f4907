"""A call made ready: everything of a transaction but nonce and fees, also after a restart."""

from __future__ import annotations

import json

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from medaccord.chain.fees import Fees
from medaccord.chain.prepared import Prepared
from medaccord.core.identifiers import Address, address
from medaccord.keys import LocalSigner

SOMEWHERE = address("0x" + "11" * 20)
FEES = Fees(max_fee=30, max_priority_fee=3)


def prepared(to: Address | None = SOMEWHERE) -> Prepared:
    return Prepared(chain_id=1337, to=to, data=b"\x00\xff", gas=90_000)


@pytest.mark.parametrize("to", [SOMEWHERE, None])
def test_prepared_call_is_read_back_as_it_was_written(to: Address | None) -> None:
    made = prepared(to)
    assert Prepared.parse(made.to_document()) == made


def test_document_says_nothing_of_nonce_and_fees() -> None:
    assert json.loads(prepared().to_document()).keys() == {"chainId", "to", "data", "gas"}


@pytest.mark.parametrize("to", [SOMEWHERE, None])
def test_transaction_is_signed_as_it_was_prepared(to: Address | None) -> None:
    signer = LocalSigner.create()
    raw = signer.sign_transaction(prepared(to).transaction(nonce=5, fees=FEES))
    assert Account.recover_transaction(raw) == signer.address
    signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    assert (signed["chainId"], signed["nonce"], signed["gas"]) == (1337, 5, 90_000)
    assert (signed["maxFeePerGas"], signed["maxPriorityFeePerGas"]) == (30, 3)
    assert (signed["value"], bytes(signed["data"])) == (0, b"\x00\xff")
    assert bytes(signed["to"]) == (b"" if to is None else b"\x11" * 20)
