"""Who may act for whom as far as is known now, whether that is fresh, and who signed something."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from eth_utils.crypto import keccak

from medaccord.chain.network import Clock, Network
from medaccord.chain.powers import Power
from medaccord.chain.wallets import wallet_agrees
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.decision import Bounds, check_freshness
from medaccord.core.errors import (
    AccessRefused,
    DeploymentMismatch,
    InvalidRequest,
    SignatureMismatch,
    TransportError,
)
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.refusals import Refusal
from medaccord.core.sign_in import recover_text
from medaccord.core.typed_data import TypedData, recover
from medaccord.ledger import Ledger


class Standing:
    """What the ledger says about keys, by a clock and within bounds.

    Attributes:
        clock: the time everything here is measured by.
        bounds: how stale what is known may be.
    """

    def __init__(
        self,
        *,
        network: Network,
        ledger: Ledger,
        bounds: Bounds,
        poll_interval: timedelta = timedelta(),
    ) -> None:
        self.clock: Clock = network.clock
        self._network = network
        self._ledger = ledger
        self.bounds = bounds
        self._poll_interval = poll_interval

    def refresh(self, *, older_than: timedelta = timedelta()) -> None:
        """Ask the chain for news; when it cannot be reached, what was known before stands.

        So it does when the node is on another chain now: what is known grows old until it is not.

        Args:
            older_than: how old an answer of the chain is good enough, where the interval at which
                it is asked is shorter.
        """
        with suppress(TransportError, DeploymentMismatch):
            self._ledger.refresh(older_than=max(self._poll_interval, older_than))

    def ask_now(self) -> None:
        """Ask the chain this moment.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE, it does not answer, or a node of another chain does.
        """
        try:
            self._ledger.sync()
        except (TransportError, DeploymentMismatch) as error:
            raise AccessRefused(
                Refusal.CHAIN_UNREACHABLE, "The chain does not answer: ask again later."
            ) from error

    def reach(self, token: ConsistencyToken) -> None:
        """Know a block, or one that came after it; the chain is asked once where it must be.

        Raises:
            InvalidRequest: it is of another chain.
            AccessRefused: LEDGER_BEHIND, it is still to come here, or not on the branch of the
                chain that is followed; CHAIN_UNREACHABLE, as `ask_now`.
        """
        if token.chain_id != self._network.chain_id:
            raise InvalidRequest(
                f"the token is of chain {token.chain_id}, and this gatekeeper follows chain "
                f"{self._network.chain_id}"
            )
        if self._ledger.knows(token):
            return
        self.ask_now()
        if self._ledger.knows(token):
            return
        tip = self._ledger.tip
        if tip is None or tip.number < token.number:
            detail = f"Block {token.number} has not come here yet: ask again in a moment."
        else:
            detail = (
                f"Block {token.number} of the token is not on the branch of the chain that is "
                "followed here: ask again in a moment; if it stays away it was replaced, so ask "
                "without the token."
            )
        raise AccessRefused(Refusal.LEDGER_BEHIND, detail)

    def require_fresh(self) -> None:
        """Ask the chain for news, and insist on it.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE, LEDGER_BEHIND, HEAD_TOO_OLD or CLOCKS_APART.
        """
        self.refresh()
        check_freshness(self._ledger.freshness(), now=self.clock(), bounds=self.bounds)

    def authorised(self, account: Address, by: Address, power: Power) -> bool:
        """Whether a key may use a power of an account, as far as is known now."""
        return self._ledger.is_authorised(account, by, power, now=self.clock())

    def controls(self, account: Address, by: Address) -> bool:
        """Whether a key is the controller of an account, as far as is known now."""
        return self._ledger.controller(account) == by

    def in_recovery(self, account: Address) -> bool:
        """Whether guardians are handing an account to another key, as far as is known now."""
        return self._ledger.incoming(account) is not None

    def check_typed(self, by: Address, message: TypedData, signature: bytes) -> None:
        """Check that `by`, a key or an ERC-1271 wallet, signed typed data.

        Raises:
            SignatureMismatch: it did not.
            TransportError: `by` is no key that signed this, and whether it is a wallet that would
                have cannot be asked.
        """
        self._check(by, lambda: recover(message, signature), message.digest(), signature)

    def check_text(self, by: Address, text: str, signature: bytes) -> None:
        """As `check_typed`, for text. Source: EIP-191, version 0x45."""
        raw = text.encode()
        prefix = f"\x19Ethereum Signed Message:\n{len(raw)}".encode()
        hashed = digest(keccak(prefix + raw))
        self._check(by, lambda: recover_text(text, signature), hashed, signature)

    def _check(
        self, by: Address, signer: Callable[[], Address], signed: Digest, signature: bytes
    ) -> None:
        with suppress(SignatureMismatch):
            if signer() == by:
                return
        if not wallet_agrees(self._network, by, signed, signature):
            raise SignatureMismatch(f"{by} did not sign this: sign it with that key")
