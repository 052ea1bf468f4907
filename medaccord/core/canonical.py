"""JSON that loses nothing, and the canonical form records are hashed in.

Numbers stay the text they were written in: 1, 1.0 and 1.00 say different things in medicine, and
a float round trip hides a changed byte. Members are put in the order of RFC 8785 and strings are
escaped as it says; number formatting is where we leave it on purpose.

Source: RFC 8785 sections 3.2.2.2 (strings) and 3.2.3 (order of members); RFC 8259; FHIR R4
datatypes, decimal: "the precision of the decimal value has significance".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn, TypeAlias

import rfc8785
from eth_utils.crypto import keccak

from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import Digest

MAX_DEPTH: Final = 200
"""Arrays and objects may lie this many deep, not one more."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# A string that is never closed runs to the end: looking for its end anew would take for ever.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRINGS = re.compile(_STRING, re.DOTALL)
_BRACKET_OR_STRING = re.compile(_STRING + r"|[\[{\]}]", re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[{\]}]+")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_FRAGMENT = re.compile(r"-|\.|\.?[0-9]*[eE][+-]?|t|tru?|f|fa|fals?|n|nul?|\\?u[0-9a-fA-F]{0,4}|")
_SPACE: Final = " \t\n\r"

_SERVER_MEMBERS: Final = ("versionId", "lastUpdated", "source")
_SUBSETTED: Final = (
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "SUBSETTED",
)


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number, kept exactly as it was written. Two are equal when their text is.

    Attributes:
        lexeme: The text, for example ``1.00``.

    Raises:
        InvalidDocument: The text is no JSON number.
    """

    lexeme: str

    def __post_init__(self) -> None:
        """Refuse text that is no number: `encode` writes it out as it stands."""
        if not _NUMBER.fullmatch(self.lexeme):
            raise InvalidDocument(f"not a JSON number: {self.lexeme!r}")

    def __str__(self) -> str:
        """The number as it was written."""
        return self.lexeme


Value: TypeAlias = "bool | str | Number | list[Value] | dict[str, Value] | None"
"""What `parse` returns. There is neither int nor float in it."""

Object: TypeAlias = dict[str, Value]
"""A JSON object."""


def parse(data: bytes | str, *, max_depth: int = MAX_DEPTH) -> Value:
    """Read JSON text without losing anything.

    Args:
        data: One JSON value; bytes are UTF-8 without a byte order mark.
        max_depth: Arrays and objects may lie this many deep; at most `MAX_DEPTH`, less for what is
            to be laid into another document.

    Raises:
        InvalidDocument: The text is empty, no JSON, cut off, no UTF-8, begins with a byte order
            mark, repeats a member, holds NaN or an infinity, half a surrogate pair, or lies deeper
            than allowed. Line and column are given where they are known.

    Source: RFC 8259; RFC 7493 (I-JSON) section 2.1 and 2.3 for surrogates and repeated members.
    """
    text = _decoded(data)
    _check_depth(text, max_depth)
    try:
        value: Value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _explained(text, error) from error
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(text)
    return value


def parse_object(data: bytes | str) -> Object:
    """Read JSON text that must be an object; otherwise as `parse`.

    Raises:
        InvalidDocument: As `parse`, and for any other value than an object.
    """
    value = parse(data)
    if not isinstance(value, dict):
        raise InvalidDocument("the text is JSON, but not an object")
    return value


def encode(value: Value) -> bytes:
    """Write a value in canonical form: one value, one text.

    Members are in the order of their names' UTF-16 code units, strings escaped no more than they
    must be, numbers as they were read, no space anywhere.

    Raises:
        InvalidDocument: The value holds anything that `parse` would not return (an int or a float,
            half a surrogate pair), or lies deeper than `MAX_DEPTH`.
    """
    try:
        return _text(value, 0).encode()
    except UnicodeEncodeError as error:
        raise InvalidDocument("a string holds half a surrogate pair") from error


def record_bytes(resource: Mapping[str, Value]) -> bytes:
    """Write a FHIR resource in the canonical form of a record.

    Left out is what servers set and a copy changes: ``meta.versionId``, ``meta.lastUpdated``,
    ``meta.source`` and the SUBSETTED tag, with a ``meta`` or ``meta.tag`` that this empties.

    Raises:
        InvalidDocument: As `encode`.
    """
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return encode(dict(resource))
    kept = {name: value for name, value in meta.items() if name not in _SERVER_MEMBERS}
    tags = kept.get("tag")
    if isinstance(tags, list):
        own = [tag for tag in tags if not _is_subsetted(tag)]
        if own or not tags:
            kept["tag"] = own
        else:
            del kept["tag"]
    record = dict(resource)
    if kept or not meta:
        record["meta"] = kept
    else:
        del record["meta"]
    return encode(record)


def record_hash(resource: Mapping[str, Value]) -> Digest:
    """Hash a FHIR resource: keccak256 of `record_bytes`. It decides what a new version is."""
    return Digest(keccak(record_bytes(resource)))


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """Write a document of our own (terms, requests, log entries) by RFC 8785 as it stands.

    Raises:
        InvalidDocument: The document holds what RFC 8785 cannot write, such as an integer beyond
            2**53 - 1 or half a surrogate pair.
    """
    try:
        return rfc8785.dumps(dict(document))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidDocument(f"the document has no canonical form: {error}") from error


def _decoded(data: bytes | str) -> str:
    if isinstance(data, str):
        text = data
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _at(text, error.start, "half a surrogate pair") from error
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            before = data[: error.start].decode()
            problem = "the text is not UTF-8: save it as UTF-8 without a byte order mark"
            raise _at(before, len(before), problem) from error
    if text.startswith("\ufeff"):
        raise InvalidDocument("the text begins with a byte order mark: save it as UTF-8 without")
    return text


def _check_depth(text: str, bound: int) -> None:
    """Count brackets outside strings, before the parser follows them down."""
    if text.count("[") + text.count("{") <= bound:
        return
    if _depth(_NO_BRACKET.sub("", _STRINGS.sub("", text))) <= bound:
        return
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > bound:
                raise _at(text, match.start(), f"nested more than {bound} deep")
        elif match[0] in "]}":
            depth -= 1


def _depth(brackets: str) -> int:
    depth = deepest = 0
    for bracket in brackets:
        if bracket in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
        else:
            depth -= 1
    return deepest


def _check_surrogates(text: str) -> None:
    """Find an escaped surrogate whose other half does not follow; the text is known to be JSON."""
    expected_at = -1
    for match in _ESCAPE.finditer(text):
        code = int(match[1], 16) if match[1] else 0
        if expected_at >= 0 and not (match.start() == expected_at and 0xDC00 <= code <= 0xDFFF):
            raise _at(text, expected_at - 6, "half a surrogate pair")
        if expected_at >= 0:
            expected_at = -1
        elif 0xD800 <= code <= 0xDBFF:
            expected_at = match.end()
        elif 0xDC00 <= code <= 0xDFFF:
            raise _at(text, match.start(), "half a surrogate pair")
    if expected_at >= 0:
        raise _at(text, expected_at - 6, "half a surrogate pair")


def _object(members: list[tuple[str, Value]]) -> Object:
    found = dict(members)
    if len(found) != len(members):
        seen: set[str] = set()
        for name, _ in members:
            if name in seen:
                raise InvalidDocument(f"the member {name!r} stands twice in one object")
            seen.add(name)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidDocument(f"{name} is no JSON number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=Number,
    parse_int=Number,
    parse_constant=_refuse_constant,
)


def _explained(text: str, error: json.JSONDecodeError) -> InvalidDocument:
    if not text.strip(_SPACE):
        return InvalidDocument("the text is empty")
    rest = text[error.pos :].strip(_SPACE)
    cut = error.msg != "Extra data" and error.pos > 0 and _FRAGMENT.fullmatch(rest)
    if cut or error.msg.startswith("Unterminated string"):
        return _at(text, len(text), "the text is cut off: it ends in the middle of a value")
    return InvalidDocument(f"not JSON: {error.msg}", line=error.lineno, column=error.colno)


def _at(text: str, position: int, problem: str) -> InvalidDocument:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return InvalidDocument(problem, line=line, column=column)


def _text(value: Value, depth: int) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Number):
        return value.lexeme
    if isinstance(value, dict):
        return _object_text(value, depth)
    if isinstance(value, list):
        return _array_text(value, depth)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise InvalidDocument(f"a {type(value).__name__} has no lossless form: give numbers as Number")


def _object_text(value: Object, depth: int) -> str:
    if depth == MAX_DEPTH:
        raise InvalidDocument(f"nested more than {MAX_DEPTH} deep")
    members = []
    for name in _ordered(value):
        member = value[name]
        # Most members are strings, most others objects: asking `_text` would take half of the time.
        if type(member) is str:
            text = encode_basestring(member)
        elif type(member) is dict:
            text = _object_text(member, depth + 1)
        else:
            text = _text(member, depth + 1)
        members.append(f"{encode_basestring(name)}:{text}")
    return "{" + ",".join(members) + "}"


def _array_text(value: list[Value], depth: int) -> str:
    if depth == MAX_DEPTH:
        raise InvalidDocument(f"nested more than {MAX_DEPTH} deep")
    items = [
        _object_text(item, depth + 1) if type(item) is dict else _text(item, depth + 1)
        for item in value
    ]
    return "[" + ",".join(items) + "]"


def _ordered(value: Object) -> list[str]:
    try:
        if "".join(value).isascii():
            return sorted(value)
        return sorted(value, key=_utf16)
    except TypeError as error:
        raise InvalidDocument("the name of a member is no string") from error


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _is_subsetted(tag: Value) -> bool:
    return isinstance(tag, dict) and (tag.get("system"), tag.get("code")) == _SUBSETTED
