"""Addresses, digests and account names have one text each."""

import pytest

from medaccord.core.errors import InvalidIdentifier
from medaccord.core.identifiers import AccountId, address, digest, hex_digest

# Source: EIP-55, test cases.
EIP_55 = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
PATIENT = address(EIP_55[2])


@pytest.mark.parametrize("text", EIP_55)
def test_address_is_read_when_its_checksum_fits(text: str) -> None:
    assert address(text) == text


@pytest.mark.parametrize("text", EIP_55)
def test_address_gets_its_checksum_when_written_in_lower_case(text: str) -> None:
    assert address(text.lower()) == text


def test_address_is_refused_when_one_capital_is_wrong() -> None:
    with pytest.raises(InvalidIdentifier, match="0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"):
        address("0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        PATIENT[2:],
        PATIENT + "0",
        PATIENT[:-1] + "g",
        PATIENT + "\n",
        "0x" + "\u0661" * 40,
    ],
)
def test_address_is_refused_when_it_is_not_40_hex_digits(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="not an address"):
        address(text)


def test_digest_is_read_when_raw_or_hexadecimal() -> None:
    raw = bytes(range(32))
    assert digest(raw) == digest("0x" + raw.hex()) == raw
    assert hex_digest(digest(raw)) == "0x" + raw.hex()


@pytest.mark.parametrize("value", [b"", bytes(31), bytes(33)])
def test_digest_is_refused_when_it_has_not_32_bytes(value: bytes) -> None:
    with pytest.raises(InvalidIdentifier, match=f"not 32 bytes but {len(value)}"):
        digest(value)


@pytest.mark.parametrize("text", ["", "00" * 32, "0x" + "0" * 63, "0x" + "g" * 64])
def test_digest_is_refused_when_it_is_not_64_hex_digits(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes in hexadecimal"):
        digest(text)


def test_account_is_read_as_written_when_canonical() -> None:
    account = AccountId(chain_id=131277322940537, address=PATIENT)
    assert str(account) == f"eip155:131277322940537:{PATIENT}"
    assert AccountId.parse(str(account)) == account


@pytest.mark.parametrize(
    "text",
    ["", PATIENT, f"eip155:01:{PATIENT}", f"eip155:0:{PATIENT}", f"bip122:1:{PATIENT}"],
)
def test_account_is_refused_when_it_is_no_caip_10_of_an_evm_chain(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="not an account"):
        AccountId.parse(text)


def test_account_is_refused_when_its_address_has_no_checksum() -> None:
    with pytest.raises(InvalidIdentifier, match=f"eip155:1:{PATIENT}$"):
        AccountId.parse(f"eip155:1:{PATIENT.lower()}")
