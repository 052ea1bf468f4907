"""Reading one resource of a file, out of an entry of a Bundle or a line of NDJSON.

Source: FHIR R4 Bundle; RFC 9562 for urn:uuid.
"""

from dataclasses import dataclass

from medaccord.core.canonical import Object, Value, encode
from medaccord.core.errors import InvalidBundle
from medaccord.core.resource_types import RECORD_ID, RESOURCE_TYPES
from medaccord.fhir.references import Condition, stable_id, urn_id
from medaccord.fhir.resource import Resource

__all__ = ["Entry", "read_entry", "read_resource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A resource, and the name that other entries of its file know it by.

    Attributes:
        resource: the resource, its references as they were read.
        full_url: the entry's fullUrl; None where it has none, as no line of NDJSON does.
    """

    resource: Resource
    full_url: str | None = None


def read_entry(item: Value, where: str) -> Entry:
    """Read an entry of a Bundle.

    A resource without an id takes that of its condition, if it is to be created or updated under
    one, else that of its ``urn:uuid:`` fullUrl.

    Args:
        item: the entry.
        where: what to call it in an error, such as "entry 2".

    Raises:
        InvalidBundle: it holds no resource, or one without type or name, or its fullUrl ends in the
            name of another: what refers to that one would be taken to be about this.
    """
    value = item.get("resource") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(value, dict):
        raise InvalidBundle(f"{where} of the Bundle has no resource")
    kind = _kind(value, where)
    full_url = item.get("fullUrl")
    if not isinstance(full_url, str | None):
        raise InvalidBundle(f"{where} ({kind}) has a fullUrl that is no text")
    identity = _identity(value, kind, where) or _given_id(item, kind, full_url)
    if full_url is not None and "id" in value and _is_anothers(full_url, f"{kind}/{identity}"):
        raise InvalidBundle(
            f"{where} ({kind}/{identity}) has the fullUrl of another: {_short(full_url)}"
        )
    if identity is None:
        raise InvalidBundle(f"{where} ({kind}) has neither an id nor a urn:uuid fullUrl")
    return Entry(resource=_named(value, kind, identity), full_url=full_url)


def read_resource(value: Value, where: str) -> Entry:
    """Read a resource that stands by itself.

    Args:
        value: the resource.
        where: what to call it in an error, such as "line 2".

    Raises:
        InvalidBundle: it is no resource, or one without type or id.
    """
    if not isinstance(value, dict):
        raise InvalidBundle(f"{where} is no resource")
    kind = _kind(value, where)
    identity = _identity(value, kind, where)
    if identity is None:
        raise InvalidBundle(f"{where} ({kind}) has no id")
    return Entry(resource=_named(value, kind, identity))


def _kind(value: Object, where: str) -> str:
    kind = value.get("resourceType")
    if not isinstance(kind, str) or kind not in RESOURCE_TYPES:
        raise InvalidBundle(f"{where} has no resourceType of FHIR R4, but {_short(kind)}")
    if kind == "Bundle":
        raise InvalidBundle(f"{where} is a Bundle itself; take its entries out")
    return kind


def _short(value: Value) -> str:
    text = encode(value).decode()
    return text if len(text) <= 80 else f"{text[:80]}…"


def _identity(value: Object, kind: str, where: str) -> str | None:
    if "id" not in value:
        return None
    identity = value["id"]
    if not isinstance(identity, str) or not RECORD_ID.fullmatch(identity):
        raise InvalidBundle(f"{where} ({kind}) has an id that FHIR does not allow")
    return identity


def _given_id(item: Object, kind: str, full_url: str | None) -> str | None:
    request = item.get("request")
    if isinstance(request, dict):
        query, url = request.get("ifNoneExist"), request.get("url")
        condition = Condition.parse(f"{kind}?{query}") if isinstance(query, str) else None
        if condition is None and request.get("method") == "PUT" and isinstance(url, str):
            condition = Condition.parse(url)
        if condition is not None and condition.type == kind:
            return stable_id(condition)
    return urn_id(full_url) if full_url else None


def _is_anothers(full_url: str, record: str) -> bool:
    """Whether a relative URL, or one of a server, ends in ``Type/id`` of another resource."""
    kind, _, identity = full_url.rpartition("/")
    kind = kind.rpartition("/")[2]
    is_name = kind in RESOURCE_TYPES and RECORD_ID.fullmatch(identity)
    return bool(is_name) and f"{kind}/{identity}" != record


def _named(value: Object, kind: str, identity: str) -> Resource:
    named = value if "id" in value else {**value, "id": identity}
    return Resource(type=kind, id=identity, value=named)
