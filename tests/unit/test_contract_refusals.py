"""What the command line says of contracts' refusals is held to the errors that there are."""

from __future__ import annotations

import pytest

from medaccord.chain import reverts
from medaccord.cli.refusals import MEANINGS, explained
from medaccord.core.errors import ContractReverted


@pytest.mark.parametrize("name", MEANINGS)
def test_meaning_is_of_an_error_that_a_contract_has(name: str) -> None:
    assert issubclass(getattr(reverts, name), ContractReverted)


def test_refusal_is_said_with_its_meaning_and_the_contracts_own_words() -> None:
    told = r"^no recovery .+ under way \(NoRecovery\(0x1\)\)$"
    with pytest.raises(ContractReverted, match=told), explained():
        raise reverts.NoRecovery("NoRecovery(0x1)")


def test_refusal_stays_as_it_is_when_its_meaning_is_not_known() -> None:
    with pytest.raises(reverts.ZeroRoot, match=r"^ZeroRoot\(\)$"), explained():
        raise reverts.ZeroRoot("ZeroRoot()")
