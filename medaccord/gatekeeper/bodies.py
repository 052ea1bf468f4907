"""What the body of a request must be before any route reads it.

JSON is read here as strictly as the documents of the trust core are: a member that stands twice, or
half a surrogate, would be one thing to one reader and another to the next.

Source: RFC 8259; RFC 7493 (I-JSON); RFC 9110 section 8.3 (media types).
"""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from typing import Final
from urllib.parse import unquote_to_bytes

from medaccord.core.canonical import parse
from medaccord.core.errors import InvalidDocument, InvalidRequest
from medaccord.gatekeeper.errors import WrongMediaType

MAX_JSON_DEPTH: Final = 48
"""Arrays and objects of a body may lie this many deep, inclusive."""

_JSON: Final = ("application/json", "application/fhir+json")
_FORM: Final = "application/x-www-form-urlencoded"
_FORM_PATHS: Final = ("/_search", "/token")
"""How the paths end that take a form: searches by POST (FHIR) and token requests (OAuth)."""

_CONTROL: Final = frozenset(map(chr, range(0x20))) | {"\x7f"}
_NO_TEXT: Final = _CONTROL - {"\t", "\n", "\r"}


def check_target(path: str, query: bytes) -> None:
    """Refuse a path or a query that is no UTF-8, or holds control characters.

    Args:
        path: as the server decoded it: what was no UTF-8 is U+FFFD.
        query: as it came.

    Raises:
        InvalidRequest: it is no text.
    """
    if "\ufffd" in path or not _CONTROL.isdisjoint(path):
        raise InvalidRequest("the path is no text: encode it as UTF-8")
    _check_form_text(query, "query")


def check_body(path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    """Refuse a body of a type that the path does not take, or that is not what its type says.

    An empty one passes: what is missing in it is for the route to say.

    Raises:
        InvalidRequest: it is malformed.
        WrongMediaType: it is of another type than JSON, or than a form where forms are taken.
    """
    if not body:
        return
    given = [value for name, value in headers if name == b"content-type"]
    kind = _media_type(given)
    if path.endswith(_FORM_PATHS):
        if kind != _FORM:
            raise WrongMediaType(f"send this as {_FORM}")
        _check_form_text(body, "body")
    elif kind not in _JSON:
        raise WrongMediaType("send this as application/json in UTF-8")
    else:
        _check_json(body)


def _media_type(given: list[bytes]) -> str | None:
    if len(given) != 1:
        return None
    message = Message()
    message["content-type"] = given[0].decode("latin-1")
    charset = message.get_param("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower() not in ("utf-8", "utf8"):
        return None
    return message.get_content_type()


def _check_json(body: bytes) -> None:
    try:
        parse(body, max_depth=MAX_JSON_DEPTH)
    except InvalidDocument as error:
        raise InvalidRequest(f"the body: {error}") from error
    if b"\\u0000" in body:
        raise InvalidRequest("the body: text holds no character zero")


def _check_form_text(text: bytes, name: str) -> None:
    if b"%" not in text and text.isascii() and text.isalnum():
        return
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the {name} is no text: encode it as UTF-8") from error
    if not _NO_TEXT.isdisjoint(decoded):
        raise InvalidRequest(f"the {name} holds control characters")
