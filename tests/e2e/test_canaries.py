"""Nothing that a person, a record or a consent says is on the chain, nor readable in the database.

Canaries are planted in a Bundle, the whole story is played on it, and everything the chain holds is
searched for them: in several writings, and for their hashes without salt. The same is done with the
files of the hospital, at every chapter, so that nothing escapes into a write-ahead log either.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from medaccord.core.canonical import record_bytes
from medaccord.demo import play
from medaccord.demo.stage import Stage
from medaccord.fhir import read_bundle
from tests.e2e.canaries import Sighting, Watch, hashes, writings
from tests.e2e.chain_contents import calldata, everything, logs, storage

PATIENT = "canary-patient-5b1f"
OBSERVATION = "canary-observation-93c2"
MEDICATION = "canary-medication-07de"
CONDITION = "canary-condition-e41a"
PRACTITIONER = "canary-practitioner-88f0"

PLANTED = {
    "family name": "Quetzalbrück-Ångström",
    "given name": "Xiomárafae",
    "identifier": "canary-mrn-20417755",
    "birth date": "1931-07-19",
    "street": "77 Kestrelwhistle Lane",
    "city": "Port Vellamo-on-Sea",
    "phone": "+1-555-0199-4242",
    "note": "Says the zebra-striped lozenges from aunt Philippa helped.",
    "display": "Serum canaryase",
    "value": "31337.1300",
    "drug": "Canarizumab 40 mg",
    "diagnosis": "Acute canaryitis",
    "practitioner": "Dr. Zephyrine Oglethorpe",
}


def bundle() -> bytes:
    def entry(kind: str, identity: str, **members: Any) -> dict[str, Any]:
        about = {} if kind in ("Patient", "Practitioner") else {"subject": subject}
        return {"resource": {"resourceType": kind, "id": identity, **about, **members}}

    subject = {"reference": f"Patient/{PATIENT}", "display": PLANTED["family name"]}
    code = "http://terminology.hl7.org/CodeSystem/observation-category"
    entries = [
        entry(
            "Patient",
            PATIENT,
            identifier=[{"system": "https://a.example/mrn", "value": PLANTED["identifier"]}],
            name=[{"family": PLANTED["family name"], "given": [PLANTED["given name"]]}],
            telecom=[{"system": "phone", "value": PLANTED["phone"]}],
            birthDate=PLANTED["birth date"],
            address=[{"line": [PLANTED["street"]], "city": PLANTED["city"]}],
        ),
        entry(
            "Observation",
            OBSERVATION,
            status="final",
            category=[{"coding": [{"system": code, "code": "laboratory"}]}],
            code={"text": PLANTED["display"]},
            valueQuantity={"value": 31337.13, "unit": "U/L"},
            note=[{"text": PLANTED["note"]}],
        ),
        entry(
            "MedicationRequest",
            MEDICATION,
            status="active",
            intent="order",
            medicationCodeableConcept={"text": PLANTED["drug"]},
        ),
        entry("Condition", CONDITION, code={"text": PLANTED["diagnosis"]}),
        entry("Practitioner", PRACTITIONER, name=[{"text": PLANTED["practitioner"]}]),
    ]
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    return text.replace("31337.13", PLANTED["value"]).encode()


CONSENTED = [
    "patient/Observation.rs?category=laboratory",
    "Observation.rs",
    "category=laboratory",
    "patient/MedicationRequest.rs",
    "medaccord/terms/1",
    "medaccord/request/1",
    "medaccord/emergency-reason/1",
    "includeUndated",
    "excludedLabels",
    "for treatment",
    "unconscious",
    "laboratory Observations",
    "scope-not-covered",
]
"""What terms, requests, reasons, sentences and log entries are made of."""


def named_records() -> list[str]:
    read = read_bundle(bundle())
    return [resource.record for resource in (*read.resources, *read.directory)]


def watch() -> Watch:
    read = read_bundle(bundle())
    contents = {
        resource.record: record_bytes(resource.value)
        for resource in (*read.resources, *read.directory)
    }
    ids = [PATIENT, OBSERVATION, MEDICATION, CONDITION, PRACTITIONER]
    return Watch([*PLANTED.values(), *ids, *named_records(), *CONSENTED], contents)


@dataclass(slots=True)
class Files(io.StringIO):
    """Where the story is told; looks at the hospital's files whenever something is said."""

    folder: Path
    sightings: list[Sighting] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    told: str = ""

    def write(self, text: str) -> int:
        self.told += text
        if re.match(r"\n?\d\. ", text) or "found" in text:
            self.sightings += WATCH.look(self.contents())
        return len(text)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                name = str(path.relative_to(self.folder))
                self.seen[name] = max(self.seen.get(name, 0), len(content))
                yield name, content


WATCH = watch()


@dataclass(frozen=True, slots=True)
class Played:
    stage: Stage
    files: Files

    @property
    def code(self) -> str:
        """The enrolment code that was given."""
        found = re.search(r"one-time code (\S+),", self.files.told)
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    files = Files(tmp_path_factory.mktemp("hospital"))
    return Played(play(bundle(), Console(file=files, width=10_000), folder=files.folder), files)


def test_nothing_planted_is_in_calldata(played: Played) -> None:
    assert list(WATCH.look(calldata(played.stage.network))) == []


def test_nothing_planted_is_in_logs(played: Played) -> None:
    assert list(WATCH.look(logs(played.stage.network, played.stage.contracts))) == []


def test_nothing_planted_is_in_storage_of_contracts(played: Played) -> None:
    for contract in played.stage.contracts.addresses:
        assert list(WATCH.look(storage(played.stage.chain, contract))) == []


def test_nothing_planted_is_anywhere_in_the_node(played: Played) -> None:
    assert list(WATCH.look(everything(played.stage.chain))) == []


def test_enrolment_code_is_neither_on_chain_nor_in_the_files(played: Played) -> None:
    codes = [played.code, played.code.replace("-", "")]
    watch = Watch(codes, {})
    assert list(watch.look(everything(played.stage.chain))) == []
    assert list(watch.look(played.files.contents())) == []


def test_nothing_planted_is_readable_in_the_files_of_the_hospital(played: Played) -> None:
    assert played.files.sightings == []
    assert list(WATCH.look(played.files.contents())) == []


# --- that the search would have found them


def test_search_reaches_the_database_and_its_write_ahead_log(played: Played) -> None:
    assert played.files.seen["records.db"] > 100_000
    assert played.files.seen["records.db-wal"] > 100_000
    public = Watch(["Emergency Department C"], {})  # in a profile, which everybody may read
    assert {each.place for each in public.look(played.files.contents())} == {"records.db"}


def test_search_reaches_calldata_logs_and_storage(played: Played) -> None:
    stage = played.stage
    # The key and the profile's hash of hospital B are public, and stand in all three.
    public = Watch([], {"key": stage.b.key, "profile": stage.b.profile.hash})
    registry = stage.contracts.address("Registry")
    for places in (
        calldata(stage.network),
        logs(stage.network, stage.contracts),
        storage(stage.chain, registry),
        everything(stage.chain),
    ):
        assert {each.canary for each in public.look(places)} == {"key", "profile"}


def test_search_of_the_node_reaches_every_slot(played: Played) -> None:
    stage = played.stage
    kept = b"".join(content for _, content in everything(stage.chain))
    for contract in stage.contracts.addresses:
        assert all(content in kept for _, content in storage(stage.chain, contract))


@pytest.mark.parametrize("text", [PLANTED["note"], PATIENT])
def test_canary_is_found_in_every_writing(text: str) -> None:
    watched = Watch([text], {})
    for writing, data in writings(text).items():
        found = {each.writing for each in watched.look([("somewhere", b"<" + data + b">")])}
        assert writing in found


def test_record_is_found_by_a_hash_without_salt() -> None:
    name = f"Observation/{OBSERVATION}"
    (resource,) = [each for each in read_bundle(bundle()).resources if each.record == name]
    for data in hashes(record_bytes(resource.value)).values():
        assert {each.canary for each in WATCH.look([("somewhere", data)])} == {name}
