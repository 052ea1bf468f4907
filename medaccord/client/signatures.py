"""Who signed something: a key, or a wallet that is a contract and says so itself."""

from __future__ import annotations

from contextlib import suppress

from medaccord.chain.network import Network
from medaccord.chain.wallets import wallet_agrees
from medaccord.core.errors import SignatureMismatch
from medaccord.core.identifiers import Address
from medaccord.core.typed_data import TypedData, recover


def check_signed(network: Network, by: Address, message: TypedData, signature: bytes) -> None:
    """Check that `by` signed typed data.

    Args:
        network: Where `by` may be a contract.
        by: A key, or an ERC-1271 wallet.
        message: What was signed.
        signature: Of a key, or as the wallet wants it.

    Raises:
        SignatureMismatch: It did not.
        TransportError: The node does not answer.

    Source: EIP-712, ERC-1271.
    """
    with suppress(SignatureMismatch):
        if recover(message, signature) == by:
            return
    if not wallet_agrees(network, by, message.digest(), signature):
        raise SignatureMismatch(f"{by} did not sign this")
