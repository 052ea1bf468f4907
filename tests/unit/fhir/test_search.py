"""A search parameter is understood or refused, never ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import AccountId, address
from medaccord.fhir.search import DEFAULT_COUNT, MAX_COUNT, SearchParameters

PATIENT = AccountId(chain_id=1337, address=address("0x" + "99" * 20))

RECORD = Descriptor(
    resource_type="Observation",
    record="Observation/o1",
    codes=frozenset({"http://loinc.org|2160-0", "2160-0"}),
    categories=frozenset({"laboratory"}),
)


def parse(*pairs: tuple[str, str], of: str = "Observation") -> SearchParameters:
    return SearchParameters.parse(of, pairs)


def test_parse_of_nothing_asks_for_everything() -> None:
    assert parse() == SearchParameters(resource_type="Observation", count=DEFAULT_COUNT)


def test_parse_reads_every_parameter() -> None:
    search = parse(
        ("patient.identifier", str(PATIENT)),
        ("category", "vital-signs,laboratory"),
        ("code", "http://loinc.org|2160-0"),
        ("_id", "o2,o1"),
        ("_count", "10"),
        ("_cursor", "abc"),
        ("_format", "json"),
    )

    assert search == SearchParameters(
        resource_type="Observation",
        patient=PATIENT,
        tokens=(
            ("category", ("laboratory", "vital-signs")),
            ("code", ("http://loinc.org|2160-0",)),
        ),
        ids=("o1", "o2"),
        count=10,
        cursor="abc",
    )


@pytest.mark.parametrize("name", ["patient", "patient.identifier", "subject.identifier"])
def test_parse_takes_the_patient_by_account(name: str) -> None:
    assert parse((name, str(PATIENT))).patient == PATIENT


def test_parse_takes_the_identifier_of_a_patient() -> None:
    assert parse(("identifier", str(PATIENT)), of="Patient").patient == PATIENT


def test_pairs_give_the_same_search_back() -> None:
    search = parse(("code", "b,a"), ("category", "laboratory"), ("patient", str(PATIENT)))

    assert parse(*search.pairs()) == search
    assert dict(search.pairs(cursor="next"))["_cursor"] == "next"


@given(st.permutations([("code", "a"), ("code", "b"), ("category", "c,d"), ("_id", "x")]))
def test_pairs_do_not_depend_on_the_order_of_the_parameters(
    pairs: list[tuple[str, str]],
) -> None:
    assert parse(*pairs).pairs() == parse(*sorted(pairs)).pairs()


@pytest.mark.parametrize(
    "name",
    [
        "date",
        "status",
        "code:text",
        "category:not",
        "_include",
        "_summary",
        "_elements",
        "_sort",
        "identifier",
        "Category",
        "",
    ],
)
def test_parse_refuses_an_unknown_parameter(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{name}' is not supported"):
        parse((name, "1"))


@pytest.mark.parametrize("name", ["_id", "_count", "_cursor", "patient"])
def test_parse_refuses_a_parameter_twice(name: str) -> None:
    value = str(PATIENT) if name == "patient" else "1"
    with pytest.raises(InvalidRequest, match=f"'{name}' stands there twice"):
        parse((name, value), (name, value))


def test_parse_refuses_the_patient_under_two_names() -> None:
    with pytest.raises(InvalidRequest, match="stands there twice"):
        parse(("patient", str(PATIENT)), ("patient.identifier", str(PATIENT)))


@pytest.mark.parametrize("value", ["", "a,", "a b", "|a", "http://loinc.org|", "a|b|c", "a\\,b"])
def test_parse_refuses_a_malformed_token(value: str) -> None:
    with pytest.raises(InvalidRequest, match="code is a code or system"):
        parse(("code", value))


@pytest.mark.parametrize("value", ["", "a b", "a,,b", "x" * 65, "Observation/1"])
def test_parse_refuses_a_malformed_id(value: str) -> None:
    with pytest.raises(InvalidRequest, match="_id is the id of a record"):
        parse(("_id", value))


@pytest.mark.parametrize("value", ["", "-1", "ten", "1.0", "²"])
def test_parse_refuses_a_count_that_is_no_number(value: str) -> None:
    with pytest.raises(InvalidRequest, match="_count is a number"):
        parse(("_count", value))


@pytest.mark.parametrize(
    ("value", "count"),
    [("0", 0), ("1", 1), (str(MAX_COUNT), MAX_COUNT), (str(MAX_COUNT + 1), MAX_COUNT)],
)
def test_parse_takes_a_count_up_to_the_maximum(value: str, count: int) -> None:
    assert parse(("_count", value)).count == count


@pytest.mark.parametrize("value", ["Patient/1", "Brandvold", str(PATIENT).lower() + "0"])
def test_parse_refuses_a_patient_that_is_not_named_by_account(value: str) -> None:
    with pytest.raises(InvalidRequest, match="name the patient by account"):
        parse(("patient", value))


def test_parse_refuses_another_format() -> None:
    with pytest.raises(InvalidRequest, match="only JSON is answered, not 'xml'"):
        parse(("_format", "xml"))


def test_parse_refuses_an_unknown_type() -> None:
    with pytest.raises(InvalidRequest, match="'Nonsense' is no FHIR R4 resource type"):
        parse(of="Nonsense")


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([], True),
        ([("category", "laboratory")], True),
        ([("category", "vital-signs")], False),
        ([("category", "vital-signs,laboratory")], True),
        ([("category", "vital-signs"), ("category", "laboratory")], False),
        ([("code", "2160-0")], True),
        ([("code", "http://loinc.org|2160-0")], True),
        ([("code", "http://snomed.info/sct|2160-0")], False),
        ([("_id", "o1,o2")], True),
        ([("_id", "o2")], False),
    ],
)
def test_matches_a_record_when_every_parameter_is_met(
    pairs: list[tuple[str, str]], wanted: bool
) -> None:
    assert parse(*pairs).matches(RECORD) is wanted


def test_matches_no_record_of_another_type() -> None:
    assert not parse(of="Condition").matches(RECORD)
