"""Who else may act for an account: a parent, a carer, a hospital's server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medaccord.chain import actions, events
from medaccord.chain.powers import Power
from medaccord.chain.values import moment
from medaccord.client.acting import Acting
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.history import events_about
from medaccord.core.identifiers import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """A key that may use some powers of an account now.

    Attributes:
        key: Which; it acts with ``account=`` the account.
        powers: Those it has.
        until: The end, excluded; the year 9999 where there is none.
    """

    key: Address
    powers: Power
    until: datetime


class Delegates:
    """A patient's own. Only the controller names them; the gatekeeper sends it and pays."""

    def __init__(self, acting: Acting) -> None:
        """Act for the patient."""
        self._acting = acting

    def add(
        self, key: Address, powers: Power, *, until: datetime, wait: bool = True
    ) -> ActionReceipt:
        """Let another key use some powers of the account.

        Args:
            key: Which.
            powers: Those it has from now on, and no others; READ lets it sign in.
            until: The end, excluded.
            wait: Whether to wait until it is mined.

        Raises:
            ContractReverted: The end is over, or this is not the controller.
            AccessRefused: The gatekeeper relays nothing for this account.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        acting = self._acting
        action = actions.delegate(
            acting.contracts,
            account=acting.account,
            delegate=key,
            powers=powers,
            until=until,
            by=acting.by,
        )
        return acting.relay(action, wait=wait)

    def remove(self, key: Address, *, wait: bool = True) -> ActionReceipt:
        """Take a key's powers away. Arguments and errors as `add`."""
        acting = self._acting
        action = actions.undelegate(
            acting.contracts, account=acting.account, delegate=key, by=acting.by
        )
        return acting.relay(action, wait=wait)

    def list(self) -> tuple[Delegate, ...]:
        """The keys that may act now, in the order in which they were first named.

        Raises:
            TransportError: The node does not answer.
        """
        acting = self._acting
        named = events_about(acting.contracts, acting.account, events.DelegateSet)
        found = (self._delegate(key) for key in dict.fromkeys(event.delegate for event in named))
        return tuple(each for each in found if each is not None)

    def _delegate(self, key: Address) -> Delegate | None:
        """What a key may do now; None where that is nothing."""
        acting = self._acting
        powers, until, epoch, _ = acting.contracts.call(
            "Registry", "delegationOf", acting.account, key
        )
        current = int(acting.contracts.call("Registry", "epochOf", acting.account))
        if not powers or epoch != current or moment(until) <= acting.network.clock():
            return None
        return Delegate(key=key, powers=Power(powers), until=moment(until))
