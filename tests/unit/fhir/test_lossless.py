"""What comes out of real files is, value for value, what went in."""

import json
from typing import Any

from medaccord.core.canonical import parse, parse_object
from medaccord.fhir import Source
from tests.synthea import BUNDLES, needs_bundles


@needs_bundles
def test_all_of_synthea_is_one_file_of_many_patients() -> None:
    entries = [entry for file in BUNDLES for entry in json.loads(file.read_bytes())["entry"]]
    once = list({entry["fullUrl"]: entry for entry in reversed(entries)}.values())[::-1]
    data = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": once}).encode()
    source = Source.open(data)
    assert (source.total, len(source.patients)) == (len(once), len(BUNDLES))
    for file in BUNDLES:
        alone = Source.open(file.read_bytes())
        (one,) = alone.patients
        assert [each.canonical() for each in source.resources(one)] == [
            each.canonical() for each in alone.resources(one)
        ]


@needs_bundles
def test_what_comes_out_is_what_went_in_on_all_of_synthea() -> None:
    for file in BUNDLES:
        data = file.read_bytes()
        entries: Any = parse_object(data)["entry"]
        names = {each["fullUrl"]: name(each["resource"]) for each in entries}
        source = Source.open(data)
        (one,) = source.patients
        came_out = {
            each.record: parse(each.canonical())
            for each in (*source.resources(one), *source.directory())
        }
        assert came_out == {
            name(each["resource"]): expected(each["resource"], names) for each in entries
        }


def name(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def expected(value: Any, names: dict[str, str], *, top: bool = True) -> Any:
    """What is to come out: the same, but for references to entries, and meta as servers set it."""
    if isinstance(value, list):
        return [expected(item, names, top=False) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: expected(held, names, top=False) for name, held in value.items()}
    if isinstance(found.get("reference"), str):
        found["reference"] = names.get(found["reference"], found["reference"])
    meta = found.get("meta")
    if top and isinstance(meta, dict):
        kept = {n: v for n, v in meta.items() if n not in {"versionId", "lastUpdated", "source"}}
        found = {**found, "meta": kept} if kept else {n: v for n, v in found.items() if n != "meta"}
    return found
