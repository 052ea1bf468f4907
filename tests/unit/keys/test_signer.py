"""Signing with a key in memory, checked against what recovers it."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from medaccord.core.errors import InvalidSetting
from medaccord.core.identifiers import address
from medaccord.core.typed_data import OFF_CHAIN, Domain, TypedData, recover, typed
from medaccord.keys import LocalSigner, Signer, unsafe_signer_from_environment

# Source: EIP-712's example, whose key is keccak256("cow").
COW = bytes.fromhex("c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4")


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner.unsafe_from_key(COW)


@pytest.fixture
def message() -> TypedData:
    patient = address("0x" + 40 * "1")
    domain = Domain(name=OFF_CHAIN, chain_id=1337, contract=address("0x" + 40 * "2"))
    return typed(domain, "Enrolment", account=patient, steward=patient, code=bytes(32), deadline=1)


def test_address_is_that_of_the_key(signer: LocalSigner) -> None:
    assert signer.address == "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"


def test_local_signer_is_a_signer(signer: LocalSigner) -> None:
    assert isinstance(signer, Signer)


def test_fresh_keys_differ() -> None:
    assert LocalSigner.create().address != LocalSigner.create().address


def test_signature_of_typed_data_recovers_the_signer(
    signer: LocalSigner, message: TypedData
) -> None:
    signature = signer.sign(message)
    assert len(signature) == 65
    assert recover(message, signature) == signer.address


def test_signature_of_typed_data_is_what_a_wallet_makes(
    signer: LocalSigner, message: TypedData
) -> None:
    wallet = Account.sign_typed_data(COW, full_message=message.full())
    assert signer.sign(message) == bytes(wallet.signature)


def test_signature_of_text_recovers_the_signer(signer: LocalSigner) -> None:
    signature = signer.sign_text("I sign in.")
    recovered = Account.recover_message(encode_defunct(text="I sign in."), signature=signature)
    assert (len(signature), recovered) == (65, signer.address)


def test_signed_transaction_is_ready_for_the_wire(signer: LocalSigner) -> None:
    transaction = {
        "chainId": 1337,
        "nonce": 7,
        "to": signer.address,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 3,
        "maxPriorityFeePerGas": 2,
    }
    raw = signer.sign_transaction(transaction)
    sent = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    assert Account.recover_transaction(raw) == signer.address
    assert {name: sent[name] for name in ("chainId", "nonce", "gas")} == {
        "chainId": 1337,
        "nonce": 7,
        "gas": 21_000,
    }


def test_key_is_not_shown(signer: LocalSigner) -> None:
    assert repr(signer) == f"LocalSigner({signer.address})"
    assert not hasattr(signer, "key")


def test_key_of_the_environment_signs(signer: LocalSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDACCORD_PRIVATE_KEY", "0x" + COW.hex())
    assert unsafe_signer_from_environment().address == signer.address


def test_key_of_the_environment_is_refused_when_it_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OTHER_KEY", raising=False)
    with pytest.raises(InvalidSetting, match="OTHER_KEY is not set: it should hold a private key"):
        unsafe_signer_from_environment("OTHER_KEY")


@pytest.mark.parametrize(
    "text", ["", COW.hex(), "0x" + COW.hex()[:-1], "0x" + 64 * "0", "0x" + 64 * "f"]
)
def test_key_of_the_environment_is_refused_and_not_told_when_it_is_none(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("MEDACCORD_PRIVATE_KEY", text)
    with pytest.raises(InvalidSetting, match="MEDACCORD_PRIVATE_KEY is no private key") as caught:
        unsafe_signer_from_environment()
    assert not text or text not in str(caught.value)
    assert caught.value.__cause__ is None
