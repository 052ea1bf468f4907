"""Signatures: one serves one action of one key, on one contract and chain, in one form, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from medaccord.core.typed_data import ACTIONS, DOMAIN_OF
from tests.contracts.action import Action
from tests.contracts.care.signatures.possible_actions import ACCOUNT_OF, PossibleActions
from tests.contracts.care_actions import STRUCT_OF
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import expect_revert
from tests.contracts.evm import Revert
from tests.contracts.signature_forms import compact, malleable
from tests.contracts.storage import storage_of

FUNCTIONS = tuple(ACCOUNT_OF)
STRUCTS = {
    **STRUCT_OF,
    "grant": "Consent",
    "revoke": "Revocation",
    "openEmergency": "EmergencyOpening",
    "closeEmergency": "EmergencyClosure",
    "forbidEmergency": "EmergencyBan",
    "allowEmergency": "EmergencyAllowance",
    "append": "Append",
}


def other_value(value: Any) -> Any:
    """A value of the same type that is not this one."""
    if isinstance(value, int):
        return value + 1 if value < 2**40 - 1 else value - 1
    if isinstance(value, str):
        return "0x" + "11" * 20
    return bytes(byte ^ 1 for byte in value)


def as_far_as_it_fits(struct: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of another struct: those it shares as they are, the others zero."""
    zero: dict[str, Any] = {"address": "0x" + "00" * 20, "bytes32": bytes(32)}
    return {name: message.get(name, zero.get(kind, 0)) for kind, name in ACTIONS[struct]}


def expect_invalid(action: Action) -> Any:
    return expect_revert("InvalidSignature", by=action.by.address, digest=action.digest())


@pytest.fixture(params=FUNCTIONS)
def action(request: pytest.FixtureRequest, possible: PossibleActions) -> Action:
    """An action that succeeds when it is relayed as it is."""
    possible.prepare(request.param)
    return possible.make(request.param)


def test_action_works_when_it_is_relayed_with_its_signature(action: Action) -> None:
    assert action.contract.events(action.relay())[0].values["by"] == action.by.address


def test_action_is_refused_when_another_key_signed_it(
    action: Action, stranger: LocalAccount
) -> None:
    with expect_invalid(action):
        action.relay(action.signature(stranger))


def test_action_is_refused_when_the_relayer_signed_it(
    action: Action, relayer: LocalAccount
) -> None:
    with expect_invalid(action):
        action.relay(action.signature(relayer))


@pytest.mark.parametrize("other", ["Registry", "Relationships", "Consents", "Anchors"])
def test_action_is_refused_when_it_was_signed_for_another_contract_at_this_address(
    action: Action, other: str
) -> None:
    name = f"medaccord {other}" if other != action.contract.name else "medaccord"
    with expect_invalid(action):
        action.relay(action.signature(name=name))


def test_action_is_refused_when_it_was_signed_for_another_address(
    action: Action, contracts: Contracts
) -> None:
    with expect_invalid(action):
        action.relay(action.signature(verifyingContract=contracts.registry.address))


@pytest.mark.parametrize("change", [-1, 1])
def test_action_is_refused_when_it_was_signed_for_another_chain(
    action: Action, change: int
) -> None:
    with expect_invalid(action):
        action.relay(action.signature(chainId=action.contract.evm.chain_id + change))


def test_action_is_refused_when_it_was_signed_for_another_version(action: Action) -> None:
    with expect_invalid(action):
        action.relay(action.signature(version="2"))


@pytest.mark.parametrize(
    ("function", "field"),
    [(function, name) for function, struct in STRUCTS.items() for _, name in ACTIONS[struct]],
)
def test_action_is_refused_when_one_field_was_signed_otherwise(
    function: str, field: str, possible: PossibleActions
) -> None:
    possible.prepare(function)
    action = possible.make(function)
    message = {**action.message, field: other_value(action.message[field])}
    signed = replace(action, message=message).signature()
    with expect_invalid(action):
        action.relay(signed)


@pytest.mark.parametrize(
    ("function", "struct"),
    [
        (function, struct)
        for function, own in STRUCTS.items()
        for struct in ACTIONS
        if struct != own and DOMAIN_OF[struct] == DOMAIN_OF[own]
    ],
)
def test_action_is_refused_when_the_same_was_signed_for_another_function(
    function: str, struct: str, possible: PossibleActions
) -> None:
    possible.prepare(function)
    action = possible.make(function)
    signed = action.contract.sign(action.by, struct, as_far_as_it_fits(struct, action.message))
    with expect_invalid(action):
        action.relay(signed)


@pytest.mark.parametrize(
    "form",
    [
        malleable,
        compact,
        lambda signature: signature[:64],
        lambda signature: signature + b"\x00",
        lambda signature: signature[:64] + bytes([signature[64] - 27]),
        lambda signature: signature[:64] + b"\x1d",
        lambda signature: bytes(65),
    ],
    ids=["high s", "compact", "64 bytes", "66 bytes", "v of 0 or 1", "v of 29", "zeros"],
)
def test_action_is_refused_when_the_signature_has_another_form(
    action: Action, form: Callable[[bytes], bytes]
) -> None:
    with expect_invalid(action):
        action.relay(form(action.signature()))


def test_action_is_refused_when_it_is_empty_and_another_sends_it(
    action: Action, relayer: LocalAccount
) -> None:
    with expect_revert("NotSender", by=action.by.address, sender=relayer.address):
        action.send(relayer)


def test_action_works_when_the_key_relays_its_own_signature(action: Action) -> None:
    assert isinstance(action.by, LocalAccount)
    action.contract.evm.fund(action.by.address)
    receipt = replace(action, relayer=action.by).relay()
    assert action.contract.events(receipt)[0].values["by"] == action.by.address


def test_signature_changes_nothing_more_when_it_is_replayed(action: Action) -> None:
    signature = action.signature()
    action.relay(signature)
    before = storage_of(action.contract)
    with suppress(Revert):  # closing and forbidding may be repeated; it makes no difference
        action.relay(signature)
    assert storage_of(action.contract) == before
