"""Salted commitments: what stands on chain in place of a document.

The salt makes guessing the document useless; once salt and document are erased, nothing that is
left tells what was committed to.
"""

from eth_utils.crypto import keccak

from medaccord.core.errors import CommitmentMismatch
from medaccord.core.identifiers import Digest, digest

_PREFIX = b"\x00"


def commit(salt: bytes, document: bytes) -> Digest:
    """Commit to a document: keccak256(0x00 ‖ salt ‖ keccak256(document)).

    Args:
        salt: 32 fresh random bytes, used for this commitment alone.
        document: The exact bytes, in canonical form.

    Raises:
        InvalidIdentifier: The salt has not 32 bytes.
    """
    return Digest(keccak(_PREFIX + digest(salt) + keccak(document)))


def check(commitment: Digest, salt: bytes, document: bytes) -> None:
    """Check that salt and document open a commitment.

    Raises:
        CommitmentMismatch: They do not.
        InvalidIdentifier: The salt has not 32 bytes.
    """
    if commit(salt, document) != commitment:
        raise CommitmentMismatch(
            f"the document does not open the commitment 0x{commitment.hex()}: "
            "it was changed, or belongs to another commitment"
        )
