"""What guardians and the person they guard hand each other: documents, by any way they like.

| Document | From | To | Tells |
|---|---|---|---|
| card | guardian | the guarded | a fresh address, and a key to seal to |
| handout, plain or sealed | the guarded | guardian | one's own place among the guardians |
| recovery request | the guarded, on a new device | guardians | which key to hand the account to |
| recovery approval | guardian | the guarded, on a new device | a signature, and the place |
| cancellation | guardian | the guarded | a signature against a recovery |

Each is JSON by RFC 8785 with a profile's name, and is read strictly. None tells a guardian who the
others are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self, TypeAlias

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.guardians import GuardianPlace, RevealedCircle
from medaccord.client.signatures import check_signed
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import DocumentReader, instant_text
from medaccord.core.envelope import Sealed, open_sealed, seal
from medaccord.core.errors import InvalidDocument, InvalidIdentifier
from medaccord.core.identifiers import AccountId, Address, Digest, hex_digest
from medaccord.core.typed_data import TypedData

Source: TypeAlias = bytes | str | Mapping[str, Any]
"""JSON text, or what a JSON parser made of it."""

CARD: Final = "medaccord/guardian-card/1"
HANDOUT: Final = "medaccord/guardian-handout/1"
SEALED_HANDOUT: Final = "medaccord/guardian-handout-sealed/1"
REQUEST: Final = "medaccord/recovery-request/1"
APPROVAL: Final = "medaccord/recovery-approval/1"
CANCELLATION: Final = "medaccord/recovery-cancellation/1"

_PLACE: Final = ("guardian", "salt", "proof", "root", "threshold")
_REQUEST: Final = ("account", "newController", "nonce", "deadline")
_MAX_THRESHOLD: Final = 255
_MAX_INDEX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianCard:
    """What a guardian gives somebody, once for each account guarded.

    Attributes:
        guardian: an address that the guardian uses for nothing else.
        index: of its key in the guardian's wallet, which finds it again by that.
        key: X25519 public key of the guardian's, 32 bytes, for the sealed handout.
    """

    guardian: Address
    index: int
    key: Digest

    def document(self) -> dict[str, Any]:
        """It in JSON, profile `CARD`."""
        return {
            "profile": CARD,
            "guardian": self.guardian,
            "index": self.index,
            "key": hex_digest(self.key),
        }

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Read what `document` writes. Raises InvalidDocument."""
        reader = DocumentReader.open(source, profile=CARD, required=("guardian", "index", "key"))
        return cls(
            guardian=reader.address("guardian"), index=_index(reader), key=reader.digest("key")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """What one guardian needs to help, and nothing about the others.

    Attributes:
        account: whose guardian it is.
        index: of the guardian's key in the guardian's wallet.
        place: what proves the guardian to be one.
    """

    account: AccountId
    index: int
    place: GuardianPlace

    def document(self) -> dict[str, Any]:
        """It in JSON, profile `HANDOUT`."""
        return {
            "profile": HANDOUT,
            "account": str(self.account),
            "index": self.index,
            **_place_document(self.place),
        }

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: it is something else.
            ProofMismatch: it does not prove what it says.
        """
        reader = DocumentReader.open(
            source, profile=HANDOUT, required=("account", "index", *_PLACE)
        )
        return cls(account=_account(reader), index=_index(reader), place=_place(reader))

    def sealed(self, card: GuardianCard) -> SealedHandout:
        """It for the eyes of the guardian who gave a card, so that any way will do."""
        sealed = seal(
            document_bytes(self.document()), card.key, _context(card.guardian, card.index)
        )
        return SealedHandout(guardian=card.guardian, index=card.index, sealed=sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedHandout:
    """A handout that only its guardian can read.

    Attributes:
        guardian: whose.
        index: of the guardian's key in the guardian's wallet.
        sealed: the handout.

    Source: `medaccord.core.envelope`.
    """

    guardian: Address
    index: int
    sealed: Sealed

    def document(self) -> dict[str, Any]:
        """It in JSON, profile `SEALED_HANDOUT`."""
        return {
            "profile": SEALED_HANDOUT,
            "guardian": self.guardian,
            "index": self.index,
            "ciphertext": "0x" + self.sealed.ciphertext.hex(),
            "wrappedKey": "0x" + self.sealed.wrapped_key.hex(),
        }

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Read what `document` writes. Raises InvalidDocument."""
        members = ("guardian", "index", "ciphertext", "wrappedKey")
        reader = DocumentReader.open(source, profile=SEALED_HANDOUT, required=members)
        return cls(
            guardian=reader.address("guardian"),
            index=_index(reader),
            sealed=Sealed(
                ciphertext=reader.octets("ciphertext"), wrapped_key=reader.octets("wrappedKey")
            ),
        )

    def open(self, private_key: bytes) -> Handout:
        """The handout.

        Args:
            private_key: the X25519 key whose public half stood on the card, 32 bytes.

        Raises:
            DecryptionFailed: it is sealed to another key, or was changed.
            InvalidDocument: what was sealed is no handout, or another guardian's.
            ProofMismatch: it does not prove what it says.
        """
        context = _context(self.guardian, self.index)
        handout = Handout.parse(open_sealed(self.sealed, private_key, context))
        if (handout.place.guardian, handout.index) != (self.guardian, self.index):
            raise InvalidDocument(f"the handout for {self.guardian} is another guardian's")
        return handout


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRequest:
    """What a person with a new device asks the guardians of a lost account for.

    Attributes:
        account: the account.
        new_controller: key of the new device.
        nonce: which recovery of the account it would be, counted from 0.
        deadline: last second at which it can be started.
    """

    account: AccountId
    new_controller: Address
    nonce: int
    deadline: datetime

    def document(self) -> dict[str, Any]:
        """It in JSON, profile `REQUEST`."""
        return {
            "profile": REQUEST,
            "account": str(self.account),
            "newController": self.new_controller,
            "nonce": self.nonce,
            "deadline": instant_text(self.deadline),
        }

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Read what `document` writes. Raises InvalidDocument."""
        reader = DocumentReader.open(source, profile=REQUEST, required=_REQUEST)
        return cls(
            account=_account(reader),
            new_controller=reader.address("newController"),
            nonce=reader.integer("nonce"),
            deadline=reader.instant("deadline"),
        )

    def typed(self, contracts: Contracts, guardian: Address) -> TypedData:
        """What a guardian signs to approve it."""
        return actions.recovery_approval(
            contracts,
            account=self.account.address,
            guardian=guardian,
            new_controller=self.new_controller,
            deadline=self.deadline,
            nonce=self.nonce,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryApproval:
    """What one guardian says to a recovery request.

    Attributes:
        request: the request.
        place: what proves the guardian to be one.
        signature: of the guardian.
    """

    request: RecoveryRequest
    place: GuardianPlace
    signature: bytes

    def document(self) -> dict[str, Any]:
        """It in JSON, profile `APPROVAL`."""
        return {
            "profile": APPROVAL,
            "request": self.request.document(),
            **_place_document(self.place),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: it is something else.
            ProofMismatch: it does not prove what it says.
        """
        members = ("request", *_PLACE, "signature")
        reader = DocumentReader.open(source, profile=APPROVAL, required=members)
        return cls(
            request=RecoveryRequest.parse(reader.mapping("request")),
            place=_place(reader),
            signature=reader.octets("signature"),
        )

    def check(self, contracts: Contracts) -> None:
        """Check that the guardian signed it.

        Raises:
            SignatureMismatch: it did not.
            TransportError: the node does not answer.
        """
        guardian = self.place.guardian
        message = self.request.typed(contracts, guardian)
        check_signed(contracts.network, guardian, message, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationApproval:
    """What one guardian says against a recovery that was started.

    Attributes:
        account: the account.
        nonce: which recovery of it.
        place: what proves the guardian to be one.
        signature: of the guardian.
    """

    account: AccountId
    nonce: int
    place: GuardianPlace
    signature: bytes

    def document(self) -> dict[str, Any]:
        """It in JSON, profile `CANCELLATION`."""
        return {
            "profile": CANCELLATION,
            "account": str(self.account),
            "nonce": self.nonce,
            **_place_document(self.place),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: it is something else.
            ProofMismatch: it does not prove what it says.
        """
        members = ("account", "nonce", *_PLACE, "signature")
        reader = DocumentReader.open(source, profile=CANCELLATION, required=members)
        return cls(
            account=_account(reader),
            nonce=reader.integer("nonce"),
            place=_place(reader),
            signature=reader.octets("signature"),
        )

    def check(self, contracts: Contracts) -> None:
        """Check that the guardian signed it. Errors as `RecoveryApproval.check`."""
        guardian = self.place.guardian
        message = actions.cancellation(
            contracts, account=self.account.address, guardian=guardian, nonce=self.nonce
        )
        check_signed(contracts.network, guardian, message, self.signature)


def _place_document(place: GuardianPlace) -> dict[str, Any]:
    return {
        "guardian": place.guardian,
        "salt": hex_digest(place.salt),
        "proof": [hex_digest(each) for each in place.proof],
        "root": hex_digest(place.circle.root),
        "threshold": place.circle.threshold,
    }


def _place(reader: DocumentReader) -> GuardianPlace:
    threshold = reader.integer("threshold", minimum=1)
    if threshold > _MAX_THRESHOLD:
        raise InvalidDocument(f"it takes at most {_MAX_THRESHOLD} guardians, not {threshold}")
    place = GuardianPlace(
        guardian=reader.address("guardian"),
        salt=reader.digest("salt"),
        proof=reader.digests("proof"),
        circle=RevealedCircle(root=reader.digest("root"), threshold=threshold),
    )
    place.check()
    return place


def _account(reader: DocumentReader) -> AccountId:
    try:
        return AccountId.parse(reader.text("account"))
    except InvalidIdentifier as error:
        raise InvalidDocument(error.problem) from error


def _index(reader: DocumentReader) -> int:
    if (index := reader.integer("index")) > _MAX_INDEX:
        raise InvalidDocument(f"no wallet has a key {index}")
    return index


def _context(guardian: Address, index: int) -> bytes:
    return f"{HANDOUT}\0{guardian}\0{index}".encode()
