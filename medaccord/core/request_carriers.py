"""A signed request on its way to the patient: as a file, as a link, as the text of a QR code.

All three carry one document, and `SignedRequest.read` takes any of them:

    {"profile": "medaccord/signed-request/1", "request": {…}, "by": "0x…", "signature": "0x…"}

The link is `medaccord:request/` and the document, deflated, in base64url. It is no https link: that
would name a host, which would learn who opens it and when, and would teach patients to follow links
of strangers to a page that asks them to sign. The QR code holds the same address in capitals,
`MEDACCORD:REQUEST/`, and base32: a code spends 5.5 bits on a capital or a digit and 8 on any other
character, so that base32 takes a fifth less room than base64url. What every request says is in the
dictionary that both sides deflate with: a usual request has 390 characters as a link, and makes a
code of version 13 (69 by 69 modules). A request for 400 single codes still fits a QR code.

Warning: nothing of this is sealed. Whoever sees it learns which account is asked for what, by whom.

Source: RFC 3986 section 3.1 (a scheme in capitals is the same) and appendix C (a broken line); RFC
4648 sections 5 and 6; RFC 1951; ISO/IEC 18004 table 7 (what a QR code holds).
"""

import base64
import zlib
from dataclasses import dataclass
from typing import Any, Final, Self

from medaccord.core.canonical import document_bytes
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidInput, InvalidRequest
from medaccord.core.identifiers import Address, address
from medaccord.core.requests import AccessRequest

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "MAX_LINK_CHARACTERS",
    "MAX_QR_CHARACTERS",
    "MEMBERS",
    "PROFILE",
    "SignedRequest",
]

PROFILE: Final = "medaccord/signed-request/1"
"""Names the schema; another one is refused."""

MEMBERS: Final = ("request", "by", "signature")
"""What a signed request is made of, whatever document it stands in."""

MAX_DOCUMENT_BYTES: Final = 64 * 1024
"""Longest document, inclusive: what a gatekeeper takes."""

MAX_LINK_CHARACTERS: Final = 16 * 1024
"""Longest link, inclusive."""

MAX_QR_CHARACTERS: Final = 3391
"""Longest text of a QR code, inclusive: capitals and digits at version 40, level M."""

# What most requests say, the rarest first. It never changes: no link of before could be read.
_DICTIONARY: Final = (
    b'"PSY","SDV","HIV","ETH","ETHUD","OPIOIDUD"patient/Procedure.rs","patient/Immunization.rs'
    b'","patient/AllergyIntolerance.rs","patient/Encounter.rs","patient/DocumentReference.rs'
    b'","patient/DiagnosticReport.rs","patient/MedicationRequest.rs","patient/Condition.rs'
    b"?code=http://snomed.info/sct|http://loinc.org|?category=vital-signs?category=laboratory"
    b'"HRESCH"],"HPAYMT"],"HOPERAT"],"PATRQT"],"period":{"end":"2026-12-31","start":"2020-01-01"},'
    b'"includeUndated":true,{"by":"0x","profile":"medaccord/signed-request/1","request":{"issuedAt'
    b'":"2026-01-01T00:00:00.000000Z","nonce":"0x","patient":"eip155:1337:0x","profile":"medaccord/'
    b'request/1","requester":"eip155:1:0x","steward":"eip155:1:0x","terms":{"excludedLabels":[],'
    b'"includeUndated":false,"profile":"medaccord/terms/1","purposes":["TREAT"],"records":[],"salt'
    b'":"0x","scopes":["patient/*.rs","patient/Observation.rs"],"stewards":["eip155:1:0x"]},'
    b'"validFrom":"2027-01-01T00:00:00.000000Z","validUntil":"2028-01-01T00:00:00.000000Z"},'
    b'"signature":"0x"}'
)

_SCHEME: Final = "medaccord"
_IN_LINK: Final = "request/"
_IN_CODE: Final = "REQUEST/"
_RAW_DEFLATE: Final = -15
_BASE32_GROUP: Final = 8
_BASE64_GROUP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request, and who signed it.

    Warning: whether the signature is theirs, and whether they may ask, is not looked at here.

    Attributes:
        request: what is asked for.
        by: the key that signed: the organisation's controller, or a delegate of it.
        signature: of `by`, over the request's typed data; a wallet's may have any length.

    Raises:
        InvalidIdentifier: `by` is no address.
    """

    request: AccessRequest
    by: Address
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse a key that is none."""
        address(self.by)

    def document(self) -> dict[str, Any]:
        """The document that every carrier carries."""
        return {
            "profile": PROFILE,
            "request": self.request.document(),
            "by": self.by,
            "signature": "0x" + self.signature.hex(),
        }

    def to_file(self) -> bytes:
        """The content of a file: the RFC 8785 form of the document, and the end of a line.

        Raises:
            InvalidRequest: it is longer than `MAX_DOCUMENT_BYTES`.
        """
        return self._canonical() + b"\n"

    def to_link(self) -> str:
        """A link, of letters, digits, `:`, `/`, `-` and `_`.

        Raises:
            InvalidRequest: it is longer than `MAX_LINK_CHARACTERS`: hand over the file.
        """
        payload = base64.urlsafe_b64encode(_deflated(self._canonical())).decode().rstrip("=")
        return _bounded(f"{_SCHEME}:{_IN_LINK}{payload}", MAX_LINK_CHARACTERS, "a link")

    def to_qr(self) -> str:
        """The text of a QR code, of capitals, digits, `:` and `/`.

        Raises:
            InvalidRequest: it is longer than `MAX_QR_CHARACTERS`: hand over the link or the file.
        """
        payload = base64.b32encode(_deflated(self._canonical())).decode().rstrip("=")
        text = f"{_SCHEME.upper()}:{_IN_CODE}{payload}"
        return _bounded(text, MAX_QR_CHARACTERS, "a QR code")

    @classmethod
    def read(cls, carried: bytes | str) -> Self:
        """Read a request from any of its carriers.

        Args:
            carried: the content of a file, a link, or what a QR code says. Space around it, and
                line breaks within a link, do no harm; a file's members may stand in any order.

        Raises:
            InvalidRequest: it is none of them, of another profile, cut off, too long, or inflates
                to more than `MAX_DOCUMENT_BYTES`.
        """
        try:
            text = carried.decode() if isinstance(carried, bytes) else carried
            document = _carried(text.strip())
            if len(document) > MAX_DOCUMENT_BYTES:
                raise InvalidRequest(f"it is longer than {MAX_DOCUMENT_BYTES} bytes")
            return cls.of(DocumentReader.open(document, profile=PROFILE, required=MEMBERS))
        except UnicodeDecodeError as error:
            raise InvalidRequest("this is no signed request: it is no text in UTF-8") from error
        except InvalidInput as error:
            raise InvalidRequest(f"this is no signed request: {error.problem}") from error

    @classmethod
    def of(cls, reader: DocumentReader) -> Self:
        """Take a request out of a document that has the members of one, and may have others.

        Raises:
            InvalidInput: one of them is malformed.
        """
        return cls(
            request=AccessRequest.parse(reader.mapping("request")),
            by=reader.address("by"),
            signature=reader.octets("signature"),
        )

    def _canonical(self) -> bytes:
        document = document_bytes(self.document())
        if len(document) > MAX_DOCUMENT_BYTES:
            raise InvalidRequest(
                f"the request has {len(document)} bytes, and at most {MAX_DOCUMENT_BYTES} are read:"
                " ask for less in one"
            )
        return document


def _carried(text: str) -> bytes | str:
    """The document that some text is, or carries."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() != _SCHEME:
        return text
    joined = "".join(rest.split())
    if len(scheme) + len(colon) + len(joined) > MAX_LINK_CHARACTERS:
        raise InvalidRequest(f"a link has at most {MAX_LINK_CHARACTERS} characters")
    try:
        if joined.startswith(_IN_LINK):
            payload = joined.removeprefix(_IN_LINK)
            padding = "=" * (-len(payload) % _BASE64_GROUP)
            return _inflated(base64.b64decode(payload + padding, altchars=b"-_", validate=True))
        if joined.startswith(_IN_CODE):
            payload = joined.removeprefix(_IN_CODE)
            return _inflated(base64.b32decode(payload + "=" * (-len(payload) % _BASE32_GROUP)))
    except ValueError as error:  # of base64 and base32
        raise InvalidRequest("it was cut off or changed on its way: copy it whole") from error
    raise InvalidRequest("the address carries something else than a request")


def _deflated(document: bytes) -> bytes:
    packing = zlib.compressobj(level=9, wbits=_RAW_DEFLATE, zdict=_DICTIONARY)
    return packing.compress(document) + packing.flush()


def _inflated(data: bytes) -> bytes:
    """Inflate no more than a document may have: a few bytes can stand for gigabytes."""
    unpacking = zlib.decompressobj(wbits=_RAW_DEFLATE, zdict=_DICTIONARY)
    try:
        document = unpacking.decompress(data, MAX_DOCUMENT_BYTES + 1)
    except zlib.error as error:
        raise InvalidRequest("it was changed on its way: copy it whole") from error
    if len(document) > MAX_DOCUMENT_BYTES:
        raise InvalidRequest(f"it inflates to more than {MAX_DOCUMENT_BYTES} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise InvalidRequest("it was cut off or added to on its way: copy it whole")
    return document


def _bounded(text: str, most: int, what: str) -> str:
    if len(text) > most:
        raise InvalidRequest(
            f"the request is too long for {what} ({len(text)} characters, at most {most}):"
            " hand it over as a file"
        )
    return text
