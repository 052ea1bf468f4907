"""Deploying the Registry: the delays that are fixed for good.

constructor
├── a recovery delay of zero or beyond 32 bits, an emergency delay beyond 32 bits: refused
└── else: these delays
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.periods import EMERGENCY_DELAY, RECOVERY_DELAY

LONGEST = 2**32 - 1
TOO_LONG = (LONGEST + 1, 2**40 - 1)


@pytest.fixture
def deploy(evm: Evm, relayer: LocalAccount, governor: LocalAccount) -> Callable[..., Deployed]:
    """Deploys a Registry with these delays."""

    def go(
        *, recovery_delay: int = RECOVERY_DELAY, emergency_delay: int = EMERGENCY_DELAY
    ) -> Deployed:
        return Deployed.deploy(
            evm, relayer, "Registry", governor.address, recovery_delay, emergency_delay
        )

    return go


@pytest.mark.parametrize("delay", [0, *TOO_LONG])
def test_deployment_is_refused_when_the_recovery_delay_is_none_or_does_not_fit(
    deploy: Callable[..., Deployed], delay: int
) -> None:
    with expect_revert("InvalidRecoveryDelay", recoveryDelay=delay):
        deploy(recovery_delay=delay)


@pytest.mark.parametrize("delay", TOO_LONG)
def test_deployment_is_refused_when_the_emergency_delay_does_not_fit(
    deploy: Callable[..., Deployed], delay: int
) -> None:
    with expect_revert("InvalidEmergencyDelay", emergencyDelay=delay):
        deploy(emergency_delay=delay)


@pytest.mark.parametrize("recovery_delay", [1, LONGEST])
@pytest.mark.parametrize("emergency_delay", [0, LONGEST])
def test_deployment_fixes_the_delays_when_they_fit(
    deploy: Callable[..., Deployed], recovery_delay: int, emergency_delay: int
) -> None:
    registry = deploy(recovery_delay=recovery_delay, emergency_delay=emergency_delay)
    assert registry.call("RECOVERY_DELAY") == recovery_delay
    assert registry.call("EMERGENCY_DELAY") == emergency_delay
