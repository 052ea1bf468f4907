"""Handing a lost account to a key of a new device: asking guardians, starting, completing.

Nothing here is sent: anybody may send what comes back, and pays for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from medaccord.chain import actions
from medaccord.chain.actions import Invocation
from medaccord.chain.actions.defaults import nonce_or
from medaccord.chain.actions.registry import NonceKey
from medaccord.chain.deployment import Contracts
from medaccord.client.guardian_documents import RecoveryApproval, RecoveryRequest
from medaccord.client.recovery import RunningRecovery, running_recovery
from medaccord.core.errors import InvalidInput, InvalidRequest, KeyMissing, TransportError
from medaccord.core.identifiers import Address, address
from medaccord.keys.wallet import Wallet
from medaccord.keys.wallet_state import Origin, WalletAccount

LIFETIME: Final = timedelta(days=7)
"""How long guardians may take until a recovery is started, unless another span is given."""

_LONGEST_PAUSE: Final = 5.0
"""Seconds between two looks at the clock."""


class AccountRecovery:
    """Recovers accounts into a wallet, with the help of their guardians."""

    def __init__(self, wallet: Wallet, contracts: Contracts) -> None:
        """Recover into a wallet: that of a new device, or the old one where a key was stolen."""
        self._wallet = wallet
        self._contracts = contracts

    def request(self, account: Address, *, lifetime: timedelta = LIFETIME) -> RecoveryRequest:
        """Ask the guardians of an account to hand it to a key of this wallet.

        The wallet makes a place for the account; the same key is asked for every time.

        Args:
            account: the account, which every guardian can name.
            lifetime: how long guardians may take.

        Raises:
            InvalidInput: the wallet gives no account now: see `Wallet.new_account`.
            TransportError: the node does not answer.
        """
        contracts = self._contracts
        deadline = contracts.network.clock().replace(microsecond=0) + lifetime
        return RecoveryRequest(
            account=contracts.account_id(account),
            new_controller=self._key_for(account),
            nonce=nonce_or(contracts, "Registry", account, NonceKey.RECOVERY, None),
            deadline=deadline,
        )

    def start(self, request: RecoveryRequest, approvals: Iterable[RecoveryApproval]) -> Invocation:
        """Start a recovery, once enough guardians approved it.

        Args:
            request: from `request`.
            approvals: what the guardians gave; one that came twice counts once.

        Returns:
            What starts it. From then on, whoever has the account's key can only restrict.

        Raises:
            InvalidInput: approvals are of another request, of different circles, or too few.
            SignatureMismatch: a guardian did not sign its approval.
            TransportError: the node does not answer.
        """
        by_guardian = {each.place.guardian: each for each in approvals}
        for approval in by_guardian.values():
            if approval.request != request:
                raise InvalidInput(
                    f"the approval of {approval.place.guardian} is of another request"
                )
            approval.check(self._contracts)
        circles = {each.place.circle for each in by_guardian.values()}
        if len(circles) > 1:
            raise InvalidInput("the approvals are of guardians of different times: see who is one")
        needed = min((each.threshold for each in circles), default=1)
        if len(by_guardian) < needed:
            raise InvalidInput(
                f"{len(by_guardian)} of the {needed} guardians that it takes approved: ask more"
            )
        (circle,) = circles
        return actions.start_recovery(
            self._contracts,
            account=request.account.address,
            new_controller=request.new_controller,
            deadline=request.deadline,
            circle=circle,
            approvals=[each.place.approval(each.signature) for each in by_guardian.values()],
            nonce=request.nonce,
        )

    def pending(self, account: Address) -> RunningRecovery | None:
        """The recovery of an account that is under way, whoever started it; None where none is.

        Raises:
            TransportError: the node does not answer.
        """
        return running_recovery(self._contracts, account)

    def wait(self, account: Address, *, patience: timedelta) -> None:
        """Wait until the delay of a recovery has run.

        Args:
            account: which.
            patience: the longest to wait: the delay is a week unless a network chose another.

        Raises:
            InvalidRequest: no recovery of it is under way, as when it was stopped meanwhile.
            TransportError: the delay has not run by then; or the node does not answer.
        """
        until = time.monotonic() + patience.total_seconds()
        while (pending := self._under_way(account)).ready_at > self._contracts.network.clock():
            left = until - time.monotonic()
            if left <= 0:
                raise TransportError(
                    f"the recovery of {account} can be completed from {pending.ready_at} on"
                )
            rest = (pending.ready_at - self._contracts.network.clock()).total_seconds()
            time.sleep(max(0.0, min(left, rest, _LONGEST_PAUSE)))

    def complete(self, account: Address) -> Invocation:
        """Hand the account over, once the delay has run; then call `completed`.

        Returns:
            What completes it. It ends every consent and delegation made before.

        Raises:
            InvalidRequest: no recovery of it is under way.
            TransportError: the node does not answer.
        """
        self._under_way(account)
        return actions.complete_recovery(self._contracts, account=account)

    def completed(self, account: Address) -> WalletAccount:
        """Note in the wallet that the account is this wallet's now.

        Raises:
            KeyMissing: it is not: another key controls it.
            TransportError: the node does not answer.
        """
        controller = address(self._contracts.call("Registry", "controllerOf", account))
        return self._wallet.rotated(account, controller)

    def _under_way(self, account: Address) -> RunningRecovery:
        if (pending := self.pending(account)) is None:
            raise InvalidRequest(f"no recovery of {account} is under way")
        return pending

    def _key_for(self, account: Address) -> Address:
        try:
            held = self._wallet.account(account)
        except KeyMissing:
            held = self._wallet.recover_account(account)
        if held.origin is Origin.RECOVERED and not held.used:
            return self._wallet.signer(account).address
        # The key it has may be in other hands as well: the next one is in none.
        return self._wallet.next_signer(account).address
