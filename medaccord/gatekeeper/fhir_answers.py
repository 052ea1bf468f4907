"""How what was released travels: as resources, as Bundles, or sealed; receipts in the headers."""

import base64
from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import Response

from medaccord.core.canonical import Object, document_bytes, encode
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.envelopes import Envelope, EnvelopeSet
from medaccord.core.identifiers import AccountId
from medaccord.fhir import ACCOUNT_SYSTEM, AnswerEntry, searchset
from medaccord.gatekeeper.fhir_requests import ENVELOPES, JSON
from medaccord.gatekeeper.freshness import BLOCK_HEADER
from medaccord.gatekeeper.matching import Match
from medaccord.gatekeeper.reading import Page, Released
from medaccord.gatekeeper.refusals import FHIR_JSON, outcome_response
from medaccord.records import Record

RECEIPT_HEADER: Final = "Medaccord-Receipt"
"""base64url, without padding, of the signed receipt's JSON."""

Pairs = tuple[tuple[str, str], ...]


class FhirAnswers:
    """Writes answers; every link in them begins with the address people reach us by."""

    def __init__(self, url: str) -> None:
        """Answer at an address, without a slash at its end."""
        self._base = f"{url}/fhir/"

    def resource(self, request: Request, page: Page, media: str) -> Response:
        """One record, or that the client has this version of it already.

        Args:
            request: with its `If-None-Match`.
            page: what was released.
            media: media type of the answer.
        """
        if page.refusal is not None:
            return self.refusal(page)
        (released,) = page.records
        headers = {
            **answer_headers(page),
            "ETag": f'W/"{released.version}"',
            "Last-Modified": format_datetime(released.updated, usegmt=True),
        }
        if _has_it(request, released.version):
            return Response(status_code=304, headers=headers)
        content = released.content
        body = (
            document_bytes(content.document()) if isinstance(content, Envelope) else content.content
        )
        return Response(body, media_type=media, headers=headers)

    def proof(self, page: Page) -> Response:
        """The proof of one record."""
        if page.refusal is not None:
            return self.refusal(page)
        (released,) = page.records
        body = document_bytes(_record(released).proof.document())
        return Response(body, media_type=JSON, headers=answer_headers(page))

    def bundle(self, page: Page, media: str, path: str, *, here: Pairs, after: Pairs) -> Response:
        """A page of a search.

        Args:
            page: what was released.
            media: media type of the answer.
            path: of the search, after ``/fhir/``.
            here: the parameters of this page.
            after: those of the next one, where there is one.
        """
        if page.refusal is not None:
            return self.refusal(page)
        links = f"{self._base}{path}?"
        self_url = links + urlencode(here)
        next_url = links + urlencode(after) if page.cursor else None
        if media == ENVELOPES:
            sealed = EnvelopeSet(
                envelopes=tuple(
                    each.content for each in page.records if isinstance(each.content, Envelope)
                ),
                total=page.total,
                self_url=self_url,
                next_url=next_url,
            )
            body = document_bytes(sealed.document())
        else:
            body = searchset(
                [self._entry(each) for each in page.records],
                total=page.total,
                self_url=self_url,
                next_url=next_url,
                receipt=None if page.receipt is None else page.receipt.document(),
            )
        return Response(body, media_type=media, headers=answer_headers(page))

    def matches(self, found: Sequence[Match], chain_id: int) -> Response:
        """Patients that were found: their accounts, and nothing else of them."""
        entries = []
        for each in found:
            account = str(AccountId(chain_id=chain_id, address=each.account))
            patient: Object = {
                "resourceType": "Patient",
                "identifier": [{"system": ACCOUNT_SYSTEM, "value": account}],
            }
            entries.append(
                AnswerEntry(
                    full_url=account,
                    record=encode(patient),
                    grade=each.grade.value,
                    score=each.grade.score,
                    receipt=each.receipt.document(),
                )
            )
        body = searchset(entries, total=len(entries), self_url=f"{self._base}Patient/$match")
        return Response(body, media_type=FHIR_JSON)

    def refusal(self, page: Page) -> Response:
        """Why nothing was released."""
        assert page.refusal is not None  # whoever calls has looked
        return outcome_response(page.refusal, answer_headers(page))

    def _entry(self, released: Released) -> AnswerEntry:
        record = _record(released)
        return AnswerEntry(
            full_url=self._base + released.name,
            record=record.content,
            proof=record.proof.document(),
            mode="include" if released.included else "match",
        )


def answer_headers(page: Page) -> Mapping[str, str]:
    """Receipt and block of an answer, also of a refusal."""
    headers = {}
    if page.receipt is not None:
        text = base64.urlsafe_b64encode(document_bytes(page.receipt.document()))
        headers[RECEIPT_HEADER] = text.rstrip(b"=").decode()
    if page.block is not None:
        headers[BLOCK_HEADER] = str(ConsistencyToken.of(page.block))
    return headers


def _record(released: Released) -> Record:
    assert isinstance(released.content, Record)  # whoever wanted envelopes was given those
    return released.content


def _has_it(request: Request, version: int) -> bool:
    """Whether the client says it holds a version. Source: RFC 9110, section 13.1.2."""
    held = request.headers.get("if-none-match")
    if held is None:
        return False
    tags = {each.strip().removeprefix("W/") for each in held.split(",")}
    return "*" in tags or f'"{version}"' in tags
