"""A text is split into entries and envelope exactly if it is JSON; together they are all of it."""

import json
import mmap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medaccord.core.canonical import Number, Value, encode, parse
from medaccord.core.errors import InvalidBundle, InvalidDocument
from medaccord.fhir.splitting import Buffer, BundleText, is_ndjson, lines, place
from tests.synthea import BUNDLES, needs_bundles

texts = st.text(st.sampled_from('ab"\\[]{},: \n\u00e9"entry'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | texts | st.just(Number("1.00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=3)
TEXT = b'{"a": [{}, "]"], "entry": [ {"b": [1, {"c": "\\"}"}]}, {"d": {}} ], "z": {"entry": [2]}}'


def put_together(data: Buffer) -> Value:
    """What the parts of a text are, as one value."""
    text = BundleText(data)
    entries = [parse(bytes(data[start:end])) for start, end in text.entries()]
    envelope = text.envelope()
    return {**envelope, "entry": entries} if isinstance(envelope, dict) and entries else envelope


def outcome(read: Any, data: bytes) -> Value:
    try:
        value: Value = read(data)
    except (InvalidDocument, InvalidBundle):
        return "refused"
    return value


@given(objects, st.lists(objects, max_size=4), st.integers(0, 2))
def test_parts_are_the_whole_whatever_it_holds(
    envelope: dict[str, Value], entries: list[Value], indent: int
) -> None:
    whole = {**envelope, "entry": entries, "last": "]"}
    text = encode(whole)
    if indent:
        text = json.dumps(json.loads(text), indent=indent).replace('"1.0"', "1.0").encode()
    assert put_together(text) == parse(text)


@given(st.integers(0, len(TEXT)), st.sampled_from([bytes([each]) for each in b'"\\[]{},:e1 ']))
@example(at=len(TEXT), put=b"}")
def test_parts_are_read_exactly_if_the_whole_can_be_when_a_byte_is_put_in(
    at: int, put: bytes
) -> None:
    changed = TEXT[:at] + put + TEXT[at:]
    whole = outcome(parse, changed)
    entries = whole.get("entry") if isinstance(whole, dict) else None
    if isinstance(entries, list) and not all(isinstance(each, dict) for each in entries):
        whole = "refused"  # an entry that is no object is refused by name
    assert outcome(put_together, changed) == whole


@given(st.integers(0, len(TEXT) - 1))
def test_parts_are_read_exactly_if_the_whole_can_be_when_a_byte_is_missing(at: int) -> None:
    changed = TEXT[:at] + TEXT[at + 1 :]
    whole = outcome(parse, changed)
    entries = whole.get("entry") if isinstance(whole, dict) else None
    if isinstance(entries, list) and not all(isinstance(each, dict) for each in entries):
        whole = "refused"
    assert outcome(put_together, changed) == whole


def test_text_is_refused_wherever_it_is_cut_off() -> None:
    for end in range(1, len(TEXT)):
        assert outcome(put_together, TEXT[:end]) == "refused", TEXT[:end]


@pytest.mark.parametrize("name", ['"entry"', '"\\u0065ntry"', '"entr\\u0079"'])
def test_entries_are_found_however_their_name_is_written(name: str) -> None:
    text = f'{{"type": "x", {name} : [{{"a": 1}}]}}'.encode()
    assert [text[start:end] for start, end in BundleText(text).entries()] == [b'{"a": 1}']


@pytest.mark.parametrize(
    "text", ['{"entry": {"a": [{}]}}', '{"a": {"entry": [{}]}}', '{"a": "entry", "b": [{}]}']
)
def test_no_entries_are_found_when_they_are_none_of_the_bundle(text: str) -> None:
    assert list(BundleText(text.encode()).entries()) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n"entry": [{}],\n "b": x}', (3, 7)),
        ('{"entry": [{"long": 1}], "b": x}', (1, 31)),
        ('{"b": x, "entry": [{}]}', (1, 7)),
    ],
)
def test_envelope_is_refused_with_its_place_in_the_file(text: str, where: tuple[int, int]) -> None:
    bundle = BundleText(text.encode())
    list(bundle.entries())
    with pytest.raises(InvalidDocument) as refused:
        bundle.envelope()
    assert (refused.value.line, refused.value.column) == where


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"entry": [{}\n,, {}]}', (2, 2)),
        ('{"entry": [{} {}]}', (1, 15)),
        ('{"entry": [{"\u00e9": 1}, , {}]}', (1, 22)),
    ],
)
def test_what_parts_entries_is_refused_with_its_place_in_the_file(
    text: str, where: tuple[int, int]
) -> None:
    with pytest.raises(InvalidDocument) as refused:
        list(BundleText(text.encode()).entries())
    assert (refused.value.line, refused.value.column) == where


@pytest.mark.parametrize("stray", ["null", "1", '"text"', "[]", "[{}]", "true"])
@pytest.mark.parametrize("behind", ["", ", {}"])
def test_entry_is_refused_by_number_when_it_is_no_object(stray: str, behind: str) -> None:
    text = f'{{"entry": [{{}}, {stray}{behind}]}}'.encode()
    with pytest.raises(InvalidBundle, match="entry 2 of the Bundle has no resource"):
        list(BundleText(text).entries())


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b'{"a":1}\n{"a":2}', True),
        (b'\n\n {"a":1}\r\n\r\n{"a":2}\n', True),
        (b'{"a":"}"}\n{"broken', True),
        (b'{"a":1}\nhello', True),
        (b'{"a":[{}\n]}', False),
        (b'{"a":1}', False),
        (b'{"a":1}\n\n', False),
        (b'{\n"a":{}\n}', False),
        (b'{"a":[{}\n,{}]}', False),
        (b"[]\n[]", False),
    ],
)
def test_ndjson_is_known_by_its_first_two_lines(text: bytes, is_one: bool) -> None:
    assert is_ndjson(text) is is_one


def test_lines_keep_their_numbers_when_some_are_blank() -> None:
    text = b'{"a":1}\r\n\n \t\r\n{"b":2}'
    assert [(number, text[start:end]) for number, start, end in lines(text)] == [
        (1, b'{"a":1}\r'),
        (4, b'{"b":2}'),
    ]


def test_place_is_counted_in_characters_across_chunks() -> None:
    text = b"\n" * 2**20 + "\u00e9\u00e9x".encode()
    assert place(text, len(text) - 1) == (2**20 + 1, 3)
    assert place(b"x" * (2**20 + 5), 2**20 + 3) == (1, 2**20 + 4)


@needs_bundles
def test_parts_of_synthea_are_its_whole_in_a_mapped_file() -> None:
    for file in BUNDLES:
        with file.open("rb") as held, mmap.mmap(held.fileno(), 0, access=mmap.ACCESS_READ) as data:
            assert put_together(data) == parse(Path(file).read_bytes())
