"""A real node signs for the accounts it has unlocked, and says so where it has none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, address
from medaccord.core.typed_data import OFF_CHAIN, Domain, TypedData, recover, typed
from medaccord.keys import LocalSigner, RpcSigner
from tests.integration.anvil import CHAIN_ID, NEEDS_ANVIL, Anvil, running

pytestmark = NEEDS_ANVIL


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with running() as node:
        yield node


@pytest.fixture
def hospital(node: Anvil) -> Address:
    return address(node.call("eth_accounts")[0])


@pytest.fixture
def signer(node: Anvil, hospital: Address) -> Iterator[RpcSigner]:
    signer = RpcSigner(node.url, hospital)
    yield signer
    signer.close()


@pytest.fixture
def message(hospital: Address) -> TypedData:
    domain = Domain(name=OFF_CHAIN, chain_id=CHAIN_ID, contract=hospital)
    # Numbers beyond 53 bits go as text: what the node makes of that must be the same.
    fields = {"relationship": bytes(32), "entry": bytes(32), "head": bytes(32)}
    return typed(
        domain,
        "Receipt",
        steward=hospital,
        number=2**64 - 1,
        blockNumber=2**255,
        blockHash=32 * b"\xff",
        **fields,
    )


def test_node_signs_typed_data_as_wallets_do(
    signer: RpcSigner, hospital: Address, message: TypedData
) -> None:
    assert recover(message, signer.sign(message)) == hospital


def test_node_signs_text_as_wallets_do(signer: RpcSigner, hospital: Address) -> None:
    text = "Ich melde mich an.\n"
    signature = signer.sign_text(text)
    assert Account.recover_message(encode_defunct(text=text), signature=signature) == hospital


def test_node_takes_the_transaction_that_it_signed(
    signer: RpcSigner, hospital: Address, node: Anvil
) -> None:
    to = LocalSigner.create().address
    raw = signer.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": int(node.call("eth_getTransactionCount", hospital, "latest"), 16),
            "to": to,
            "value": 7,
            "gas": 60_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
            "data": b"\x01\x02",
        }
    )
    sent = node.call("eth_sendRawTransaction", "0x" + raw.hex())
    deadline = time.monotonic() + 30
    while node.call("eth_getTransactionReceipt", sent) is None:  # mined a moment later
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert int(node.call("eth_getBalance", to, "latest"), 16) == 7


def test_node_says_that_it_does_not_sign_for_an_account_that_it_has_not(
    node: Anvil, message: TypedData
) -> None:
    stranger = LocalSigner.create().address
    signer = RpcSigner(node.url, stranger)
    with pytest.raises(TransportError) as caught:
        signer.sign(message)
    signer.close()
    assert f"does not sign for {stranger} (eth_signTypedData_v4: " in str(caught.value)
    assert str(caught.value).endswith("unlock the account there, or use a key of the keystore")
