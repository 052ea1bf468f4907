"""The rules of a Consent read back: its nested permits and denies.

Terms are one rule: they hold the permits to be alike, single records aside, and each deny to be
about labels alone.

Source: as `consent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId
from medaccord.core.labels import LABELS, excluded_with
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import PURPOSE_SYSTEM, Purpose
from medaccord.core.resource_types import is_record
from medaccord.core.scopes import Scope
from medaccord.fhir.consent import (
    EVERYTHING,
    RECIPIENT,
    SCOPE_EXTENSION,
    UNDATED_EXTENSION,
    label_coding,
)
from medaccord.fhir.taken_values import (
    account_in,
    code_in,
    day_in,
    demand_code,
    demand_type,
    instant_in,
    parsed,
)
from medaccord.fhir.taking import UNKNOWN, Taken

__all__ = ["Permit", "Rules", "rules_in"]

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What a permit says, single records aside.

    Attributes:
        grantee: whom it permits.
        valid_from: from when, included.
        valid_until: until when, excluded.
        purposes: what for.
        scopes: what it covers.
        period: the days it reaches; None for any.
        include_undated: whether it covers records that tell no day.
    """

    grantee: AccountId
    valid_from: datetime
    valid_until: datetime
    purposes: tuple[Purpose, ...]
    scopes: tuple[Scope, ...]
    period: DatePeriod | None
    include_undated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What all rules of a Consent say together.

    Attributes:
        permit: what is permitted; None if that could not be read, which is a fault then.
        records: the single records it is about; empty for all that it covers.
        labels: the labels left out.
    """

    permit: Permit | None
    records: tuple[str, ...]
    labels: tuple[str, ...]


def rules_in(consent: Taken) -> Rules:
    """Read the rules of a Consent."""
    root = consent.element("provision", required=True)
    if root is None:
        return Rules(permit=None, records=(), labels=())
    if root.text("type", required=True) not in (None, "deny"):
        root.fault("is no deny: terms permit nothing but what they name", "type")
    permits: list[tuple[Taken, Permit | None, tuple[str, ...]]] = []
    labels: list[str] = []
    denials = 0
    rules = root.elements("provision", missing="holds no permit")
    for rule in rules:
        kind = rule.text("type")
        if kind == "permit":
            permits.append((rule, _permit(rule), _records(rule)))
        elif kind == "deny":
            denials += 1
            labels += _labels(rule)
        else:
            rule.abandon("is neither permit nor deny")
    if not permits:
        if denials == len(rules):
            root.fault("holds no permit", "provision")
        return Rules(permit=None, records=(), labels=())
    _, first, records = permits[0]
    for rule, other, named in permits[1:]:
        if None not in (first, other) and other != first:
            rule.fault("differs from the first permit: terms are one rule for all they cover")
        if bool(named) != bool(records):
            rule.fault(
                "names single records where another permit names none, or none where it does"
            )
    every = tuple(record for _, _, named in permits for record in named)
    return Rules(permit=first, records=every, labels=tuple(labels))


def _permit(rule: Taken) -> Permit | None:
    window = _window(rule)
    grantee = _grantee(rule)
    purposes = _purposes(rule)
    period = _period(rule)
    scopes, include_undated = _extensions(rule)
    if window is None or grantee is None or not purposes:
        return None
    return Permit(
        grantee=grantee,
        valid_from=window[0],
        valid_until=window[1],
        purposes=purposes,
        scopes=scopes or (EVERYTHING,),
        period=period,
        include_undated=period is None if include_undated is None else include_undated,
    )


def _window(rule: Taken) -> tuple[datetime, datetime] | None:
    period = rule.element("period", required=True)
    if period is None:
        return None
    start, end = instant_in(period, "start"), instant_in(period, "end")
    for name, at in (("start", start), ("end", end)):
        if at is not None and at.microsecond:
            period.fault("is not in whole seconds", name)
    if start is None or end is None:
        return None
    try:
        return start, end + _SECOND
    except OverflowError:
        period.fault("is the end of all time: consents end before", "end")
        return None


def _grantee(rule: Taken) -> AccountId | None:
    actor = rule.only("actor")
    if actor is None:
        return None
    demand_code(actor.element("role", required=True), *RECIPIENT)
    return account_in(actor.element("reference", required=True), "Organization")


def _purposes(rule: Taken) -> tuple[Purpose, ...]:
    found: list[Purpose] = []
    for coding in rule.elements("purpose", missing="is missing: terms name what for"):
        system, code = code_in(coding)
        if system == PURPOSE_SYSTEM and code in set(Purpose):
            found.append(Purpose(code))
        else:
            coding.fault(f"is none of {', '.join(Purpose)} of {PURPOSE_SYSTEM}")
    return tuple(sorted(set(found)))


def _period(rule: Taken) -> DatePeriod | None:
    period = rule.element("dataPeriod")
    if period is None:
        return None
    if not period.has("start") and not period.has("end"):
        period.fault("is open on both sides: leave it out")
    start, end = day_in(period, "start"), day_in(period, "end")
    try:
        return DatePeriod(start=start, end=end)
    except InvalidInput as error:
        period.fault(error.problem)
        return None


def _records(rule: Taken) -> tuple[str, ...]:
    found: list[str] = []
    for data in rule.elements("data"):
        if data.text("meaning", required=True) not in (None, "instance"):
            data.fault(f"{UNKNOWN}: only instance can", "meaning")
        reference = data.element("reference", required=True)
        if reference is None:
            continue
        reference.skip("display")
        name = reference.text("reference", required=True)
        if name is None:
            continue
        demand_type(reference, name.partition("/")[0])
        if is_record(name):
            found.append(name)
        else:
            reference.fault(f"is {name!r}, no record like Observation/1", "reference")
    return tuple(found)


def _extensions(rule: Taken) -> tuple[tuple[Scope, ...], bool | None]:
    """The scopes, and whether undated records are covered; empty and None where nothing says so."""
    scopes: list[Scope] = []
    undated: list[bool] = []
    for extension in rule.elements("modifierExtension"):
        url = extension.text("url")
        if url == SCOPE_EXTENSION:
            text = extension.text("valueString", required=True)
            scope = None if text is None else parsed(extension, "valueString", text, Scope.parse)
            scopes += [] if scope is None else [scope]
        elif url == UNDATED_EXTENSION and not undated:
            included = extension.boolean("valueBoolean", required=True)
            undated += [] if included is None else [included]
        else:
            extension.abandon()
    return tuple(sorted(set(scopes), key=str)), undated[0] if undated else None


def _labels(rule: Taken) -> list[str]:
    """The labels that a deny leaves out: those that no other of it brings along."""
    found: set[str] = set()
    for coding in rule.elements("securityLabel", missing="is missing: terms deny by label alone"):
        system, code = code_in(coding)
        if code is not None and code in LABELS and label_coding(code)["system"] == system:
            found.add(code)
        else:
            coding.fault(f"{UNKNOWN}: terms leave out {', '.join(LABELS)}")
    if missing := excluded_with(found) - found:
        rule.fault(f"leaves out {', '.join(sorted(missing))} as well: list it", "securityLabel")
    return [each for each in found if not any(each in excluded_with([o]) for o in found - {each})]
