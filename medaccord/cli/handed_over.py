"""Why the key of an account is refused: a recovery of it runs, or it was handed to another key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from medaccord.chain.deployment import Contracts
from medaccord.client.recovery import recovery_state
from medaccord.core.documents import instant_text
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal


@contextmanager
def handing_over_told(
    account: Address, by: Address, contracts: Contracts, *, is_own: bool
) -> Iterator[None]:
    """Say what stands behind a refused sign-in within the block; the chain is asked then alone.

    Args:
        account: the account acted for.
        by: the key that acts.
        contracts: where it acts.
        is_own: whether the key is of the wallet that has the account, and no delegate's.

    Raises:
        AccessRefused: as within, with what to do.
    """
    try:
        yield
    except AccessRefused as refused:
        if refused.reason is not Refusal.NOT_SIGNED_IN:
            raise
        state = recovery_state(contracts, account)
        if state.running is not None:
            to, ready = state.running.new_controller, instant_text(state.running.ready_at)
            told = (
                f"a recovery of {account} is running, which hands it to {to} from {ready} on: until"
                " then it can revoke, and read nothing. If you did not ask for it, stop it: a"
                " guardian of yours runs `medaccord recover object`, and you `medaccord recover"
                " cancel`"
            )
        elif is_own and state.controller != by:
            told = (
                f"{state.controller} controls {account} now: `medaccord account restore"
                " --in-wallet` brings the wallet up to date, where that is a key of yours"
            )
        else:
            raise
        raise AccessRefused(refused.reason, told) from refused
