"""Anchors: streams that only grow, never fork, and belong to one account and topic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.care_actions import AnchorActions
from tests.contracts.conftest import Contracts
from tests.contracts.deployed import Deployed, Event, expect_revert
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import Key, key_of
from tests.contracts.masks import ANCHOR
from tests.contracts.registry_actions import RegistryActions
from tests.contracts.storage import only_writes

EMPTY = bytes(32)
TOPIC, OTHER_TOPIC = keccak(text="topic"), keccak(text="other topic")
ROOTS = [keccak(text=f"root {number}") for number in range(3)]


def head_after(previous: bytes, root: bytes, second: int) -> bytes:
    return keccak(encode(["bytes32", "bytes32", "uint40"], [previous, root, second]))


@pytest.fixture
def act(anchors: Deployed, relayer: LocalAccount) -> AnchorActions:
    return AnchorActions(anchors, relayer)


@pytest.fixture
def head(anchors: Deployed) -> Callable[[Key], bytes]:
    def ask(account: Key) -> bytes:
        answer: bytes = anchors.call("headOf", account.address, TOPIC)
        return answer

    return ask


@pytest.mark.parametrize("way", ["send", "relay"])
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_append_moves_the_head_when_it_builds_on_it(
    way: str,
    earlier: int,
    act: AnchorActions,
    head: Callable[[Key], bytes],
    contracts: Contracts,
    hospital: LocalAccount,
) -> None:
    for root in ROOTS[:earlier]:
        act.append(hospital, TOPIC, root, previous=head(hospital)).relay()
    previous, root = head(hospital), ROOTS[earlier]

    others = (contracts.registry, contracts.relationships, contracts.consents)
    with only_writes(1, contracts.anchors, *others):
        receipt = getattr(act.append(hospital, TOPIC, root, previous=previous), way)()

    expected = head_after(previous, root, receipt.timestamp)
    assert head(hospital) == expected
    assert contracts.anchors.events(receipt) == [
        Event(
            "Anchored",
            {
                "account": hospital.address,
                "topic": TOPIC,
                "by": hospital.address,
                "previous": previous,
                "root": root,
                "head": expected,
            },
        )
    ]


def test_head_is_zero_before_the_first_append(
    head: Callable[[Key], bytes], hospital: LocalAccount
) -> None:
    assert head(hospital) == EMPTY


def test_head_differs_when_the_same_root_is_appended_a_second_later(
    act: AnchorActions, head: Callable[[Key], bytes], hospital: LocalAccount, evm: Evm
) -> None:
    snapshot, second = evm.snapshot(), evm.now + 10
    act.append(hospital, TOPIC, ROOTS[0]).relay(at=second)
    first = head(hospital)
    evm.revert(snapshot)
    act.append(hospital, TOPIC, ROOTS[0]).relay(at=second + 1)
    assert head(hospital) != first


def test_same_root_can_be_appended_again(
    act: AnchorActions, head: Callable[[Key], bytes], hospital: LocalAccount
) -> None:
    act.append(hospital, TOPIC, ROOTS[0]).relay()
    first = head(hospital)
    act.append(hospital, TOPIC, ROOTS[0], previous=first).relay()
    assert head(hospital) not in (EMPTY, first)


def test_append_is_refused_when_it_forks_the_stream(
    act: AnchorActions, head: Callable[[Key], bytes], hospital: LocalAccount
) -> None:
    act.append(hospital, TOPIC, ROOTS[0]).relay()
    with expect_revert("WrongHead", previous=EMPTY, head=head(hospital)):
        act.append(hospital, TOPIC, ROOTS[1]).relay()


def test_append_is_refused_when_it_goes_back(
    act: AnchorActions, head: Callable[[Key], bytes], hospital: LocalAccount
) -> None:
    act.append(hospital, TOPIC, ROOTS[0]).relay()
    first = head(hospital)
    act.append(hospital, TOPIC, ROOTS[1], previous=first).relay()
    with expect_revert("WrongHead", previous=first, head=head(hospital)):
        act.append(hospital, TOPIC, ROOTS[2], previous=first).relay()


def test_append_is_refused_when_it_is_replayed(
    act: AnchorActions, head: Callable[[Key], bytes], hospital: LocalAccount
) -> None:
    append = act.append(hospital, TOPIC, ROOTS[0])
    signature = append.signature()
    append.relay(signature)
    with expect_revert("WrongHead", previous=EMPTY, head=head(hospital)):
        append.relay(signature)


def test_append_is_refused_when_the_first_names_a_head(
    act: AnchorActions, hospital: LocalAccount
) -> None:
    with expect_revert("WrongHead", previous=ROOTS[1], head=EMPTY):
        act.append(hospital, TOPIC, ROOTS[0], previous=ROOTS[1]).relay()


def test_append_is_refused_when_the_root_is_zero(
    act: AnchorActions, hospital: LocalAccount
) -> None:
    with expect_revert("ZeroRoot"):
        act.append(hospital, TOPIC, EMPTY).relay()


def test_streams_are_apart_when_account_or_topic_differ(
    act: AnchorActions,
    head: Callable[[Key], bytes],
    anchors: Deployed,
    hospital: LocalAccount,
    clinician: LocalAccount,
) -> None:
    act.append(hospital, TOPIC, ROOTS[0]).relay()
    before = head(hospital)
    act.append(clinician, TOPIC, ROOTS[1]).relay()
    act.append(hospital, OTHER_TOPIC, ROOTS[2]).relay()
    assert head(hospital) == before
    assert head(clinician) not in (EMPTY, before)
    assert anchors.call("headOf", hospital.address, OTHER_TOPIC) not in (EMPTY, before)


@pytest.mark.parametrize("name", ["patient", "stranger"])
def test_append_works_when_the_account_is_no_organisation(
    name: str,
    request: pytest.FixtureRequest,
    act: AnchorActions,
    head: Callable[[Key], bytes],
) -> None:
    account: LocalAccount = request.getfixturevalue(name)
    act.append(account, TOPIC, ROOTS[0]).relay()
    assert head(account) != EMPTY


def test_append_works_while_the_organisation_is_suspended(
    act: AnchorActions,
    head: Callable[[Key], bytes],
    suspend: Callable[[Key], Receipt],
    clinician: LocalAccount,
) -> None:
    suspend(clinician)
    act.append(clinician, TOPIC, ROOTS[0]).relay()
    assert head(clinician) != EMPTY


@pytest.mark.parametrize("name", ["patient", "clinician", "relayer"])
def test_append_is_refused_when_another_signs(
    name: str,
    request: pytest.FixtureRequest,
    act: AnchorActions,
    hospital: LocalAccount,
) -> None:
    other: LocalAccount = request.getfixturevalue(name)
    with expect_revert("NotAuthorised", account=hospital.address, by=other.address, power=ANCHOR):
        act.append(hospital, TOPIC, ROOTS[0], by=other).relay()


def test_append_names_the_delegate_when_a_gatekeeper_appends(
    act: AnchorActions,
    accounts: RegistryActions,
    anchors: Deployed,
    hospital: LocalAccount,
) -> None:
    gatekeeper = key_of("gatekeeper")
    accounts.delegation(hospital, gatekeeper.address, ANCHOR).relay()
    receipt = act.append(hospital, TOPIC, ROOTS[0], by=gatekeeper).send()
    values = anchors.events(receipt)[0].values
    assert (values["account"], values["by"]) == (hospital.address, gatekeeper.address)


def test_append_is_refused_when_the_delegate_has_every_power_but_anchor(
    act: AnchorActions, accounts: RegistryActions, hospital: LocalAccount
) -> None:
    server = key_of("server")
    accounts.delegation(hospital, server.address, 0xFFFF - ANCHOR).relay()
    with expect_revert("NotAuthorised", account=hospital.address, by=server.address, power=ANCHOR):
        act.append(hospital, TOPIC, ROOTS[0], by=server).relay()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_append_by_a_delegate_works_until_the_delegation_ends(
    seconds: int,
    act: AnchorActions,
    accounts: RegistryActions,
    head: Callable[[Key], bytes],
    evm: Evm,
    hospital: LocalAccount,
) -> None:
    gatekeeper, until = key_of("gatekeeper"), evm.now + 1000
    accounts.delegation(hospital, gatekeeper.address, ANCHOR, until=until).relay()
    append = act.append(hospital, TOPIC, ROOTS[0], by=gatekeeper)
    if seconds < 0:
        append.relay(at=until + seconds)
        assert head(hospital) != EMPTY
        return
    with expect_revert(
        "NotAuthorised", account=hospital.address, by=gatekeeper.address, power=ANCHOR
    ):
        append.relay(at=until + seconds)


def test_append_works_while_a_recovery_is_pending(
    act: AnchorActions,
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    head: Callable[[Key], bytes],
    relayer: LocalAccount,
    hospital: LocalAccount,
) -> None:
    accounts.guardians_change(hospital, circle.commitment).relay()
    circle.start(relayer, hospital.address, key_of("new server").address, guardians[:2])
    act.append(hospital, TOPIC, ROOTS[0]).relay()
    assert head(hospital) != EMPTY
