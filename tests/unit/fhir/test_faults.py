"""Whatever is handed in as a file, there is one clear line for it, and soon.

Where an input is long, the test is that it ends: a scan that began anew anywhere would take hours.
"""

import json
import mmap
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from medaccord.core.canonical import Number
from medaccord.core.errors import InvalidBundle
from medaccord.fhir import Source, read_bundle
from medaccord.fhir.splitting import MAX_RESOURCE_BYTES
from tests.unit.fhir.files import (
    ANNA,
    FORMS,
    Form,
    Made,
    collection,
    made,
    ndjson,
    parts,
    refusal,
    to,
)

FIFTY_MB = 50 * 10**6
CUT = "the text is cut off: it ends in the middle of a value"
NOT_UTF_8 = "the text is not UTF-8: save it as UTF-8 without a byte order mark"


def about_anna(**members: Any) -> Made:
    return made("Observation/1", subject=to("Patient/anna"), **members)


# ---- encodings


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@FORMS
def test_file_is_refused_when_its_encoding_is_wide(form: Form, encoding: str) -> None:
    text = form(ANNA).decode().encode(encoding)
    assert refusal(text).startswith("the file cannot be read: the text is not UTF-8")


@FORMS
def test_file_is_refused_when_it_begins_with_a_byte_order_mark(form: Form) -> None:
    assert refusal(b"\xef\xbb\xbf" + form(ANNA)) == (
        "the file cannot be read: the text begins with a byte order mark: save it as UTF-8 without"
    )


def test_file_is_refused_with_the_place_when_it_is_latin_1() -> None:
    text = json.dumps(json.loads(collection(about_anna(note="caf\u00e9"), ANNA)), indent=1)
    latin = text.replace("\\u00e9", "\u00e9").encode("latin-1")
    line = latin[: latin.index(b"\xe9")].count(b"\n") + 1
    assert refusal(latin) == (
        "the file cannot be read: the text is not UTF-8: save it as UTF-8 without a byte order "
        f"mark (entry 1, line {line}, column 17)"
    )


def test_line_is_refused_with_its_number_when_it_is_latin_1() -> None:
    text = ndjson(ANNA) + b'\r\n{"resourceType": "Flag\xe9"}\r\n'
    assert refusal(text).endswith("mark (line 3, column 23)")


# ---- broken JSON


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (b'{"resourceType": }', "not JSON: Expecting value (line 3, column 18)"),
        (
            b'{"resourceType": "Flag"',
            CUT + " (line 3, column 24)",
        ),
        (b'{"id": "1", "id": "2"}', "the member 'id' stands twice in one object (line 3)"),
        (b'{"id": NaN}', "NaN is no JSON number (line 3)"),
        (b"{} {}", "not JSON: Extra data (line 3, column 4)"),
        (b"hello", "not JSON: Expecting value (line 3, column 1)"),
        (b'{"id": "\x00"}', "not JSON: Invalid control character at (line 3, column 9)"),
        (b'{"id": "\\ud800"}', "half a surrogate pair (line 3, column 9)"),
        (
            b'{"id": "\xed\xa0\x80"}',
            NOT_UTF_8 + " (line 3, column 9)",
        ),
    ],
)
def test_line_is_refused_with_its_number_when_it_is_broken(broken: bytes, problem: str) -> None:
    text = ndjson(ANNA) + b"\n" + broken + b"\n" + ndjson(about_anna())
    assert refusal(text) == f"the file cannot be read: {problem}"


def test_entry_is_refused_with_number_line_and_column_when_it_is_broken() -> None:
    text = json.dumps(json.loads(collection(ANNA, about_anna())), indent=2)
    broken = text.replace('"Observation"', "Observation")
    before = broken[: broken.index(": Observation") + 2]
    line, column = before.count("\n") + 1, len(before) - before.rindex("\n")
    assert refusal(broken.encode()) == (
        "the file cannot be read: not JSON: Expecting value "
        f"(entry 2, line {line}, column {column})"
    )


def test_bundle_is_refused_wherever_it_is_cut_off() -> None:
    whole = collection(ANNA, about_anna(valueQuantity={"value": 1}))
    for end in range(1, len(whole)):
        assert "the text is cut off" in refusal(whole[:end]), whole[:end]


def test_ndjson_is_refused_wherever_a_line_is_cut_off() -> None:
    first, second = ndjson(ANNA), ndjson(about_anna()).rstrip()
    for end in range(1, len(second)):
        assert "the text is cut off" in refusal(first + second[:end])


@pytest.mark.parametrize("text", [b"", b"\n", b" \r\n\t" * 5000])
def test_file_is_refused_when_it_is_empty(text: bytes) -> None:
    assert refusal(text) == "the file is empty"


@pytest.mark.parametrize("text", [b"[]", b"1", b"null", b'"{}"', b"[" + b"{}," * 5000 + b"{}]"])
def test_file_is_refused_when_it_is_other_json(text: bytes) -> None:
    assert refusal(text) == "the file is JSON, but no FHIR Bundle: it is not an object"


# ---- long, and deep


@FORMS
def test_string_of_fifty_megabytes_is_kept(form: Form) -> None:
    text = form(ANNA, about_anna(note="LONG")).replace(b"LONG", b"\\u00e9x" * (FIFTY_MB // 7))
    *_, record = Source.open(text).resources("anna")
    assert record.value["note"] == "\u00e9x" * (FIFTY_MB // 7)


@FORMS
def test_file_is_refused_when_one_resource_is_beyond_the_bound(form: Form) -> None:
    text = form(ANNA, about_anna(note="LONG")).replace(b"LONG", b"x" * MAX_RESOURCE_BYTES)
    where = {collection: "entry 2, line 1", ndjson: "line 2"}[form]
    assert refusal(text) == (
        f"the file cannot be read: {where}, never ends, or is longer than 64 MiB"
    )


def test_file_is_refused_when_an_entry_never_ends() -> None:
    text = collection(ANNA)[:-2] + b', {"resource": {"id": "' + b'\\"' * (MAX_RESOURCE_BYTES // 2)
    assert refusal(text) == (
        "the file cannot be read: entry 2, line 1, never ends, or is longer than 64 MiB"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"entry": [ENTRY], "long": "%s"}', "the Bundle is too long beside its entries"),
        (b'{"entry": [ENTRY, "%s"]}', "what follows entry 1 of the Bundle is too long"),
        (b'{"long": "%s"}', "the Bundle is too long beside its entries, or is none"),
    ],
)
def test_file_is_refused_when_what_is_beside_the_entries_is_beyond_the_bound(
    text: bytes, problem: str
) -> None:
    entry = json.dumps({"resource": ANNA}).encode()
    long = text.replace(b"ENTRY", entry).replace(b"%s", b"x" * MAX_RESOURCE_BYTES)
    assert refusal(long).startswith(problem)


@pytest.mark.parametrize("depth", [10_000, 500_000])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")])
@FORMS
def test_file_is_refused_when_a_resource_is_deep(
    form: Form, left: bytes, right: bytes, depth: int
) -> None:
    deep = left * depth + b"1" + right * depth
    for broken in (deep, left * depth):
        text = form(ANNA, about_anna(note="DEEP")).replace(b'"DEEP"', broken)
        assert "nested more than 19" in refusal(text)


@pytest.mark.parametrize("text", [b'{"a":' * 10_000, b"[" * 10_000, b'{"a":' + b"[{}," * 500_000])
def test_file_is_refused_when_it_is_deep_itself(text: bytes) -> None:
    assert refusal(text).startswith("the file cannot be read: nested more than 200 deep")


def test_number_of_ten_thousand_digits_is_kept() -> None:
    digits = b"9" * 10_000 + b"." + b"0" * 10_000
    text = ndjson(ANNA, about_anna(valueQuantity={"value": "LONG"})).replace(b'"LONG"', digits)
    *_, record = Source.open(text).resources("anna")
    assert record.value["valueQuantity"] == {"value": Number(digits.decode())}


def test_escaped_nul_is_kept_in_a_text_and_refused_in_an_id() -> None:
    *_, record = Source.open(ndjson(ANNA, about_anna(note="a\0b"))).resources("anna")
    assert record.value["note"] == "a\0b"
    assert refusal(ndjson(made("Patient/a\0b"))).endswith("has an id that FHIR does not allow")


# ---- many


def test_file_of_many_blank_lines_is_read() -> None:
    assert parts(ndjson(ANNA) + b"\r\n" * 500_000 + ndjson(about_anna()))["anna"] == [
        "Patient/anna",
        "Observation/1",
    ]


def test_file_of_many_that_refer_to_one_another_is_read() -> None:
    chain = [
        made(f"Medication/{n}", ingredient=[{"itemReference": to(f"Medication/{n + 1}")}])
        for n in range(5000)
    ]
    user = about_anna(partOf=[to("Medication/0")])
    data = ndjson(*chain, made("Patient/berta"), ANNA, user)
    assert len(parts(data)["anna"]) == len(chain) + 2


def test_file_is_refused_soon_when_every_entry_is_the_same() -> None:
    assert refusal(collection(ANNA, *[about_anna()] * 20_000)) == (
        "Observation/1 stands in the Bundle twice"
    )


def test_file_is_never_held_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "many.ndjson"
    with file.open("wb") as written:
        written.write(ndjson(ANNA))
        for number in range(4000):
            line = made(f"Observation/{number}", subject=to("Patient/anna"), note="x" * 10_000)
            written.write(ndjson(line))
    with file.open("rb") as held, mmap.mmap(held.fileno(), 0, access=mmap.ACCESS_READ) as data:
        tracemalloc.start()
        try:
            source = Source.open(data)
            read = sum(len(each.canonical()) for each in source.resources("anna"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert read > 40_000_000
    assert peak < 5_000_000


# ---- what a Bundle of one patient is not


def test_read_bundle_refuses_ndjson() -> None:
    with pytest.raises(
        InvalidBundle, match="the file is no FHIR Bundle, but one resource or several"
    ):
        read_bundle(ndjson(ANNA, about_anna()))
