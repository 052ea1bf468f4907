"""The real contracts on a chain of their own, and the keys that act on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed
from tests.contracts.evm import Evm
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import key_of, sorted_keys
from tests.contracts.periods import (
    EMERGENCY_DELAY,
    MAX_EMERGENCY,
    MAX_SPAN,
    RECOVERY_DELAY,
)
from tests.contracts.registry_actions import RegistryActions

KEYS = {
    name: key_of(name)
    for name in ("patient", "hospital", "clinician", "department", "phone", "carer", "thief")
}
"""Whoever acts: accounts with their own keys, and keys that have no account of their own."""

RELAYER, CONSORTIUM, STRANGER = key_of("relayer"), key_of("consortium"), key_of("stranger")
FAMILY = sorted_keys("sister", "neighbour", "family doctor")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One chain; every example starts at `beginning`."""

    evm: Evm
    registry: Deployed
    consents: Deployed
    anchors: Deployed
    accounts: RegistryActions
    circles: dict[str, GuardianCircle]
    beginning: Any


@cache
def world() -> World:
    """The one chain of this process, with everybody's money on it."""
    evm = Evm(RELAYER)
    registry = Deployed.deploy(
        evm, RELAYER, "Registry", CONSORTIUM.address, RECOVERY_DELAY, EMERGENCY_DELAY
    )
    consents = Deployed.deploy(evm, RELAYER, "Consents", registry.address, MAX_SPAN, MAX_EMERGENCY)
    anchors = Deployed.deploy(evm, RELAYER, "Anchors", registry.address)
    for key in (*KEYS.values(), CONSORTIUM, STRANGER):
        evm.fund(key.address)
    return World(
        evm=evm,
        registry=registry,
        consents=consents,
        anchors=anchors,
        accounts=RegistryActions(registry, RELAYER),
        circles={
            "family": _circle(registry, FAMILY, 2),
            "thieves": _circle(registry, [KEYS["thief"]], 1),
        },
        beginning=evm.snapshot(),
    )


def _circle(registry: Deployed, guardians: list[LocalAccount], threshold: int) -> GuardianCircle:
    return GuardianCircle(registry, tuple(key.address for key in guardians), threshold)
