"""Names for patients and records that tell nothing without the steward's secret.

Source: RFC 2104 (HMAC), with SHA-256.
"""

import hashlib
import hmac
from mmap import mmap
from typing import NewType

from medaccord.core.identifiers import Digest
from medaccord.core.pseudonyms import topic
from medaccord.keys import StewardSecrets

__all__ = ["Owner", "Pseudonyms"]

Owner = NewType("Owner", str)
"""Whose a sealed thing is, a patient's or the steward's own: 64 hex digits."""


class Pseudonyms:
    """The names that a steward's database uses in place of people's and records' own."""

    def __init__(self, secrets: StewardSecrets) -> None:
        self._secret = secrets.pseudonyms

    def patient(self, patient_id: str) -> Owner:
        """The patient with this ``Patient.id``."""
        return Owner(self._mac("patient", patient_id).hex())

    @property
    def steward(self) -> Owner:
        """The steward itself: practitioners, organisations and locations are its own."""
        return Owner(self._mac("steward").hex())

    def record(self, name: str) -> Digest:
        """The record named ``Type/id``."""
        return Digest(self._mac("record", name))

    def records_topic(self, owner: Owner) -> Digest:
        """The stream of a patient's records, by whatever account, or of the steward's own.

        A patient who lost an account enrols with another: readers know a patient by one stream.
        """
        return topic(self._secret, "records", owner)

    def file(self, content: bytes | mmap) -> Digest:
        """A file that was taken in, by all of its bytes."""
        inner = hmac.digest(self._secret, content, hashlib.sha256)
        return Digest(self._mac("file", inner.hex()))

    def _mac(self, *parts: str) -> bytes:
        # Each part goes in with its length, so that no two lists of parts read the same.
        encoded = [part.encode() for part in ("medaccord/records/1", *parts)]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return hmac.digest(self._secret, message, hashlib.sha256)
