"""The story plays on whatever Bundle of one patient it is given, and says what was not there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.e2e.tale import Tale, tell
from tests.synthea import each_bundle
from tests.unit.fhir import samples

LABORATORY = [
    {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "laboratory",
            }
        ]
    }
]


def resources(data: bytes) -> Iterable[dict[str, Any]]:
    return (entry["resource"] for entry in json.loads(data)["entry"])


def is_laboratory(resource: dict[str, Any]) -> bool:
    return resource["resourceType"] == "Observation" and any(
        coding["code"] == "laboratory"
        for category in resource.get("category", ())
        for coding in category["coding"]
    )


def assert_whole(tale: Tale, data: bytes) -> None:
    """Every chapter is there, and what was read is what the Bundle holds."""
    assert tale.chapters == list(range(1, 10))
    held = sum(is_laboratory(resource) for resource in resources(data))
    (answered,) = tale.lines(6, "answer")
    if held:
        assert f"got the {held} laboratory ones" in answered
    else:
        assert answered == "this Bundle holds no laboratory Observation: nothing to release"
    conditions = sum(resource["resourceType"] == "Condition" for resource in resources(data))
    assert f"{conditions} Condition(s), every proof checked" in tale.lines(7, "answer")


@each_bundle
def test_story_plays_on_each_bundle_of_synthea(file: Path) -> None:
    data = file.read_bytes()
    tale = tell(data)
    assert_whole(tale, data)
    assert len(tale.lines(9, "found")) == 3


def test_story_says_so_when_there_is_no_laboratory_observation() -> None:
    data = samples.data(
        samples.patient(), samples.observation(valueQuantity={"value": 7, "unit": "mg/dL"})
    )
    assert_whole(tell(data), data)


def test_story_says_so_when_there_is_no_number_to_rewrite() -> None:
    data = samples.data(
        samples.patient(), samples.observation(category=LABORATORY, valueString="12:7,5")
    )
    tale = tell(data)
    assert_whole(tale, data)
    assert "This Bundle holds no number that could be written in another way." in tale.chapter(9)
    assert len(tale.lines(9, "found")) == 2


def test_story_plays_when_entries_have_only_a_urn() -> None:
    data = samples.data(
        samples.patient(),
        samples.observation(category=LABORATORY, valueQuantity={"value": 100, "unit": "mg/dL"}),
    )
    assert all("id" not in resource for resource in resources(data))
    tale = tell(data)
    assert_whole(tale, data)
    name = f"Observation/{samples.OBSERVATION_URN.removeprefix('urn:uuid:')}"
    assert tale.lines(9, "found")[1].startswith(f"100.0 written where 100 stood in {name}, ")


def test_story_plays_when_there_is_nothing_but_the_patient() -> None:
    data = samples.data(samples.patient())
    tale = tell(data)
    assert_whole(tale, data)
    assert "1 records of the patient and 0 practitioners" in tale.chapter(3)
    assert len(tale.lines(9, "found")) == 2
