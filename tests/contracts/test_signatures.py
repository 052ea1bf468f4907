"""Signatures of the Registry's and the consortium's actions: each fits one action, once, here.

Made for another function, contract, chain, version, nonce, serial, epoch or any other field,
malleable, too short, too long or someone else's, a signature is refused.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from medaccord.core.typed_data import ACTIONS as STRUCTS
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.member_actions import MEMBER_ACTIONS, Make
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.signature_forms import compact, malleable


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_signature_is_taken_when_it_is_the_members_own(
    make: Make, hospital: LocalAccount, action: str
) -> None:
    assert make(action, hospital).relay().logs


# made for something else


@pytest.mark.parametrize(("action", "other"), [*permutations(MEMBER_ACTIONS, 2)])
def test_signature_is_refused_when_made_for_another_function(
    make: Make, hospital: LocalAccount, action: str, other: str
) -> None:
    wanted, made = make(action, hospital), make(other, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(made.signature())


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
@pytest.mark.parametrize(
    "change",
    [
        {"name": "medaccord Consents"},
        {"version": "2"},
        {"chainId": 1},
        {"verifyingContract": "0x" + "11" * 20},
    ],
    ids=["name", "version", "chain", "contract"],
)
def test_signature_is_refused_when_made_for_another_domain(
    make: Make, hospital: LocalAccount, action: str, change: dict[str, Any]
) -> None:
    wanted = make(action, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(wanted.signature(**change))


@pytest.mark.parametrize(
    ("action", "field"),
    [(action, name) for action, struct in MEMBER_ACTIONS.items() for _, name in STRUCTS[struct]],
)
def test_signature_is_refused_when_one_field_was_another(
    make: Make, hospital: LocalAccount, action: str, field: str
) -> None:
    wanted = make(action, hospital)
    value = wanted.message[field]
    other = {int: 1, bytes: b"\x77" * 32, str: "0x" + "77" * 20}[type(value)]
    made = wanted.signing(**{field: 2 if value == other else other})
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(made.signature())


def test_signature_is_refused_when_made_for_another_registry(
    accounts: RegistryActions,
    organisations: RegistryActions,
    hospital: LocalAccount,
    new_device: LocalAccount,
) -> None:
    elsewhere = organisations.rotation(hospital, new_device.address)
    here = accounts.rotation(hospital, new_device.address)
    with expect_revert("InvalidSignature", by=hospital.address, digest=here.digest()):
        here.relay(elsewhere.signature())


# of another form, or another's


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_signature_is_refused_when_another_made_it(
    make: Make, hospital: LocalAccount, stranger: LocalAccount, action: str
) -> None:
    wanted = make(action, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(wanted.signature(stranger))


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_signature_is_refused_when_it_is_malleable(
    make: Make, hospital: LocalAccount, action: str
) -> None:
    wanted = make(action, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(malleable(wanted.signature()))


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
@pytest.mark.parametrize("length", [1, 64, 66, 130])
def test_signature_is_refused_when_its_length_is_not_65(
    make: Make, hospital: LocalAccount, action: str, length: int
) -> None:
    wanted = make(action, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay((wanted.signature() * 2)[:length])


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_signature_is_refused_when_it_is_compact(
    make: Make, hospital: LocalAccount, action: str
) -> None:
    wanted = make(action, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(compact(wanted.signature()))


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_signature_is_refused_when_it_recovers_to_nobody(
    make: Make, hospital: LocalAccount, action: str
) -> None:
    wanted = make(action, hospital)
    with expect_revert("InvalidSignature", by=hospital.address, digest=wanted.digest()):
        wanted.relay(bytes(64) + b"\x1b")


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_empty_signature_is_refused_when_the_sender_is_not_by(
    make: Make, hospital: LocalAccount, relayer: LocalAccount, action: str
) -> None:
    with expect_revert("NotSender", by=hospital.address, sender=relayer.address):
        make(action, hospital).relay(b"")


# sent a second time


@pytest.mark.parametrize("action", [a for a in MEMBER_ACTIONS if a != "undelegation"])
def test_signature_is_refused_when_sent_again(
    make: Make, hospital: LocalAccount, action: str
) -> None:
    wanted = make(action, hospital)
    signature = wanted.signature()
    wanted.relay(signature)
    account, motion_id = hospital.address, make("withdrawal", hospital).message["motionId"]
    refusals: dict[str, tuple[str, dict[str, Any]]] = {
        "rotation": ("NotController", {"account": account, "by": account}),
        "revoke_all": ("WrongEpoch", {"account": account, "epoch": 0, "current": 1}),
        "delegation": ("StaleSerial", {"serial": 1, "stored": 1}),
        "guardians_change": (
            "InvalidAccountNonce",
            {"account": account, "currentNonce": 2 << 64 | 1},
        ),
        "publication": ("InvalidAccountNonce", {"account": account, "currentNonce": 4 << 64 | 2}),
        "approval": ("VoteCast", {"motionId": motion_id, "member": account, "vote": 1}),
        "withdrawal": ("VoteCast", {"motionId": motion_id, "member": account, "vote": 2}),
    }
    error, arguments = refusals[action]
    with expect_revert(error, **arguments):
        wanted.relay(signature)


def test_signature_of_an_undelegation_changes_nothing_when_sent_again(
    make: Make, registry: Deployed, hospital: LocalAccount, new_device: LocalAccount
) -> None:
    wanted = make("undelegation", hospital)
    wanted.relay()
    before = registry.call("delegationOf", hospital.address, new_device.address)
    wanted.relay()
    assert registry.call("delegationOf", hospital.address, new_device.address) == before
