"""Founding the consortium: its constructor admits the one member it starts with.

constructor
├── at a Registry of another consortium, with a founder that is no member or did not sign: refused
└── else: the founder is the one member
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import (
    encryption_key,
    profile_hash,
)
from tests.contracts.deployed import Deployed, address_of_next, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.masks import MEMBER, STEWARD
from tests.contracts.periods import EMERGENCY_DELAY, FOREVER, RECOVERY_DELAY
from tests.contracts.registry_actions import RegistryActions


@pytest.fixture
def found(
    evm: Evm, relayer: LocalAccount, hospital: LocalAccount
) -> Callable[..., tuple[Deployed, Deployed]]:
    """Deploys a Registry and a consortium of one founder."""

    def go(
        *, roles: int = MEMBER, signer: LocalAccount = hospital, expected: str | None = None
    ) -> tuple[Deployed, Deployed]:
        expected = expected or address_of_next(evm, relayer, skip=1)
        registry = Deployed.deploy(
            evm, relayer, "Registry", expected, RECOVERY_DELAY, EMERGENCY_DELAY
        )
        publication = RegistryActions(registry, relayer).publication(
            hospital, encryption_key(hospital), profile_hash(hospital), nonce=0
        )
        consortium = Deployed.deploy(
            evm,
            relayer,
            "Consortium",
            registry.address,
            hospital.address,
            hospital.address,
            roles,
            encryption_key(hospital),
            profile_hash(hospital),
            FOREVER,
            publication.signature(signer),
        )
        return registry, consortium

    return go


def test_founding_makes_one_member_when_the_founder_signed(
    found: Callable[..., tuple[Deployed, Deployed]], hospital: LocalAccount
) -> None:
    registry, consortium = found(roles=MEMBER | STEWARD)
    assert registry.call("activeMembers") == 1
    assert registry.call("hasRole", hospital.address, MEMBER | STEWARD)
    assert registry.call("CONSORTIUM") == consortium.address
    assert consortium.call("REGISTRY") == registry.address
    assert registry.call("RECOVERY_DELAY") == RECOVERY_DELAY
    assert registry.call("EMERGENCY_DELAY") == EMERGENCY_DELAY


def test_founding_is_refused_when_the_registry_obeys_another(
    found: Callable[..., tuple[Deployed, Deployed]], stranger: LocalAccount
) -> None:
    with expect_revert("WrongConsortium", consortium=stranger.address):
        found(expected=stranger.address)


def test_founding_is_refused_when_the_founder_would_be_no_member(
    found: Callable[..., tuple[Deployed, Deployed]], hospital: LocalAccount
) -> None:
    with expect_revert("NotMember", member=hospital.address):
        found(roles=STEWARD)


def test_founding_is_refused_when_another_signed_for_the_founder(
    found: Callable[..., tuple[Deployed, Deployed]],
    evm: Evm,
    relayer: LocalAccount,
    hospital: LocalAccount,
    stranger: LocalAccount,
) -> None:
    registry = Deployed.at(evm, "Registry", address_of_next(evm, relayer))
    digest = (
        RegistryActions(registry, relayer)
        .publication(hospital, encryption_key(hospital), profile_hash(hospital), nonce=0)
        .digest()
    )
    with expect_revert("InvalidSignature", by=hospital.address, digest=digest):
        found(signer=stranger)
