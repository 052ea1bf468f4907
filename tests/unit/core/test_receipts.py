"""A receipt binds a steward to one entry of one log."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from medaccord.core.audit import GENESIS, chain_head
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import (
    InvalidDocument,
    InvalidInput,
    ReceiptMismatch,
    SignatureMismatch,
)
from medaccord.core.identifiers import Digest, address
from medaccord.core.receipts import Receipt, SignedReceipt, check_in_log, verify_receipt
from medaccord.core.typed_data import OFF_CHAIN, Domain

HOSPITAL = address("0x" + "11" * 20)
STRANGER = address("0x" + "22" * 20)
CONSENTS = address("0x" + "33" * 20)
GATEKEEPER: LocalAccount = Account.from_key(b"\x01" * 32)
SIGNERS = {address(GATEKEEPER.address)}
DOMAIN = Domain(name=OFF_CHAIN, chain_id=1337, contract=CONSENTS)

LOG = [Digest(keccak(bytes([number]))) for number in range(5)]
HEAD = GENESIS
for _number, _commitment in enumerate(LOG[:3], start=1):
    HEAD = chain_head(HEAD, _number, _commitment)
RECEIPT = Receipt(
    steward=HOSPITAL,
    relationship=Digest(b"\x07" * 32),
    number=3,
    entry=LOG[2],
    head=HEAD,
    block_number=12,
    block_hash=Digest(b"\x0b" * 32),
)


def sign(receipt: Receipt, domain: Domain = DOMAIN) -> SignedReceipt:
    signed = GATEKEEPER.sign_message(receipt.typed(domain).signable())
    return SignedReceipt(receipt=receipt, signature=bytes(signed.signature))


SIGNED = sign(RECEIPT)
OTHER = Digest(b"\x09" * 32)


def test_receipt_is_accepted_when_the_steward_s_gatekeeper_signed_it() -> None:
    verify_receipt(SIGNED, DOMAIN, steward=HOSPITAL, signers=SIGNERS)


CHANGES: list[dict[str, Any]] = [
    {"relationship": OTHER},
    {"number": 4},
    {"entry": OTHER},
    {"head": OTHER},
    {"block_number": 13},
    {"block_hash": OTHER},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_receipt_is_refused_when_one_field_was_changed(change: dict[str, Any]) -> None:
    forged = replace(SIGNED, receipt=replace(RECEIPT, **change))
    with pytest.raises(ReceiptMismatch, match=f"may not sign for {HOSPITAL}"):
        verify_receipt(forged, DOMAIN, steward=HOSPITAL, signers=SIGNERS)


def test_receipt_is_refused_when_it_is_another_steward_s() -> None:
    with pytest.raises(ReceiptMismatch, match=f"by {HOSPITAL}, not by {STRANGER}"):
        verify_receipt(SIGNED, DOMAIN, steward=STRANGER, signers=SIGNERS)


def test_receipt_is_refused_when_the_signer_may_not_sign_for_the_steward() -> None:
    with pytest.raises(ReceiptMismatch, match=f"signed by {GATEKEEPER.address}"):
        verify_receipt(SIGNED, DOMAIN, steward=HOSPITAL, signers={STRANGER})


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"contract": STRANGER}])
def test_receipt_is_refused_when_it_was_signed_for_another_network(change: dict[str, Any]) -> None:
    with pytest.raises(ReceiptMismatch, match=f"may not sign for {HOSPITAL}"):
        verify_receipt(
            sign(RECEIPT, replace(DOMAIN, **change)), DOMAIN, steward=HOSPITAL, signers=SIGNERS
        )


def test_receipt_is_refused_when_its_signature_is_cut() -> None:
    with pytest.raises(SignatureMismatch, match="has 64 bytes, not 65"):
        verify_receipt(
            replace(SIGNED, signature=SIGNED.signature[:64]),
            DOMAIN,
            steward=HOSPITAL,
            signers=SIGNERS,
        )


def test_receipt_is_refused_when_the_domain_is_a_contract_s() -> None:
    with pytest.raises(InvalidInput, match="Receipt is signed under 'medaccord'"):
        RECEIPT.typed(replace(DOMAIN, name="medaccord Consents"))


def test_receipt_comes_back_when_written_and_read() -> None:
    assert SignedReceipt.parse(SIGNED.document()) == SIGNED
    assert SignedReceipt.parse(document_bytes(SIGNED.document())) == SIGNED


@pytest.mark.parametrize("member", sorted(SIGNED.document().keys() - {"profile"}))
def test_receipt_is_refused_when_a_member_is_missing(member: str) -> None:
    document = SIGNED.document()
    del document[member]
    with pytest.raises(InvalidDocument, match=f"medaccord/receipt/1 lacks {member}"):
        SignedReceipt.parse(document)


@pytest.mark.parametrize("number", [0, 2**53])
def test_receipt_is_refused_when_its_number_is_out_of_range(number: int) -> None:
    with pytest.raises(InvalidDocument, match=f"a receipt for entry {number} at block 12"):
        replace(RECEIPT, number=number)


# ---- held against a log


@pytest.mark.parametrize("length", [3, 4, 5])
def test_log_fits_the_receipt_when_it_holds_the_entry(length: int) -> None:
    check_in_log(RECEIPT, LOG[:length])


@pytest.mark.parametrize("length", [0, 2])
def test_log_is_shown_false_when_it_ends_before_the_entry(length: int) -> None:
    with pytest.raises(ReceiptMismatch, match=f"has {length} entries, but .* signed for 3"):
        check_in_log(RECEIPT, LOG[:length])


def test_log_is_shown_false_when_it_holds_another_entry() -> None:
    with pytest.raises(ReceiptMismatch, match="entry 3 of the log is not the one in the receipt"):
        check_in_log(RECEIPT, [*LOG[:2], OTHER, *LOG[3:]])


def test_log_is_shown_false_when_it_differs_before_the_entry() -> None:
    with pytest.raises(ReceiptMismatch, match="the log before entry 3 is not the one"):
        check_in_log(RECEIPT, [OTHER, *LOG[1:]])
