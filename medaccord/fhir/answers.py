"""Answers to searches: searchset Bundles whose records are embedded byte for byte.

A record is written once, when it is imported; here its canonical bytes are laid into the Bundle as
they are. Proofs and the receipt travel beside the records, in extensions whose valueString is our
JSON document: a record itself is never touched. Totals are of what may be released, so that neither
they nor the links tell of anything withheld.

Source: FHIR R4, section 3.1.1.5 (the server's answer to a search), section 3.1.1.5.3 (paging).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from medaccord.core.canonical import (
    Number,
    Object,
    Value,
    document_bytes,
    encode,
    parse_object,
    record_bytes,
)
from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.fhir.outcomes import Outcome, operation_outcome, parse_outcome

__all__ = [
    "RECEIPT_EXTENSION",
    "RECORD_PROOF_EXTENSION",
    "AnswerEntry",
    "Outcome",
    "SearchSet",
    "operation_outcome",
    "parse_outcome",
    "parse_searchset",
    "searchset",
]

_BASE: Final = "https://medaccord.example/fhir/StructureDefinition/"
RECORD_PROOF_EXTENSION: Final = f"{_BASE}record-proof"
"""On Bundle.entry: the proof of that entry's record, profile medaccord/proof/1."""
RECEIPT_EXTENSION: Final = f"{_BASE}receipt"
"""On Bundle.meta: the steward's signed receipt for the whole answer; on an entry, for that."""
GRADE_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/match-grade"
"""On Bundle.entry.search: how sure a matched patient is. Source: FHIR R4, match-grade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEntry:
    """One record of an answer.

    Attributes:
        full_url: where the record can be read.
        record: the record's canonical bytes.
        proof: the document of its proof; None where it has none, as directory entries do.
        mode: "match" for what was searched for, "include" for what is referred to from it.
        grade: how sure a matched patient is, a code of match-grade; None where it was no match.
        score: the same from 0 to 1, as it is written; None likewise.
        receipt: document of the steward's receipt for this entry; None where the answer has one.
    """

    full_url: str
    record: bytes
    proof: Mapping[str, Any] | None = None
    mode: str = "match"
    grade: str | None = None
    score: str | None = None
    receipt: Mapping[str, Any] | None = None

    @property
    def resource(self) -> Object:
        """The record, read losslessly.

        Raises:
            InvalidDocument: the bytes are no JSON object.
        """
        return parse_object(self.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSet:
    """An answer to a search.

    Attributes:
        entries: the records on this page.
        total: how many records match and may be released, on all pages together.
        self_url: the search that was answered.
        next_url: the next page; None on the last.
        receipt: document of the steward's signed receipt; None where there is none.
    """

    entries: tuple[AnswerEntry, ...]
    total: int
    self_url: str
    next_url: str | None = None
    receipt: Mapping[str, Any] | None = None


def searchset(
    entries: Sequence[AnswerEntry],
    *,
    total: int,
    self_url: str,
    next_url: str | None = None,
    receipt: Mapping[str, Any] | None = None,
) -> bytes:
    """Write an answer to a search.

    Args:
        entries: the records on this page; their bytes stand in the answer as they are.
        total: how many records match and may be released, on all pages together: counted after
            filtering.
        self_url: the search as it was understood.
        next_url: the next page; None on the last.
        receipt: document of the steward's signed receipt for this answer.

    Raises:
        InvalidDocument: a record is not one JSON object: it would break out of its place.
        InvalidInput: the total is less than the matches on this page.
    """
    matches = sum(entry.mode == "match" for entry in entries)
    if total < matches:
        raise InvalidInput(f"the page has {matches} matches, but the total is {total}")
    links: list[Value] = [{"relation": "self", "url": self_url}]
    if next_url is not None:
        links.append({"relation": "next", "url": next_url})
    parts = [
        b'{"resourceType":"Bundle"',
        b'"type":"searchset"',
        b'"total":' + encode(Number(str(total))),
        b'"link":' + encode(links),
    ]
    if receipt is not None:
        parts.append(b'"meta":' + encode({"extension": [_extension(RECEIPT_EXTENSION, receipt)]}))
    if entries:
        # FHIR has no empty arrays.
        parts.append(b'"entry":[' + b",".join(_entry(entry) for entry in entries) + b"]")
    return b",".join(parts) + b"}"


def parse_searchset(data: bytes) -> SearchSet:
    """Read an answer to a search, losing nothing.

    The records come back as canonical bytes, whatever the order and spacing they arrived in; their
    hash is what their proof speaks of. Nothing is verified here.

    Raises:
        InvalidDocument: it is no searchset Bundle, or one whose parts are malformed.
    """
    bundle = parse_object(data)
    if (bundle.get("resourceType"), bundle.get("type")) != ("Bundle", "searchset"):
        raise InvalidDocument("the answer is no searchset Bundle")
    total = bundle.get("total")
    if not isinstance(total, Number) or not total.lexeme.isdigit():
        raise InvalidDocument("the answer has no total")
    links = {
        link.get("relation"): link.get("url")
        for link in _list(bundle, "link")
        if isinstance(link, dict) and isinstance(link.get("relation"), str)
    }
    self_url, next_url = links.get("self"), links.get("next")
    if not isinstance(self_url, str) or not isinstance(next_url, str | None):
        raise InvalidDocument("the answer has no link to itself")
    meta = bundle.get("meta", {})
    if not isinstance(meta, dict):
        raise InvalidDocument("the answer's meta is no object")
    return SearchSet(
        entries=tuple(_read_entry(item) for item in _list(bundle, "entry")),
        total=int(total.lexeme),
        self_url=self_url,
        next_url=next_url,
        receipt=_read_extension(meta, RECEIPT_EXTENSION),
    )


def _entry(entry: AnswerEntry) -> bytes:
    _ = entry.resource  # refuses bytes that are not one object
    parts = [b'{"fullUrl":' + encode(entry.full_url), b'"resource":' + entry.record]
    search: Object = {"mode": entry.mode}
    if entry.score is not None:
        search["score"] = Number(entry.score)
    if entry.grade is not None:
        search["extension"] = [{"url": GRADE_EXTENSION, "valueCode": entry.grade}]
    parts.append(b'"search":' + encode(search))
    beside = ((RECORD_PROOF_EXTENSION, entry.proof), (RECEIPT_EXTENSION, entry.receipt))
    extensions: list[Value] = [_extension(url, held) for url, held in beside if held is not None]
    if extensions:
        parts.append(b'"extension":' + encode(extensions))
    return b",".join(parts) + b"}"


def _extension(url: str, document: Mapping[str, Any]) -> Value:
    return {"url": url, "valueString": document_bytes(document).decode()}


def _read_entry(item: Value) -> AnswerEntry:
    resource = item.get("resource") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(resource, dict):
        raise InvalidDocument("an entry of the answer has no resource")
    full_url, search = item.get("fullUrl"), item.get("search")
    if not isinstance(full_url, str):
        raise InvalidDocument("an entry of the answer has no fullUrl")
    mode = search.get("mode") if isinstance(search, dict) else None
    if mode not in ("match", "include"):
        raise InvalidDocument("an entry of the answer is neither match nor include")
    score, grade = _read_match(search) if isinstance(search, dict) else (None, None)
    return AnswerEntry(
        full_url=full_url,
        record=record_bytes(resource),
        proof=_read_extension(item, RECORD_PROOF_EXTENSION),
        mode=str(mode),
        grade=grade,
        score=score,
        receipt=_read_extension(item, RECEIPT_EXTENSION),
    )


def _read_match(search: Object) -> tuple[str | None, str | None]:
    score = search.get("score")
    grades = [
        each.get("valueCode")
        for each in _list(search, "extension")
        if isinstance(each, dict) and each.get("url") == GRADE_EXTENSION
    ]
    grade = grades[0] if len(grades) == 1 else None
    return (
        score.lexeme if isinstance(score, Number) else None,
        grade if isinstance(grade, str) else None,
    )


def _read_extension(holder: Object, url: str) -> Mapping[str, Any] | None:
    found = [
        extension.get("valueString")
        for extension in _list(holder, "extension")
        if isinstance(extension, dict) and extension.get("url") == url
    ]
    if not found:
        return None
    if len(found) > 1 or not isinstance(found[0], str):
        raise InvalidDocument(f"the extension {url} stands there twice, or holds no text")
    parse_object(found[0])  # refuses what plain json would take: doubles, NaN, half a surrogate
    document: Mapping[str, Any] = json.loads(found[0])
    return document


def _list(holder: Object, name: str) -> list[Value]:
    value = holder.get(name, [])
    if not isinstance(value, list):
        raise InvalidDocument(f"{name} of the answer is no list")
    return value
