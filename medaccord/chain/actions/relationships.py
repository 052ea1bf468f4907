"""A patient and a steward find together, and part; see IRelationships."""

from typing import Final, Protocol

from medaccord.chain.actions.action import Action, act
from medaccord.chain.deployment import Contracts
from medaccord.core.identifiers import Address


class Step(Protocol):
    """Makes the action of one step of a relationship."""

    def __call__(
        self,
        contracts: Contracts,
        *,
        patient: Address,
        steward: Address,
        account: Address,
        by: Address | None = None,
        round: int | None = None,
    ) -> Action:
        """Make the action.

        Args:
            contracts: where.
            patient: the patient's account.
            steward: the steward's account.
            account: the side that acts, one of the two.
            by: the key that acts; the account itself unless given.
            round: read from the chain unless given: the next one to propose, else the last.
        """
        ...


def _step(function: str, *, ahead: int = 0) -> Step:
    def step(
        contracts: Contracts,
        *,
        patient: Address,
        steward: Address,
        account: Address,
        by: Address | None = None,
        round: int | None = None,
    ) -> Action:
        if round is None:
            _, _, last, _ = contracts.call("Relationships", "relationshipOf", patient, steward)
            round = int(last) + ahead
        return act(
            contracts, function, by, patient=patient, steward=steward, account=account, round=round
        )

    return step


propose: Final = _step("propose", ahead=1)
"""Propose that the steward keeps records for the patient."""

accept: Final = _step("accept")
"""Accept what the other side proposed."""

decline: Final = _step("decline")
"""Decline what the other side proposed."""

end: Final = _step("end")
"""End the relationship, or take one's own proposal back."""
