"""Who made a signature: one strict reading of secp256k1 signatures for everything that is signed.

What contracts refuse is refused here too, so that no signature counts off chain that would not
count on chain: other lengths, a high s, a recovery byte other than 27 or 28.

Source: EIP-2 for the low half of s; OpenZeppelin ECDSA for the accepted forms.
"""

from typing import Final

from eth_account import Account
from eth_account.messages import SignableMessage
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from medaccord.core.errors import SignatureMismatch
from medaccord.core.identifiers import Address, address

__all__ = ["SECP256K1_ORDER", "SIGNATURE_BYTES", "recover_signer"]

SIGNATURE_BYTES: Final = 65
"""Length of a signature: r (32), s (32), v (1)."""

SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the group of secp256k1; s is at most half of it. Source: SEC 2, 2.4.1."""


def recover_signer(message: SignableMessage, signature: bytes, *, of: str) -> Address:
    """The address whose key made this signature over this message.

    The caller compares it with the key that should have signed: nearly any well-formed signature
    recovers to *some* address.

    Args:
        message: what was signed, as eth-account signs it.
        signature: r ‖ s ‖ v, 65 bytes, s in the lower half of the order, v 27 or 28.
        of: name of what was signed, for the error.

    Raises:
        SignatureMismatch: the signature has another form, or belongs to no key at all.
    """
    what = f"the signature of {of}"
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureMismatch(f"{what} has {len(signature)} bytes, not {SIGNATURE_BYTES}")
    if signature[64] not in (27, 28):
        raise SignatureMismatch(f"{what} ends in {signature[64]}, not in 27 or 28")
    if int.from_bytes(signature[32:64], "big") > SECP256K1_ORDER // 2:
        raise SignatureMismatch(f"{what} is malleable: its s is in the upper half")
    try:
        return address(Account.recover_message(message, signature=signature))
    except (BadSignature, ValidationError) as error:
        raise SignatureMismatch(f"{what} belongs to no key") from error
