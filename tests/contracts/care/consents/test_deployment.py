"""Deployment: the bounds that are fixed for good."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.periods import MAX_EMERGENCY

END_OF_32_BITS = 2**32


@pytest.mark.parametrize("max_span", [0, END_OF_32_BITS, END_OF_32_BITS + 1])
def test_deployment_is_refused_when_the_longest_span_does_not_fit(
    max_span: int, evm: Evm, relayer: LocalAccount, registry: Deployed
) -> None:
    with expect_revert("InvalidMaxSpan", maxSpan=max_span):
        Deployed.deploy(evm, relayer, "Consents", registry.address, max_span, MAX_EMERGENCY)


@pytest.mark.parametrize("max_span", [1, END_OF_32_BITS - 1])
def test_deployment_fixes_the_bounds_when_they_fit(
    max_span: int, evm: Evm, relayer: LocalAccount, registry: Deployed
) -> None:
    consents = Deployed.deploy(evm, relayer, "Consents", registry.address, max_span, MAX_EMERGENCY)
    assert consents.call("MAX_SPAN") == max_span
    assert consents.call("MAX_EMERGENCY") == MAX_EMERGENCY
    assert consents.call("REGISTRY") == registry.address


@pytest.mark.parametrize("max_emergency", [END_OF_32_BITS, END_OF_32_BITS + 1])
def test_deployment_is_refused_when_the_longest_emergency_does_not_fit(
    max_emergency: int, evm: Evm, relayer: LocalAccount, registry: Deployed
) -> None:
    with expect_revert("InvalidMaxEmergency", maxEmergency=max_emergency):
        Deployed.deploy(evm, relayer, "Consents", registry.address, 1000, max_emergency)


@pytest.mark.parametrize("max_emergency", [0, END_OF_32_BITS - 1])
def test_deployment_fixes_the_longest_emergency_when_it_fits(
    max_emergency: int, evm: Evm, relayer: LocalAccount, registry: Deployed
) -> None:
    consents = Deployed.deploy(evm, relayer, "Consents", registry.address, 1000, max_emergency)
    assert consents.call("MAX_EMERGENCY") == max_emergency
