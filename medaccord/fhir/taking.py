"""Reading a resource so that nothing of it is passed over unseen.

Members are taken out of an element one by one, by whoever knows what they mean. What is left in the
end was understood by nobody, and is a fault: an element that a reader skips may be the one that
takes back what the others say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from medaccord.core.errors import InvalidResource

__all__ = ["UNKNOWN", "Taken"]

UNKNOWN: Final = "cannot be expressed"
"""What is wrong with a member that nobody took."""


class Taken:
    """An element of a resource, as long as members are taken out of it.

    Faults are gathered, not raised: who wrote the resource wants to hear of all of them at once. A
    member that is absent reads as None, or as no elements; one that has another form is a fault and
    reads as absent.

    Attributes:
        path: where the element is, such as ``Consent.provision.actor[0]``.
    """

    __slots__ = ("_faults", "_inner", "_left", "path")

    def __init__(
        self, members: Mapping[str, Any], path: str, faults: dict[str, str] | None = None
    ) -> None:
        """Take an element in hand.

        Args:
            members: what a JSON parser made of it.
            path: where it is.
            faults: faults by path, to which others are added.
        """
        self.path = path
        self._left = dict(members)
        self._faults = {} if faults is None else faults
        self._inner: list[Self] = []

    def fault(self, problem: str, member: str | None = None) -> None:
        """Say what is wrong with the element, or with a member of it; the first word stands."""
        self._faults.setdefault(self.path if member is None else f"{self.path}.{member}", problem)

    def skip(self, *members: str) -> None:
        """Take members out that say nothing of what is read."""
        for member in members:
            self._left.pop(member, None)

    def has(self, member: str) -> bool:
        """Whether a member is there still."""
        return member in self._left

    def text(self, member: str, *, required: bool = False) -> str | None:
        """A member that is text."""
        value = self._pop(member, required)
        if value is not None and not isinstance(value, str):
            self.fault("is no text", member)
            return None
        return value

    def texts(self, member: str) -> list[str]:
        """A member that is a list of texts."""
        values = self._left.pop(member, [])
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            self.fault("is no list of texts", member)
            return []
        return values

    def boolean(self, member: str, *, required: bool = False) -> bool | None:
        """A member that is true or false."""
        value = self._pop(member, required)
        if value is not None and not isinstance(value, bool):
            self.fault("is neither true nor false", member)
            return None
        return value

    def element(self, member: str, *, required: bool = False) -> Self | None:
        """A member that is an element."""
        value = self._pop(member, required)
        return None if value is None else self._take(value, member)

    def elements(self, member: str, *, missing: str | None = None) -> list[Self]:
        """A member that is a list of elements.

        Args:
            member: its name.
            missing: what is wrong if there are none; None if nothing is.
        """
        if member not in self._left:
            if missing is not None:
                self.fault(missing, member)
            return []
        values = self._left.pop(member)
        if not isinstance(values, list):
            self.fault("is no list", member)
            return []
        if not values:
            self.fault(missing or "is empty: leave it out", member)
        taken = [self._take(value, f"{member}[{at}]") for at, value in enumerate(values)]
        return [each for each in taken if each is not None]

    def only(self, member: str) -> Self | None:
        """The one element of a list; it is a fault if there is none, or if there are more."""
        found = self.elements(member, missing="is missing")
        for other in found[1:]:
            other.abandon("is one more than can be expressed")
        return found[0] if found else None

    def abandon(self, problem: str = UNKNOWN) -> None:
        """Give the element up as a whole, as one fault."""
        self.fault(problem)
        self._left, self._inner = {}, []

    def finish(self) -> None:
        """End the reading of the element and of all taken out of it.

        Raises:
            InvalidResource: there was a fault, or a member is left that nobody took.
        """
        self._leave()
        if self._faults:
            raise InvalidResource(self._faults)

    def _pop(self, member: str, required: bool) -> Any:
        if member in self._left:
            value = self._left.pop(member)
            if value is None:
                self.fault("is null: leave it out", member)
            return value
        if required:
            self.fault("is missing", member)
        return None

    def _take(self, value: object, member: str) -> Self | None:
        if not isinstance(value, Mapping):
            self.fault("is no element", member)
            return None
        inner = type(self)(value, f"{self.path}.{member}", self._faults)
        self._inner.append(inner)
        return inner

    def _leave(self) -> None:
        for member in self._left:
            self.fault(UNKNOWN, member)
        for inner in self._inner:
            inner._leave()
