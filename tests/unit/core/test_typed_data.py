"""Typed data hashes as wallets hash it, and a signature counts for one message only."""

import json
import re
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidIdentifier, InvalidInput, SignatureMismatch
from medaccord.core.identifiers import Address, address
from medaccord.core.typed_data import ACTIONS, DOMAIN_OF, Domain, TypedData, recover, typed

CONTRACT = address("0x" + "c0" * 20)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SOLIDITY = Path(__file__).parents[3] / "contracts"


@pytest.fixture
def patient() -> LocalAccount:
    account: LocalAccount = Account.from_key(b"\x01" * 32)
    return account


def domain(primary_type: str, *, chain_id: int = 1337, contract: Address = CONTRACT) -> Domain:
    return Domain(name=DOMAIN_OF[primary_type], chain_id=chain_id, contract=contract)


def example(primary_type: str, seed: int = 7) -> TypedData:
    values: dict[str, object] = {}
    for index, (kind, name) in enumerate(ACTIONS[primary_type]):
        filler = (seed + index) % 200 + 1
        if kind == "address":
            values[name] = "0x" + f"{filler:02x}" * 20
        elif kind == "bytes32":
            values[name] = bytes([filler]) * 32
        else:
            values[name] = filler
    return typed(domain(primary_type), primary_type, **values)


@pytest.mark.parametrize("primary_type", ACTIONS)
def test_digest_equals_the_one_of_eth_account_for_every_structure(primary_type: str) -> None:
    message = example(primary_type)

    theirs = encode_typed_data(full_message=message.full())

    assert message.signable() == theirs
    assert message.domain.separator == theirs.header
    assert message.struct_hash == theirs.body


@pytest.mark.parametrize("primary_type", ACTIONS)
def test_full_message_survives_json_for_every_structure(primary_type: str) -> None:
    message = example(primary_type)

    theirs = encode_typed_data(full_message=json.loads(json.dumps(message.full())))

    assert theirs == message.signable()


def test_digest_is_the_known_one_of_a_consent() -> None:
    consent = typed(
        domain("Consent"),
        "Consent",
        patient="0x" + "11" * 20,
        grantee="0x" + "22" * 20,
        terms=b"\x33" * 32,
        validFrom=1_800_000_000,
        validUntil=1_802_592_000,
        request=bytes(32),
        epoch=0,
    )

    assert (
        consent.digest().hex() == "9ef43ea496fba61bae710f8c90c2761daeae1e376b8fdf75042e61dc1643aca2"
    )


@pytest.mark.skipif(not SOLIDITY.is_dir(), reason="only a checkout holds the Solidity sources")
@pytest.mark.parametrize(
    "primary_type", [name for name, home in DOMAIN_OF.items() if home != "medaccord"]
)
def test_structure_is_spelled_in_the_contracts_as_here(primary_type: str) -> None:
    spelled = (
        f"{primary_type}({','.join(f'{kind} {name}' for kind, name in ACTIONS[primary_type])})"
    )
    sources = "".join(path.read_text() for path in sorted(SOLIDITY.rglob("*.sol")))
    joined = re.sub(r'"\s+"', "", sources)  # a long Solidity literal is written in pieces

    assert f'"{spelled}"' in joined


def test_recover_gives_the_signer(patient: LocalAccount) -> None:
    consent = example("Consent")
    signature = patient.sign_message(consent.signable()).signature

    assert recover(consent, bytes(signature)) == patient.address


@pytest.mark.parametrize(
    "other",
    [
        example("Consent", seed=8),
        TypedData(
            domain=domain("Consent", chain_id=1338),
            primary_type="Consent",
            fields=ACTIONS["Consent"],
            message=example("Consent").message,
        ),
        TypedData(
            domain=domain("Consent", contract=address("0x" + "c1" * 20)),
            primary_type="Consent",
            fields=ACTIONS["Consent"],
            message=example("Consent").message,
        ),
    ],
    ids=["another message", "another chain", "another contract"],
)
def test_recover_gives_somebody_else_for_anything_but_what_was_signed(
    patient: LocalAccount, other: TypedData
) -> None:
    signature = patient.sign_message(example("Consent").signable()).signature

    assert recover(other, bytes(signature)) != patient.address


def test_proposal_and_acceptance_of_the_same_values_have_different_digests() -> None:
    digests = {
        example(name).struct_hash for name in ("Proposal", "Acceptance", "Decline", "Ending")
    }

    assert len(digests) == 4


@pytest.mark.parametrize("length", [0, 64, 66])
def test_recover_refuses_a_signature_of_wrong_length(length: int) -> None:
    with pytest.raises(SignatureMismatch, match=f"has {length} bytes, not 65"):
        recover(example("Consent"), bytes(length))


def test_recover_refuses_a_malleable_signature(patient: LocalAccount) -> None:
    consent = example("Consent")
    signed = patient.sign_message(consent.signable())
    flipped = signed.r.to_bytes(32) + (ORDER - signed.s).to_bytes(32) + bytes([55 - signed.v])

    with pytest.raises(SignatureMismatch, match="its s is in the upper half"):
        recover(consent, flipped)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_recover_refuses_a_recovery_byte_that_contracts_refuse(
    patient: LocalAccount, v: int
) -> None:
    consent = example("Consent")
    signature = bytes(patient.sign_message(consent.signable()).signature)

    with pytest.raises(SignatureMismatch, match=f"ends in {v}, not in 27 or 28"):
        recover(consent, signature[:64] + bytes([v]))


@pytest.mark.parametrize("r", [0, ORDER, 2**256 - 1])
def test_recover_refuses_a_signature_of_no_key(r: int) -> None:
    with pytest.raises(SignatureMismatch, match="belongs to no key"):
        recover(example("Consent"), r.to_bytes(32) + (1).to_bytes(32) + b"\x1b")


def test_typed_refuses_an_unknown_structure() -> None:
    with pytest.raises(InvalidInput, match="Permission is not a structure"):
        typed(domain("Consent"), "Permission")


def test_typed_refuses_the_domain_of_another_contract() -> None:
    with pytest.raises(InvalidInput, match="'medaccord Consents', not 'medaccord Registry'"):
        typed(domain("RevokeAll"), "Revocation", patient=CONTRACT, consentId=bytes(32))


def test_typed_refuses_a_missing_field() -> None:
    with pytest.raises(InvalidInput, match="Revocation lacks consentId"):
        typed(domain("Revocation"), "Revocation", patient=CONTRACT)


def test_typed_refuses_an_unknown_field() -> None:
    with pytest.raises(InvalidInput, match="Revocation has no field reason"):
        typed(domain("Revocation"), "Revocation", patient=CONTRACT, consentId=bytes(32), reason=1)


@pytest.mark.parametrize("epoch", [-1, 2**32])
def test_typed_refuses_an_integer_outside_its_width(epoch: object) -> None:
    with pytest.raises(InvalidInput, match=f"RevokeAll.epoch is {epoch}, outside uint32"):
        typed(domain("RevokeAll"), "RevokeAll", account=CONTRACT, epoch=epoch)


@pytest.mark.parametrize("epoch", [True, "1", 1.0, None])
def test_typed_refuses_what_is_no_integer(epoch: object) -> None:
    with pytest.raises(InvalidInput, match=r"RevokeAll\.epoch is not an integer"):
        typed(domain("RevokeAll"), "RevokeAll", account=CONTRACT, epoch=epoch)


def test_typed_refuses_bytes_that_are_not_32() -> None:
    with pytest.raises(InvalidIdentifier, match="31"):
        typed(domain("Revocation"), "Revocation", patient=CONTRACT, consentId=bytes(31))


def test_typed_refuses_an_address_that_is_none() -> None:
    with pytest.raises(InvalidInput, match=r"RevokeAll\.account is not an address"):
        typed(domain("RevokeAll"), "RevokeAll", account=5, epoch=0)


@given(st.integers(0, 2**256 - 1))
def test_wide_integers_hash_the_same_here_and_in_a_wallet(nonce: int) -> None:
    message = typed(
        domain("Approval"),
        "Approval",
        member=CONTRACT,
        kind=0,
        account=CONTRACT,
        roles=1,
        key=bytes(32),
        profile=bytes(32),
        nonce=nonce,
        deadline=2**40 - 1,
    )

    assert encode_typed_data(full_message=message.full()) == message.signable()
