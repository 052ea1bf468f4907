"""Envelopes: a record that stays sealed on its way, its data key wrapped to whoever may read it.

The steward wraps the data key anew and opens nothing. Whoever receives it opens it, makes the
pointer again from the salt and the content that were sealed together, and has then what travels
beside an open record: the record and its proof, to be checked in the same way.

    {"profile": "medaccord/envelope/1",
     "record": "Observation/17", "version": 3, "steward": "0x…", "topic": "0x…",
     "context": "0x…", "ciphertext": "0x…", "wrappedKey": "0x…",
     "siblings": ["0x…", …], "anchor": {…}, "state": "0x…", "newest": {…}}

The leaf binds the ciphertext, so an envelope that verifies holds what was anchored, sealed as it
was then.

Warning: the steward cannot hold such a record against its index, since it does not open it: whether
it is of the type, codes and labels that were consented to, only the receiver can see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from eth_utils.crypto import keccak

from medaccord.core.anchors import Anchor
from medaccord.core.documents import DocumentReader
from medaccord.core.envelope import Sealed, open_sealed
from medaccord.core.errors import DecryptionFailed
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.pointers import Pointer, record_key
from medaccord.core.proofs import RecordProof, anchoring_members
from medaccord.core.record_state import NewestProof

__all__ = [
    "ENVELOPE_PROFILE",
    "MEDIA_TYPE",
    "SALT_BYTES",
    "SET_PROFILE",
    "Envelope",
    "EnvelopeSet",
    "OpenedEnvelope",
    "salt_and_content",
]

ENVELOPE_PROFILE: Final = "medaccord/envelope/1"

SET_PROFILE: Final = "medaccord/envelopes/1"

MEDIA_TYPE: Final = "application/vnd.medaccord.envelope+json"
"""What envelopes, and pages of them, travel as."""

SALT_BYTES: Final = 32
"""Length of the salt of a record's leaf, which is sealed before its content."""

_REQUIRED: Final = (
    *("record", "version", "steward", "topic", "context", "ciphertext", "wrappedKey"),
    *("siblings", "anchor"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEnvelope:
    """What was in an envelope; nothing of it is verified yet.

    Attributes:
        record: The record's canonical bytes.
        proof: What `proofs.verify_record` and `proofs.verify_newest` check it against.
    """

    record: bytes
    proof: RecordProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One version of a record, sealed, and the parts of its proof that need not its content.

    Attributes:
        record: Its name, ``Type/id``.
        version: From 1.
        steward: Account of the organisation that holds it.
        topic: The stream it is anchored in.
        context: What the seal is bound to.
        sealed: Ciphertext, and the data key wrapped to the receiver.
        siblings: From its leaf up to the Merkle root of its batch.
        anchor: The append of that batch.
        state: What the append tells beside the batch; None where it tells nothing else.
        newest: Which version the last append names; None where nobody can show it.
    """

    record: str
    version: int
    steward: Address
    topic: Digest
    context: bytes
    sealed: Sealed
    siblings: tuple[Digest, ...]
    anchor: Anchor
    state: Digest | None = None
    newest: NewestProof | None = None

    def open(self, private_key: bytes) -> OpenedEnvelope:
        """Open it, and make the proof whole.

        Args:
            private_key: X25519 private key of the receiver, 32 bytes.

        Raises:
            DecryptionFailed: It was changed, or is wrapped to another key.
            InvalidInput: The private key has not 32 bytes, or the version is below 1.
        """
        salt, content = salt_and_content(open_sealed(self.sealed, private_key, self.context))
        pointer = Pointer(
            steward=self.steward,
            topic=self.topic,
            record=record_key(self.record),
            version=self.version,
            plaintext=Digest(keccak(content)),
            ciphertext=Digest(keccak(self.sealed.ciphertext)),
            salt=salt,
        )
        proof = RecordProof(
            pointer=pointer,
            siblings=self.siblings,
            anchor=self.anchor,
            state=self.state,
            newest=self.newest,
        )
        return OpenedEnvelope(record=content, proof=proof)

    def document(self) -> dict[str, Any]:
        """The envelope in JSON, profile ``medaccord/envelope/1``."""
        return {
            "profile": ENVELOPE_PROFILE,
            "record": self.record,
            "version": self.version,
            "steward": self.steward,
            "topic": hex_digest(self.topic),
            "context": "0x" + self.context.hex(),
            "ciphertext": "0x" + self.sealed.ciphertext.hex(),
            "wrappedKey": "0x" + self.sealed.wrapped_key.hex(),
            **anchoring_members(self.siblings, self.anchor, self.state, self.newest),
        }

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
        """
        reader = DocumentReader.open(
            document, profile=ENVELOPE_PROFILE, required=_REQUIRED, optional=("state", "newest")
        )
        return cls(
            record=reader.text("record"),
            version=reader.integer("version", minimum=1),
            steward=reader.address("steward"),
            topic=reader.digest("topic"),
            context=reader.octets("context"),
            sealed=Sealed(
                ciphertext=reader.octets("ciphertext"), wrapped_key=reader.octets("wrappedKey")
            ),
            siblings=reader.digests("siblings"),
            anchor=Anchor.parse(reader.raw("anchor")),
            state=reader.digest("state") if reader.has("state") else None,
            newest=NewestProof.parse(reader.raw("newest")) if reader.has("newest") else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSet:
    """A page of a search whose records stay sealed, profile ``medaccord/envelopes/1``.

    Attributes:
        envelopes: The records on this page.
        total: How many records match and may be released, on all pages together.
        self_url: The search that was answered.
        next_url: The next page; None on the last.
    """

    envelopes: tuple[Envelope, ...]
    total: int
    self_url: str
    next_url: str | None = None

    def document(self) -> dict[str, Any]:
        """The page in JSON."""
        return {
            "profile": SET_PROFILE,
            "total": self.total,
            "self": self.self_url,
            "next": self.next_url,
            "envelopes": [each.document() for each in self.envelopes],
        }

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
        """
        reader = DocumentReader.open(
            document, profile=SET_PROFILE, required=("total", "self", "next", "envelopes")
        )
        return cls(
            envelopes=tuple(Envelope.parse(each) for each in reader.mappings("envelopes")),
            total=reader.integer("total"),
            self_url=reader.text("self"),
            next_url=None if reader.null("next") else reader.text("next"),
        )


def salt_and_content(plaintext: bytes) -> tuple[Digest, bytes]:
    """Part what is sealed of a record: the salt of its leaf, and its canonical bytes.

    Raises:
        DecryptionFailed: It is too short to hold a salt.
    """
    if len(plaintext) < SALT_BYTES:
        raise DecryptionFailed("the sealed record holds no salt")
    return Digest(plaintext[:SALT_BYTES]), plaintext[SALT_BYTES:]
