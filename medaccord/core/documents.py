"""Reading documents of our own: a profile by name, exactly its members, nothing guessed."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

from medaccord.core.canonical import Number, Value, parse_object
from medaccord.core.errors import InvalidDocument, InvalidIdentifier
from medaccord.core.identifiers import Address, Digest, address, digest

MAX_INTEGER: Final = 2**53 - 1
"""Largest integer a document may hold. Source: RFC 7493 section 2.2."""

_OCTETS = re.compile(r"0x(?:[0-9a-f]{2})*")
_INSTANT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class DocumentReader:
    """The members of one document, or of one object in it, each read by what it must be.

    Every method raises InvalidDocument, naming the member, where the member is something else.
    """

    __slots__ = ("_members", "_what")

    def __init__(
        self,
        members: object,
        *,
        what: str,
        required: Iterable[str],
        optional: Iterable[str] = (),
    ) -> None:
        """Take an object that has all the required members and none but these and the optional.

        Args:
            members: What was read from JSON.
            what: How an error names the object.
            required: Names that must be there.
            optional: Names that may be there.

        Raises:
            InvalidDocument: It is no object, lacks a member, or has one too many.
        """
        if not isinstance(members, Mapping):
            raise InvalidDocument(f"{what} is no object")
        needed = set(required)
        if missing := sorted(needed - members.keys()):
            raise InvalidDocument(f"{what} lacks {', '.join(missing)}")
        if unknown := sorted(map(str, members.keys() - needed - set(optional))):
            raise InvalidDocument(f"{what} has unknown members: {', '.join(unknown)}")
        self._members = members
        self._what = what

    @classmethod
    def open(
        cls,
        source: bytes | str | Mapping[str, Any],
        *,
        profile: str,
        required: Iterable[str],
        optional: Iterable[str] = (),
    ) -> Self:
        """Open a document of one profile.

        Args:
            source: JSON text, or what a JSON parser made of it.
            profile: The profile it must name, for example ``medaccord/receipt/1``.
            required: Its members beside ``profile``.
            optional: Members it may have.

        Raises:
            InvalidDocument: As the constructor, and for malformed JSON and any other profile.
        """
        members = members_of(source)
        found = members.get("profile")
        if found != profile:
            raise InvalidDocument(f"the profile is {found!r}, not {profile!r}")
        return cls(members, what=profile, required=["profile", *required], optional=optional)

    def has(self, name: str) -> bool:
        """Whether an optional member is there."""
        return name in self._members

    def null(self, name: str) -> bool:
        """Whether a member is null."""
        return self._members[name] is None

    def raw(self, name: str) -> object:
        """A member as it stands, for a reader of its own."""
        value: object = self._members[name]
        return value

    def text(self, name: str) -> str:
        """A string."""
        value = self._members[name]
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def integer(self, name: str, *, minimum: int = 0) -> int:
        """An integer from ``minimum`` to 2**53 - 1, both included."""
        value = self._members[name]
        if type(value) is not int or not minimum <= value <= MAX_INTEGER:
            raise self._wrong(name, f"an integer from {minimum} to {MAX_INTEGER}")
        return value

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self._members[name]
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object that is a document of its own, as it stands."""
        value = self._members[name]
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object")
        return value

    def mappings(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """A list of objects that are documents of their own, as they stand."""
        values = self._list(name)
        if not all(isinstance(value, Mapping) for value in values):
            raise self._wrong(name, "a list of objects")
        return tuple(values)

    def address(self, name: str) -> Address:
        """An address, written with its checksum."""
        value = self.text(name)
        try:
            found = address(value)
        except InvalidIdentifier as error:
            raise self._wrong(name, "an address") from error
        if found != value:
            raise self._wrong(name, "an address written with its checksum")
        return found

    def digest(self, name: str) -> Digest:
        """32 bytes, written as 0x and 64 lower-case hex digits."""
        return self._digest(name, self._members[name])

    def octets(self, name: str) -> bytes:
        """Bytes of any number, written as 0x and lower-case hex digits."""
        value = self.text(name)
        if not _OCTETS.fullmatch(value):
            raise self._wrong(name, "bytes in lower-case hexadecimal")
        return bytes.fromhex(value[2:])

    def digests(self, name: str) -> tuple[Digest, ...]:
        """A list of 32 bytes each."""
        return tuple(self._digest(name, value) for value in self._list(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of strings")
        return tuple(values)

    def instant(self, name: str) -> datetime:
        """A time, written as `instant_text` does."""
        value = self.text(name)
        try:
            found = datetime.strptime(value, _INSTANT).replace(tzinfo=UTC)
        except ValueError as error:
            raise self._wrong(name, "a time like 2026-01-31T12:00:00.000000Z") from error
        if instant_text(found) != value:
            raise self._wrong(name, "a time like 2026-01-31T12:00:00.000000Z")
        return found

    def object(
        self, name: str, *, required: Iterable[str], optional: Iterable[str] = ()
    ) -> "DocumentReader":
        """An object with members of its own."""
        what = f"{name} of {self._what}"
        return DocumentReader(self._members[name], what=what, required=required, optional=optional)

    def _list(self, name: str) -> list[Any]:
        value = self._members[name]
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def _digest(self, name: str, value: Any) -> Digest:
        if not isinstance(value, str) or value != value.lower():
            raise self._wrong(name, "32 bytes in lower-case hexadecimal")
        try:
            return digest(value)
        except InvalidIdentifier as error:
            raise self._wrong(name, "32 bytes in lower-case hexadecimal") from error

    def _wrong(self, name: str, expected: str) -> InvalidDocument:
        return InvalidDocument(f"{name} of {self._what} is not {expected}")


def members_of(source: bytes | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of a document, not looked at yet: which profile it names, says what to expect.

    Args:
        source: JSON text, or what a JSON parser made of it.

    Raises:
        InvalidDocument: It is no JSON object, or holds a number that is no integer of 53 bits.
    """
    if isinstance(source, bytes | str):
        return {name: _plain(value) for name, value in parse_object(source).items()}
    return source


def instant_text(at: datetime) -> str:
    """Write a time in UTC with six decimals: each instant has one text, and text sorts as time.

    Raises:
        InvalidDocument: The time has no time zone, or lies beyond the years 1 to 9999 in UTC.
    """
    if at.tzinfo is None:
        raise InvalidDocument(f"the time {at.isoformat()} has no time zone")
    try:
        moment = at.astimezone(UTC)
    except OverflowError:
        raise InvalidDocument(f"the time {at.isoformat()} has no year in UTC") from None
    return f"{moment.year:04d}{moment.strftime(_INSTANT[2:])}"


def _plain(value: Value) -> Any:
    """Our documents hold integers only, so a parsed number becomes an int or is refused."""
    if isinstance(value, Number):
        if not value.lexeme.removeprefix("-").isdigit():
            raise InvalidDocument(f"{value.lexeme} is no integer")
        if len(value.lexeme) > len(str(MAX_INTEGER)) + 1 or abs(int(value.lexeme)) > MAX_INTEGER:
            raise InvalidDocument(f"an integer beyond {MAX_INTEGER} has no exact form in JSON")
        return int(value.lexeme)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
