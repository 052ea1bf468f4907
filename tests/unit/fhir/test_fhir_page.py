"""docs/fhir.md tells of every element that is written, and of none that is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.periods import DatePeriod
from medaccord.fhir.consent import POLICY, consent_resource
from tests.unit.fhir import test_audit_event as logs
from tests.unit.fhir import test_pointers as pointers
from tests.unit.fhir import test_task as tasks
from tests.unit.fhir.stated import CONSENT_ID, NOON, with_terms

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "fhir.md").read_text(encoding="utf-8")

WHOLE = with_terms(
    excluded_labels=("PSY",), records=("Observation/1",), period=DatePeriod(start=date(2020, 1, 1))
)
LINES = [logs.LINE, logs.SEARCH, logs.REFUSED, logs.UNCONSENTED, logs.FLOOD, logs.OWN]
WRITTEN: dict[str, list[dict[str, Any]]] = {
    "Consent": [consent_resource(WHOLE)],
    "Task": [tasks.task(status=ConsentStatus.ACTIVE, consent_id=CONSENT_ID, changed_at=NOON)],
    "DocumentReference": [pointers.document()],
    "Provenance": [pointers.made(signature=b"\x01" * 65)],
    "AuditEvent": [event for line in LINES for event in logs.of(line)],
}


def elements(value: Any, path: str = "") -> Iterator[str]:
    """The path of every value, without indices."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from elements(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for each in value:
            yield from elements(each, path)
    else:
        yield path


def told(kind: str) -> set[str]:
    """The elements in the first table of a section."""
    section = PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return set(re.findall(r"^\| `([A-Za-z.]+)` \|", section, re.MULTILINE))


def has(path: str, element: str) -> bool:
    return path == element or path.startswith(f"{element}.")


@pytest.mark.parametrize("kind", WRITTEN)
def test_page_tells_of_every_element_that_is_written(kind: str) -> None:
    written = {path for each in WRITTEN[kind] for path in elements(each)} - {"resourceType"}
    untold = {path for path in written if not any(has(path, each) for each in told(kind))}
    assert untold == set()


@pytest.mark.parametrize("kind", WRITTEN)
def test_page_tells_of_no_element_that_is_not_written(kind: str) -> None:
    written = {path for each in WRITTEN[kind] for path in elements(each)}
    assert {each for each in told(kind) if not any(has(path, each) for path in written)} == set()


def test_page_names_the_policy() -> None:
    assert f"`{POLICY}`" in PAGE
