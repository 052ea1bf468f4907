"""The OpenAPI document is the truth: Schemathesis asks every path, and finds nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.served import Hospital, Service, hospital
from tests.integration.anvil import NEEDS_ANVIL

pytestmark = NEEDS_ANVIL

METHODS = ("get", "post", "put", "patch", "delete")
OPEN = {"/health", "/ready", "/fhir/metadata", "/.well-known/smart-configuration"}
"""What answers everybody, whatever they send, so that there is nothing to refuse."""

STREAMS = ("/notices/stream", "/access/watch")
"""What answers without an end."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("hospital")
    with hospital(home, f"sqlite:///{home / 'records.db'}") as made:
        yield made


@pytest.fixture(scope="module")
def service(place: Hospital) -> Service:
    return place.serve()


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{service.url}/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def test_every_operation_is_summed_up_and_has_a_known_tag(document: dict[str, Any]) -> None:
    tags = {each["name"] for each in document["tags"]}
    unsaid = [
        name
        for name, each in operations(document)
        if not each.get("summary") or len(each.get("tags", ())) != 1 or each["tags"][0] not in tags
    ]
    assert unsaid == []


def test_every_operation_says_how_it_refuses(document: dict[str, Any]) -> None:
    unsaid = [
        name
        for name, each in operations(document)
        if name.split()[1] not in OPEN and not {"400", "503"} <= each["responses"].keys()
    ]
    assert unsaid == []


def test_every_answer_has_a_schema(document: dict[str, Any]) -> None:
    unsaid = [
        (name, status)
        for name, each in operations(document)
        for status, answer in each["responses"].items()
        if status not in ("204", "304")
        and not all(kind.get("schema") for kind in answer.get("content", {"": {}}).values())
    ]
    assert unsaid == []


def test_every_parameter_and_body_has_a_type(document: dict[str, Any]) -> None:
    untyped = [
        (name, parameter["name"])
        for name, each in operations(document)
        for parameter in each.get("parameters", ())
        if not parameter.get("schema", {}).keys() & {"type", "anyOf", "enum", "$ref", "const"}
    ]
    untyped += [
        (name, kind)
        for name, each in operations(document)
        for kind, body in each.get("requestBody", {}).get("content", {}).items()
        if not body.get("schema")
    ]
    assert untyped == []


@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "patient"])
def test_schemathesis_finds_no_violation(
    place: Hospital, service: Service, tmp_path: Path, signed_in: bool
) -> None:
    headers = place.desk(service).sign_in(place.patient) if signed_in else {}
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "7"),
        # What is signed cannot be generated: it is refused though its form is right.
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
        *("--generation-database", "none", "--no-color", "--request-timeout", "20"),
        *(part for path in STREAMS for part in ("--exclude-path", path)),
        *(part for name, value in headers.items() for part in ("--header", f"{name}: {value}")),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=600, check=False
    )
    told = re.sub(r"Bearer \S+", "Bearer …", done.stdout)
    assert done.returncode == 0, told[-20_000:] + done.stderr[-2_000:]
