"""Errors of the ABIs as exceptions, and everything else that a node may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3.exceptions import (
    BadFunctionCallOutput,
    ContractCustomError,
    ContractLogicError,
    ContractPanicError,
    TimeExhausted,
)

from medaccord.chain import artifacts, reverts
from medaccord.chain.values import snake_case
from medaccord.core.errors import ContractReverted, InvalidInput, TransportError
from medaccord.core.identifiers import address, digest

ERRORS = {
    f"{name}.{error['name']}": error
    for name in artifacts.CONTRACTS
    for error in artifacts.load(name).entries("error")
}
CONSENT = digest(b"\x0a" * 32)
PATIENT = address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
EXAMPLES: dict[str, Any] = {"address": PATIENT, "bytes32": CONSENT, "string": "too long"}


def selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


def revoked() -> bytes:
    return selector("ConsentRevokedAlready(bytes32)") + CONSENT


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_of_the_abis_has_its_class_with_its_values(name: str) -> None:
    error = ERRORS[name]
    kinds = [each["type"] for each in error["inputs"]]
    values = [EXAMPLES.get(kind, 7) for kind in kinds]
    data = selector(f"{error['name']}({','.join(kinds)})") + encode(kinds, values)
    raised = reverts.from_data(data)
    assert type(raised) is getattr(reverts, error["name"])
    assert isinstance(raised, ContractReverted)
    assert raised.data == data
    for parameter, value in zip(error["inputs"], values, strict=True):
        assert getattr(raised, snake_case(parameter["name"])) == value


def test_error_is_caught_by_its_name() -> None:
    with pytest.raises(reverts.ConsentRevokedAlready) as caught:
        raise reverts.from_data(revoked())
    assert caught.value.consent_id == CONSENT
    assert caught.value.values == {"consentId": CONSENT}
    assert str(caught.value) == f"ConsentRevokedAlready(consentId=0x{CONSENT.hex()})"


def test_error_that_no_contract_has_cannot_be_named() -> None:
    with pytest.raises(AttributeError, match="no contract has the error Typo; there are Already"):
        reverts.Typo  # noqa: B018  # asking for it is the fault


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(4), selector("Other(uint256)") + bytes(32)])
def test_unknown_data_is_kept(data: bytes) -> None:
    raised = reverts.from_data(data, message="refused")
    assert type(raised) is reverts.Reverted
    assert (raised.data, dict(raised.values), str(raised)) == (data, {}, "refused")


def test_malformed_data_is_kept() -> None:
    raised = reverts.from_data(revoked()[:-1])
    assert type(raised) is reverts.Reverted
    assert raised.data == revoked()[:-1]


@pytest.mark.parametrize(
    "data",
    [
        "0x" + revoked().hex(),
        "Reverted 0x" + revoked().hex(),
        {"data": "0x" + revoked().hex()},
        {"result": None, "inner": {"data": "Reverted 0x" + revoked().hex()}},
    ],
)
def test_revert_data_is_found_wherever_a_client_puts_it(data: Any) -> None:
    raised = reverts.translate(ContractLogicError("execution reverted", data=data))
    assert isinstance(raised, reverts.ConsentRevokedAlready)


def test_custom_error_is_translated() -> None:
    text = "0x" + revoked().hex()
    raised = reverts.translate(ContractCustomError(text, data=text))
    assert isinstance(raised, reverts.ConsentRevokedAlready)


@pytest.mark.parametrize("data", [None, "no data", "0x"])
def test_revert_without_data_is_told_in_the_nodes_words(data: str | None) -> None:
    raised = reverts.translate(ContractLogicError("execution reverted: why", data=data))
    assert type(raised) is reverts.Reverted
    assert "execution reverted: why" in str(raised)


def test_panic_is_told_as_one() -> None:
    data = selector("Panic(uint256)") + encode(["uint256"], [0x11])
    raised = reverts.translate(ContractPanicError("Panic error 0x11", data="0x" + data.hex()))
    assert type(raised) is reverts.Reverted
    assert "panicked: Panic error 0x11" in str(raised)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        TimeoutError("late"),
        TimeExhausted("late"),
        BadFunctionCallOutput("no contract there"),
        json.JSONDecodeError("no JSON", "<html>", 0),
    ],
)
def test_everything_else_is_a_fault_of_the_node(error: Exception) -> None:
    with pytest.raises(TransportError) as caught, reverts.translated():
        raise error
    assert caught.value.__cause__ is error


def test_our_own_errors_pass() -> None:
    error = InvalidInput("wrong")
    assert reverts.translate(error) is error
    with pytest.raises(InvalidInput), reverts.translated():
        raise error


def test_faults_of_the_program_pass() -> None:
    with pytest.raises(ZeroDivisionError), reverts.translated():
        _ = 1 / 0
