"""Fresh randomness for what is committed to: never one salt twice."""

import os

from medaccord.core.identifiers import Digest, digest


def fresh_salt() -> Digest:
    """32 bytes of the system's randomness."""
    return digest(os.urandom(32))
