"""Where the next page of a search begins, bound to who asked for what.

A cursor says only which record was the last one released, so it tells nothing that its holder has
not been given; and it serves the same asker with the same question alone.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from medaccord.core.errors import InvalidRequest

_TAG_BYTES: Final = 32


class Cursors:
    """Writes and checks cursors under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, question: str, position: str) -> str:
        """Make a cursor.

        Args:
            question: everything the next page must be asked with, the asker included.
            position: the last record of this page.
        """
        return _encode(self._tag(question, position) + position.encode())

    def read(self, question: str, cursor: str) -> str:
        """The position in a cursor made by `write` for this question.

        Raises:
            InvalidRequest: it is malformed, altered, or belongs to another question or asker.
        """
        raw = _decode(cursor)
        tag, position = raw[:_TAG_BYTES], raw[_TAG_BYTES:].decode(errors="replace")
        if not hmac.compare_digest(tag, self._tag(question, position)):
            raise InvalidRequest("this cursor is not for this search: begin again without _cursor")
        return position

    def _tag(self, question: str, position: str) -> bytes:
        message = f"{len(question)}:{question}{position}".encode()
        return hmac.digest(self._secret, message, hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    try:
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("_cursor is malformed: begin again without it") from error
    if len(raw) <= _TAG_BYTES:
        raise InvalidRequest("_cursor is malformed: begin again without it")
    return raw
