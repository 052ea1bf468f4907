"""What a transaction offers for gas, and how much more when it has to go again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self

from eth_utils.currency import to_wei
from web3 import Web3

MAX_FEE: Final = to_wei(500, "gwei")
"""The most a unit of gas may cost, in wei, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """An offer for a unit of gas.

    Attributes:
        max_fee: the most it pays, in wei.
        max_priority_fee: what of that goes to whoever mines it, in wei; at most `max_fee`.

    Source: EIP-1559.
    """

    max_fee: int
    max_priority_fee: int

    def raised(self, least: Fees, *, cap: int) -> Fees | None:
        """A higher offer, which a node takes in place of this one.

        An eighth more on both: geth asks for a tenth, others for no more than that.

        Args:
            least: at least that, so that it suits the market too.
            cap: the most a unit of gas may cost, in wei; included.

        Returns:
            The offer; None where it would be above the cap.
        """
        fees = Fees(
            max_fee=max(_raised(self.max_fee), least.max_fee),
            max_priority_fee=max(_raised(self.max_priority_fee), least.max_priority_fee),
        )
        return fees if fees.max_priority_fee <= fees.max_fee <= cap else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeMarket:
    """What the network asks for a unit of gas now.

    Attributes:
        base_fee: of the newest block, in wei.
        max_priority_fee: what the node advises on top, in wei.
    """

    base_fee: int
    max_priority_fee: int

    @classmethod
    def of(cls, web3: Web3, head: Any) -> Self:
        """Ask the node.

        Args:
            web3: the connection.
            head: the newest block, as web3 gives it.
        """
        return cls(base_fee=head["baseFeePerGas"], max_priority_fee=web3.eth.max_priority_fee)

    def offer(self, *, cap: int) -> Fees:
        """What to offer: enough while the base fee doubles, which takes six full blocks.

        Args:
            cap: the most a unit of gas may cost, in wei. An offer that the cap keeps below the
                market waits until the market comes down.
        """
        most = min(2 * self.base_fee + self.max_priority_fee, cap)
        return Fees(max_fee=most, max_priority_fee=min(self.max_priority_fee, most))

    def takes(self, fees: Fees) -> bool:
        """Whether an offer is good enough now."""
        return (
            fees.max_fee >= self.base_fee + self.max_priority_fee
            and fees.max_priority_fee >= self.max_priority_fee
        )

    def above(self, fees: Fees) -> Self:
        """The market as it must be where a node says that an offer is too low.

        Where the newest block would take the offer, the node knows what no block says yet. Then the
        most is doubled, which costs nothing where less is asked.
        """
        return replace(self, base_fee=fees.max_fee) if self.takes(fees) else self


def _raised(wei: int) -> int:
    return max(wei + 1, -(-wei * 9 // 8))
