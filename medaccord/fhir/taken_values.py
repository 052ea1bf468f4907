"""What the elements of a resource hold that name a code, an account, a time.

Each of these takes the value out of an element and gives it, or None beside a fault of the element.

Source: FHIR R4 datatypes Coding, Reference, Identifier, dateTime and date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, TypeVar

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId
from medaccord.fhir.search import ACCOUNT_SYSTEM
from medaccord.fhir.taking import Taken

__all__ = [
    "account_in",
    "code_in",
    "day_in",
    "demand_code",
    "demand_type",
    "identifier_in",
    "instant_in",
    "parsed",
]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)

_Found = TypeVar("_Found")


def parsed(taken: Taken, member: str, text: str, parse: Callable[[str], _Found]) -> _Found | None:
    """What a text of a member is read as; its fault where that cannot be done."""
    try:
        return parse(text)
    except InvalidInput as error:
        taken.fault(error.problem, member)
        return None


def code_in(coding: Taken) -> tuple[str | None, str | None]:
    """System and code of a Coding; its display says no more than they do."""
    coding.skip("display")
    return coding.text("system"), coding.text("code")


def demand_code(concept: Taken | None, system: str, code: str) -> None:
    """Hold a CodeableConcept to one code."""
    coding = None if concept is None else concept.only("coding")
    if coding is not None and code_in(coding) != (system, code):
        coding.fault(f"is another than {code} of {system}")


def demand_type(reference: Taken, kind: str) -> None:
    """Hold what a Reference says it refers to, if it says so, to a type of resource."""
    if reference.text("type") not in (None, kind):
        reference.fault(f"is no {kind}", "type")


def identifier_in(holder: Taken) -> tuple[str | None, str | None]:
    """System and value of the identifier that a Reference names somebody or something by."""
    holder.skip("display")
    identifier = holder.element("identifier", required=True)
    return (
        (None, None)
        if identifier is None
        else (identifier.text("system"), identifier.text("value"))
    )


def account_in(reference: Taken | None, kind: str) -> AccountId | None:
    """The account that a Reference names.

    Args:
        reference: the Reference; None where there is none, which is a fault already.
        kind: the type of resource that it stands for.
    """
    if reference is None:
        return None
    demand_type(reference, kind)
    system, value = identifier_in(reference)
    if system != ACCOUNT_SYSTEM or value is None:
        reference.fault(f"is no account: give its identifier of {ACCOUNT_SYSTEM}", "identifier")
        return None
    return parsed(reference, "identifier", value, AccountId.parse)


def instant_in(holder: Taken, member: str) -> datetime | None:
    """A time to the second or finer, with its time zone."""
    text = holder.text(member, required=True)
    if text is None:
        return None
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass  # the thirtieth of February, say: told as any other text that is no time
    holder.fault(f"is {text!r}, no time to the second with its time zone", member)
    return None


def day_in(holder: Taken, member: str) -> date | None:
    """A day, where there is one."""
    text = holder.text(member)
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # told as any other text that is no day
    holder.fault(f"is {text!r}, no day like 2026-01-31", member)
    return None
