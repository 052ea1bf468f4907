"""SMART v2 scopes, as far as a patient's terms use them.

A scope here is `patient/<type>.<interactions>[?<parameters>]`: one resource type or `*`; reading
(`r`) and searching (`s`); and the parameters `category` and `code`, whose alternatives are parted
by commas. Everything else (writing, other contexts, other parameters, percent-encoding, a parameter
given twice) is refused rather than guessed at: what is not understood must not be granted.

Source: SMART App Launch 2.0, section 3.0.2 (scopes for requesting FHIR resources).
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidScope
from medaccord.core.resource_types import RESOURCE_TYPES

__all__ = ["ANY_TYPE", "INTERACTIONS", "PARAMETERS", "Scope", "narrower"]

ANY_TYPE: Final = "*"
"""Stands for every resource type."""

INTERACTIONS: Final = ("r", "s")
"""Reading one record, searching for records; in the order they are written."""

PARAMETERS: Final = ("category", "code")
"""The parameters a scope may narrow by, in the order they are written."""

MAX_ALTERNATIVES: Final = 64
"""A parameter may have this many alternatives, not one more."""

_SCOPE = re.compile(r"patient/(\*|[A-Za-z]+)\.([a-z]+)(?:\?([^?]+))?")
_TOKEN = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9:/._~-]{1,200}\|)?[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scope, in its one canonical form.

    Attributes:
        resource_type: a FHIR R4 resource type, or `ANY_TYPE`.
        interactions: at least one of `INTERACTIONS`.
        parameters: (name, alternatives) for each parameter, in the order of `PARAMETERS`; the
            alternatives are tokens, sorted and distinct. A record must meet every parameter, and
            meets one by any of its alternatives.

    Raises:
        InvalidScope: anything else.
    """

    resource_type: str
    interactions: frozenset[str]
    parameters: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what has no canonical form, or is wider than we grant."""
        if self.resource_type != ANY_TYPE and self.resource_type not in RESOURCE_TYPES:
            raise InvalidScope(f"{self.resource_type} is no FHIR R4 resource type")
        if not self.interactions or not self.interactions <= set(INTERACTIONS):
            raise InvalidScope("a scope grants reading (r), searching (s) or both (rs)")
        names = [name for name, _ in self.parameters]
        if names != [name for name in PARAMETERS if name in names]:
            raise InvalidScope(f"the parameters {names} are not of {list(PARAMETERS)}, in order")
        for name, tokens in self.parameters:
            _check_tokens(name, tokens)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a scope; `str` of the result is its canonical form.

        Args:
            text: such as ``patient/Observation.rs?category=laboratory``. Parameters and their
                alternatives may stand in any order.

        Raises:
            InvalidScope: it is no scope, or none that we grant.
        """
        match = _SCOPE.fullmatch(text)
        if match is None:
            raise InvalidScope(f"not a scope like patient/Observation.rs: {text!r}")
        resource_type, letters, query = match.groups()
        if letters in ("read", "write"):
            raise InvalidScope(f"{text!r} is a SMART v1 scope; write it as patient/… .rs")
        if any(letter in "cud" for letter in letters):
            raise InvalidScope(f"{text!r} asks to write; consents cover reading (r) and search (s)")
        if letters not in ("r", "s", "rs"):
            raise InvalidScope(f"{text!r} grants neither r, s nor rs")
        return cls(
            resource_type=resource_type,
            interactions=frozenset(letters),
            parameters=_parse_parameters(query, text) if query else (),
        )

    def __str__(self) -> str:
        """The canonical form."""
        letters = "".join(letter for letter in INTERACTIONS if letter in self.interactions)
        query = "&".join(f"{name}={','.join(tokens)}" for name, tokens in self.parameters)
        return f"patient/{self.resource_type}.{letters}{'?' if query else ''}{query}"

    def allows(self, resource_type: str, interaction: str) -> bool:
        """Whether it allows this interaction on at least some records of this type."""
        return interaction in self.interactions and self.resource_type in (ANY_TYPE, resource_type)

    def matches(self, descriptor: Descriptor, interaction: str) -> bool:
        """Whether it allows this interaction on this very record."""
        held = {"category": descriptor.categories, "code": descriptor.codes}
        return self.allows(descriptor.resource_type, interaction) and all(
            not held[name].isdisjoint(tokens) for name, tokens in self.parameters
        )


def narrower(a: Scope, b: Scope) -> bool:
    """Whether every record and interaction that `a` allows is allowed by `b`.

    True is a proof; False may also mean that it could not be shown.
    """
    if b.resource_type not in (ANY_TYPE, a.resource_type) or not a.interactions <= b.interactions:
        return False
    ours = dict(a.parameters)
    return all(
        name in ours and all(_implied(token, theirs) for token in ours[name])
        for name, theirs in b.parameters
    )


def _implied(token: str, alternatives: tuple[str, ...]) -> bool:
    """Whether a record with this token has one of these; "system|code" brings its "code" along."""
    return token in alternatives or token.rpartition("|")[2] in alternatives


def _parse_parameters(query: str, text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, tuple[str, ...]] = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if name not in PARAMETERS or not equals:
            raise InvalidScope(f"{text!r} narrows by {name!r}; only category and code are known")
        if name in found:
            raise InvalidScope(f"{text!r} has {name} twice; part its alternatives by commas")
        found[name] = tuple(sorted(set(value.split(","))))
    return tuple((name, found[name]) for name in PARAMETERS if name in found)


def _check_tokens(name: str, tokens: tuple[str, ...]) -> None:
    if not 0 < len(tokens) <= MAX_ALTERNATIVES:
        raise InvalidScope(f"{name} has {len(tokens)} alternatives, not 1 to {MAX_ALTERNATIVES}")
    if list(tokens) != sorted(set(tokens)):
        raise InvalidScope(f"the alternatives of {name} are not sorted and distinct")
    for token in tokens:
        if not _TOKEN.fullmatch(token):
            raise InvalidScope(f"{name} is a code or system|code, not {token!r}")
