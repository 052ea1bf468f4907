"""Nothing a record says is lost, and one value has one text."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.canonical import (
    MAX_DEPTH,
    Number,
    Value,
    document_bytes,
    encode,
    parse,
    parse_object,
    record_bytes,
    record_hash,
)
from medaccord.core.errors import InvalidDocument
from tests.synthea import BUNDLES, needs_bundles

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}

texts = st.text(st.characters(codec="utf-8"))
numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
values = st.recursive(
    st.none() | st.booleans() | numbers.map(Number) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


def problem(data: bytes | str) -> str:
    with pytest.raises(InvalidDocument) as caught:
        parse(data)
    return caught.value.problem


# ---- numbers


DECIMALS = (
    *("1", "1.0", "1.00", "0.1", "0.10", "0.1000000000000000055"),
    *("1e3", "1E3", "1e+3", "1E+3", "1000", "1e-3", "0", "-0", "0.00", "-0.00", "0e0"),
    *("12345678901234567890.123456789", "1e400", "-1e-400"),
)
"""Source: FHIR R4 datatypes, decimal: precision counts, and an exponent may be written."""


def test_decimals_stay_apart_when_a_float_would_make_them_one() -> None:
    records = [f'{{"value":{lexeme}}}'.encode() for lexeme in DECIMALS]
    assert [record_bytes(parse_object(record)) for record in records] == records
    assert len({record_hash(parse_object(record)) for record in records}) == len(DECIMALS)


@given(numbers)
def test_number_is_written_as_it_was_read_whatever_it_is(lexeme: str) -> None:
    assert parse(lexeme) == Number(lexeme)
    assert encode(parse(lexeme)).decode() == lexeme


def test_number_is_kept_when_it_has_more_digits_than_python_would_convert() -> None:
    lexeme = "9" * 10_000
    assert encode(parse(lexeme)).decode() == lexeme


def test_number_does_not_equal_the_string_of_the_same_text_when_compared() -> None:
    assert parse("1") != parse('"1"')


@pytest.mark.parametrize(
    "lexeme", ["", "01", "+1", "1.", ".5", "1e", "NaN", "1 ", "\u0661", '1,"a":2']
)
def test_number_is_refused_when_its_text_is_no_number(lexeme: str) -> None:
    with pytest.raises(InvalidDocument, match=re.escape(f"not a JSON number: {lexeme!r}")):
        Number(lexeme)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_text_is_refused_when_it_holds_what_is_no_number(constant: str) -> None:
    assert problem(f'{{"value": {constant}}}') == f"{constant} is no JSON number"


@pytest.mark.parametrize("value", [1, 1.5])
@pytest.mark.parametrize("held", [lambda value: {"value": value}, lambda value: [value]])
def test_value_is_refused_when_it_holds_a_python_number(
    held: Callable[[Any], Any], value: Any
) -> None:
    with pytest.raises(InvalidDocument, match=f"a {type(value).__name__} has no lossless form"):
        encode(held(value))


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: "b"}}, {"a": "b", 1: "c"}])
def test_value_is_refused_when_the_name_of_a_member_is_no_string(value: Any) -> None:
    with pytest.raises(InvalidDocument, match="the name of a member is no string"):
        encode(value)


# ---- the one form


@given(values)
def test_value_comes_back_when_written_and_read(value: Value) -> None:
    assert parse(encode(value)) == value


@given(values)
def test_text_is_that_of_rfc_8785_when_numbers_are_left_out(value: Value) -> None:
    bare = strip_numbers(value)
    assert encode(bare) == rfc8785.dumps(bare)


def strip_numbers(value: Any) -> Any:
    if isinstance(value, Number):
        return None
    if isinstance(value, list):
        return [strip_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: strip_numbers(item) for name, item in value.items()}
    return value


def test_members_are_ordered_by_utf_16_when_code_points_would_order_otherwise() -> None:
    # Source: RFC 8785 section 3.2.3; U+1F600 begins with the code unit D83D, below FB33.
    text = '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}'
    expected = '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}'
    assert encode(parse(text)).decode() == expected


def test_strings_are_escaped_no_more_than_they_must_be_when_written() -> None:
    text = (
        '"\\u0000\\u0008\\u0009\\u000a\\u000c\\u000d\\u001F\\u0022\\u005C\\/\\u007f\\u00e9\\u2028"'
    )
    assert encode(parse(text)).decode() == '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\u007fé\u2028"'


def test_space_is_dropped_when_read_and_written() -> None:
    assert encode(parse(' {"b" : [ 1 ,\t2 ] ,\r\n "a" : { } } ')) == b'{"a":{},"b":[1,2]}'


# ---- what is refused


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"x":2,"\\u0061":2}}]'])
def test_text_is_refused_when_a_member_stands_twice(text: str) -> None:
    assert problem(text) == "the member 'a' stands twice in one object"


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_text_is_refused_when_it_is_empty(text: str) -> None:
    assert problem(text) == "the text is empty"


def test_text_is_called_cut_off_wherever_it_is_cut() -> None:
    text = '{"a\\u00e9": [1.50e+3, -0.1, true, null, false], "b": {"c": "x\\n\\ud83d\\ude00"}}'
    parse(text)
    for end in range(1, len(text)):
        assert problem(text[:end]).startswith("the text is cut off"), text[:end]


def test_text_is_refused_with_its_place_when_it_is_no_json() -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse('{\n  "a": 1,\n  b: 2\n}')
    assert (caught.value.line, caught.value.column) == (3, 3)


@pytest.mark.parametrize("text", ["hello", "{} x", "[01]", '["\x01"]', "{'a':1}", "[1,]", "\v1"])
def test_text_is_refused_when_it_is_no_json(text: str) -> None:
    assert problem(text).startswith("not JSON")


def test_bytes_are_refused_with_their_place_when_they_are_no_utf_8() -> None:
    assert problem(b'{\n"a": "\xff"}').endswith("(line 2, column 7)")


@pytest.mark.parametrize("data", ["\ufeff{}", b"\xef\xbb\xbf{}"])
def test_text_is_refused_when_it_begins_with_a_byte_order_mark(data: bytes | str) -> None:
    assert "byte order mark" in problem(data)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('["\\ud800"]', 3),
        ('["\\uDC00"]', 3),
        ('["\\ude00\\ud83d"]', 3),
        ('["\\ud83dx\\ude00"]', 3),
        ('["\\ud83d\\ud83d\\ude00"]', 3),
        ('["\\ud83d\\n"]', 3),
        ('["\\\\\\ud800"]', 5),
        ('{"\\ud800":1}', 3),
    ],
)
def test_text_is_refused_when_an_escape_is_half_a_surrogate_pair(text: str, column: int) -> None:
    assert problem(text) == f"half a surrogate pair (line 1, column {column})"


def test_text_is_read_when_an_escaped_backslash_precedes_what_looks_like_a_surrogate() -> None:
    assert parse('["\\\\ud800", "\\ud83d\\ude00"]') == ["\\ud800", "😀"]


def test_text_is_refused_when_it_holds_a_bare_surrogate() -> None:
    assert problem('["\ud800"]') == "half a surrogate pair (line 1, column 3)"


def test_value_is_refused_when_it_holds_a_bare_surrogate() -> None:
    with pytest.raises(InvalidDocument, match="half a surrogate pair"):
        encode(["\ud800"])


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded_when_read_and_when_written(left: str, right: str) -> None:
    allowed = left * MAX_DEPTH + "1" + right * MAX_DEPTH
    assert encode(parse(allowed)).decode() == allowed
    column = len(left) * MAX_DEPTH + 1
    nested = f"nested more than {MAX_DEPTH} deep"
    assert problem(left + allowed + right) == f"{nested} (line 1, column {column})"
    with pytest.raises(InvalidDocument, match=nested):
        encode([parse(allowed)])


@pytest.mark.parametrize("text", ["[" * 500_000, '{"a":' * 200_000])
def test_text_is_refused_when_it_is_deep_enough_to_exhaust_the_stack(text: str) -> None:
    assert problem(text).startswith(f"nested more than {MAX_DEPTH} deep")


def test_text_is_read_when_it_has_many_brackets_side_by_side() -> None:
    text = "[" + ",".join(["[[],{}]"] * MAX_DEPTH) + "]"
    assert encode(parse(text)).decode() == text


def test_brackets_do_not_count_when_they_stand_in_strings() -> None:
    text = json.dumps(["[" * 1000, '\\"' + "{" * 1000])
    assert encode(parse(text)).decode() == text.replace(", ", ",")


def test_text_is_refused_at_once_when_a_string_of_many_escapes_never_ends() -> None:
    # Linear: a scan that began anew at each quote would run for hours here.
    assert problem('["' + '\\"' * 1_000_000).startswith("the text is cut off")


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"'])
def test_object_is_refused_when_the_text_holds_another_value(text: str) -> None:
    with pytest.raises(InvalidDocument, match="not an object"):
        parse_object(text)


# ---- records


def test_record_leaves_out_what_servers_set_when_written() -> None:
    served = parse_object(
        json.dumps(
            {
                "resourceType": "Patient",
                "id": "p",
                "meta": {
                    "versionId": "7",
                    "lastUpdated": "2026-01-01T00:00:00Z",
                    "source": "#x",
                    "profile": ["http://example.org/p"],
                    "tag": [SUBSETTED, {"code": "own"}],
                },
            }
        )
    )
    assert record_bytes(served) == (
        b'{"id":"p","meta":{"profile":["http://example.org/p"],"tag":[{"code":"own"}]},'
        b'"resourceType":"Patient"}'
    )


def test_record_is_the_same_when_meta_held_only_what_servers_set() -> None:
    bare = parse_object('{"resourceType":"Patient","id":"p"}')
    meta: Value = {"versionId": "7", "tag": [dict(SUBSETTED)]}
    assert record_bytes({**bare, "meta": meta}) == record_bytes(bare)


@pytest.mark.parametrize(
    "tag",
    [{"code": "SUBSETTED"}, {**SUBSETTED, "system": "http://example.org"}, "SUBSETTED"],
)
def test_record_keeps_a_tag_when_it_only_resembles_subsetted(tag: Value) -> None:
    resource: dict[str, Value] = {"meta": {"tag": [tag]}}
    assert record_bytes(resource) == encode(resource)


@pytest.mark.parametrize("text", ['{"meta":{}}', '{"meta":{"tag":[]}}', '{"meta":null}'])
def test_record_keeps_meta_when_nothing_was_taken_out(text: str) -> None:
    assert record_bytes(parse_object(text)).decode() == text


def test_record_hash_differs_when_any_other_member_changes() -> None:
    one = parse_object('{"id":"p","meta":{"versionId":"1"},"text":{"versionId":"1"}}')
    other = parse_object('{"id":"p","meta":{"versionId":"2"},"text":{"versionId":"2"}}')
    assert record_hash(one) != record_hash(other)
    assert record_hash(one) == keccak(b'{"id":"p","text":{"versionId":"1"}}')


def test_resource_is_left_untouched_when_its_record_is_written() -> None:
    resource = parse_object('{"meta":{"versionId":"1","tag":[{"code":"a"}]}}')
    record_bytes(resource)
    assert encode(resource) == b'{"meta":{"tag":[{"code":"a"}],"versionId":"1"}}'


# ---- documents of our own


def test_document_is_written_by_rfc_8785_when_it_has_integers() -> None:
    assert (
        document_bytes({"b": 2**53 - 1, "a": ["é"]}) == b'{"a":["\xc3\xa9"],"b":9007199254740991}'
    )


@pytest.mark.parametrize("value", [2**53, float("nan"), "\ud800", {1: 2}])
def test_document_is_refused_when_it_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(InvalidDocument, match="no canonical form"):
        document_bytes({"value": value})


# ---- real records


@needs_bundles
@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem[:8])
def test_bundle_keeps_every_value_byte_for_byte_when_read_and_written(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    written = encode(parse(source)).decode()
    assert parse(written) == parse(source)
    assert sorted(tokens(written)) == sorted(tokens(source))


def tokens(text: str) -> list[str]:
    """Every number, literal and string as it stands in the text; escapes of a string resolved."""
    lexemes = re.findall(r'"(?:[^"\\]|\\.)*"|[-+.0-9A-Za-z]+', text)
    return [json.loads(lexeme) if lexeme[0] == '"' else lexeme for lexeme in lexemes]
