"""A search parameter is understood or refused; ignored only where the client asks for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import AccountId, address
from medaccord.fhir.search import (
    ACCOUNT_SYSTEM,
    DEFAULT_COUNT,
    MAX_COUNT,
    MAX_LENGTH,
    MAX_PARAMETERS,
    MAX_VALUES,
    SearchQuery,
)
from medaccord.fhir.search_clauses import MAX_ALTERNATIVES
from medaccord.fhir.search_parameters import SEARCHED_TYPES, Kind, parameters_of
from tests.unit.fhir.searched import searched

PATIENT = AccountId(chain_id=1337, address=address("0x" + "99" * 20))
OTHER = AccountId(chain_id=1337, address=address("0x" + "77" * 20))


def parse(*pairs: tuple[str, str], of: str = "Observation", lenient: bool = False) -> SearchQuery:
    return SearchQuery.parse(of, pairs, lenient=lenient)


# --- What is understood ---


def test_parse_of_nothing_asks_for_everything() -> None:
    assert parse() == SearchQuery(resource_type="Observation", count=DEFAULT_COUNT)


def test_parse_reads_every_parameter() -> None:
    search = parse(
        ("patient.identifier", str(PATIENT)),
        ("category", "vital-signs,laboratory"),
        ("code", "http://loinc.org|2160-0"),
        ("date", "ge2025"),
        ("_id", "o2,o1"),
        ("_count", "10"),
        ("_sort", "-date,_id"),
        ("_summary", "count"),
        ("_total", "accurate"),
        ("_format", "application/fhir+json"),
        ("_cursor", "abc"),
    )

    assert search.pairs(cursor="def") == (
        ("_id", "o1,o2"),
        ("category", "laboratory,vital-signs"),
        ("code", "http://loinc.org|2160-0"),
        ("date", "ge2025"),
        ("patient.identifier", f"{ACCOUNT_SYSTEM}|{PATIENT}"),
        ("_sort", "-date,_id"),
        ("_count", "10"),
        ("_summary", "count"),
        ("_total", "accurate"),
        ("_format", "application/fhir+json"),
        ("_cursor", "def"),
    )
    assert (search.patient, search.count, search.summary_count) == (PATIENT, 10, True)
    assert search.cursor == "abc"


@pytest.mark.parametrize(
    "name", ["patient", "subject", "subject:Patient", "patient.identifier", "subject.identifier"]
)
def test_parse_takes_the_patient_by_account(name: str) -> None:
    assert parse((name, str(PATIENT))).patient == PATIENT
    assert parse((name, f"{ACCOUNT_SYSTEM}|{PATIENT}")).patient == PATIENT


@pytest.mark.parametrize("name", ["patient", "subject", "patient:Patient", "subject:Patient"])
@pytest.mark.parametrize("value", ["anna-1", "Patient/anna-1"])
def test_parse_takes_the_patient_by_id(name: str, value: str) -> None:
    assert parse((name, value)).patient == "Patient/anna-1"


def test_parse_takes_the_identifier_of_a_patient() -> None:
    assert parse(("identifier", str(PATIENT)), of="Patient").patient == PATIENT
    by_system = f"{ACCOUNT_SYSTEM}|{PATIENT}"
    assert parse(("identifier", by_system), of="Patient").patient == PATIENT


def test_parse_takes_the_id_of_a_patient() -> None:
    assert parse(("_id", "anna-1"), of="Patient").patient == "Patient/anna-1"
    assert parse(("_id", "anna-1,berta-2"), of="Patient").patient is None
    assert parse(("_id", "o1")).patient is None


def test_patient_is_matched_by_the_stewards_own_identifier() -> None:
    own = {"system": "urn:hospital", "value": "4711"}
    record = searched("Patient", identifier=[own])
    for value, wanted in [("4711", True), ("urn:hospital|4711", True), ("urn:other|4711", False)]:
        query = parse(("identifier", value), of="Patient")
        assert (query.patient, query.matches(record)) == (None, wanted)


def test_parse_takes_the_patient_twice_when_it_is_the_same() -> None:
    twice = parse(("patient", str(PATIENT)), ("subject.identifier", str(PATIENT)))
    assert twice.patient == PATIENT


# --- What the same search is written as ---

TOKENS = st.text("ab1 ,|$\\%/'\";", min_size=1, max_size=8)


@st.composite
def token_values(draw: st.DrawFn) -> str:
    def text() -> str:
        return "".join("\\" + each if each in ",|$\\" else each for each in draw(TOKENS))

    kinds = [text(), f"{text()}|{text()}", f"|{text()}", f"{text()}|"]
    return ",".join(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)))


DATES = st.sampled_from(["2025", "ge2025-11-03", "lt2025-11-03T09:30:00+01:00", "ap2024,ne2025-01"])
PARAMETERS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["code", "code:not", "category", "status"]), token_values()),
        st.tuples(st.sampled_from(["date", "_lastUpdated", "value-date"]), DATES),
        st.tuples(st.sampled_from(["code:missing", "date:missing"]), st.just("true")),
        st.tuples(st.just("_id"), st.sampled_from(["b,a", "a"])),
    ),
    max_size=6,
)
ONCE = st.fixed_dictionaries(
    {},
    optional={
        "patient": st.sampled_from([str(PATIENT), "anna-1"]),
        "_count": st.sampled_from(["0", "7", "9999"]),
        "_sort": st.sampled_from(["-date", "status,-_lastUpdated"]),
        "_summary": st.sampled_from(["count", "false"]),
        "_total": st.just("none"),
        "_format": st.just("json"),
    },
)


@given(some=PARAMETERS, once=ONCE)
def test_pairs_give_the_same_search_back(some: list[tuple[str, str]], once: dict[str, str]) -> None:
    search = parse(*some, *once.items())

    assert parse(*search.pairs()) == search
    assert parse(*search.pairs()).pairs() == search.pairs()


@pytest.mark.parametrize(
    "pair", [("identifier", str(PATIENT)), ("_id", "anna-1"), ("patient", "anna-1")]
)
def test_pairs_give_the_same_search_for_patients_back(pair: tuple[str, str]) -> None:
    search = parse(pair, of="Patient")
    assert parse(*search.pairs(), of="Patient") == search


@given(st.permutations([("code", "a"), ("code", "b"), ("category", "c,d"), ("_id", "x")]))
def test_pairs_do_not_depend_on_the_order_of_the_parameters(
    pairs: list[tuple[str, str]],
) -> None:
    assert parse(*pairs).pairs() == parse(*sorted(pairs)).pairs()


def test_pairs_show_when_nothing_but_a_count_is_wanted() -> None:
    assert ("_summary", "count") in parse(("_count", "0")).pairs()


# --- What is not ---


@pytest.mark.parametrize(
    "name", ["value-quantity", "identifier", "Category", "vaccine-code", "foo.bar", "foo:bar", ""]
)
def test_parse_refuses_an_unknown_parameter(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{name}' is not supported"):
        parse((name, "1"))


def test_parse_ignores_an_unknown_parameter_when_the_client_is_lenient() -> None:
    search = parse(("value-quantity", "gt5"), ("code", "a"), lenient=True)

    assert search.ignored == ("value-quantity",)
    assert "value-quantity" not in dict(search.pairs())
    assert search == parse(("code", "a"))


@pytest.mark.parametrize(
    "name",
    [
        *("_elements", "_include", "_include:iterate", "_revinclude", "_has:Group:member:_id"),
        *("_filter", "_query", "_contained", "_text", "_content", "_list", "_tag", "_type"),
        *("patient.name", "subject.birthdate", "code.x", "_sort:x", "patient.identifier:not"),
        *("code:", "patient:"),
    ],
)
def test_parse_refuses_what_is_not_modelled_when_the_client_is_lenient(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not supported"):
        parse((name, "1"), lenient=True)


@pytest.mark.parametrize(
    "name",
    [
        *("code:text", "code:in", "code:not-in", "code:above", "code:below", "code:of-type"),
        *("date:not", "date:exact", "_id:not", "_id:missing", "_lastUpdated:missing"),
        *("patient:missing", "subject:identifier", "subject:Group", "patient:Patient.name"),
    ],
)
@pytest.mark.parametrize("lenient", [True, False])
def test_parse_refuses_a_modifier_that_is_not_modelled(name: str, lenient: bool) -> None:
    base, _, modifier = name.partition(":")
    with pytest.raises(InvalidRequest, match=f"the modifier ':{modifier}' of {base} is not"):
        parse((name, "1"), lenient=lenient)


@pytest.mark.parametrize("name", ["_count", "_cursor", "_sort", "_summary", "_total", "_format"])
def test_parse_refuses_a_parameter_twice(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{name}' stands there twice"):
        parse((name, "1"), (name, "1"))


@pytest.mark.parametrize(
    "pairs",
    [
        [("patient", str(PATIENT)), ("patient", str(OTHER))],
        [("patient", f"{PATIENT},{OTHER}")],
        [("patient", str(PATIENT)), ("subject", "Patient/anna-1")],
        [("patient", "anna-1"), ("subject", "berta-2")],
    ],
)
def test_parse_refuses_two_patients(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest, match="more than one patient, or one in two ways"):
        parse(*pairs)


def test_parse_refuses_the_subject_where_a_type_has_none() -> None:
    with pytest.raises(InvalidRequest, match="'subject' is not supported"):
        parse(("subject", str(PATIENT)), of="Immunization")


@pytest.mark.parametrize("value", ["a|b|c", "|", "a\\", "a\\b"])
def test_parse_refuses_a_malformed_token(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^code(: a backslash| is code, system)"):
        parse(("code", value))


@pytest.mark.parametrize("name", ["code", "date", "_id", "patient", "_sort"])
@pytest.mark.parametrize("value", ["", "a,", ",a", "a,,b"])
def test_parse_refuses_an_empty_value(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name} has an empty value$"):
        parse((name, value))


@pytest.mark.parametrize("value", ["a b", "x" * 65, "Observation/1", "../../etc/passwd", "1'--"])
def test_parse_refuses_a_malformed_id(value: str) -> None:
    with pytest.raises(InvalidRequest, match="_id is the id of a record"):
        parse(("_id", value))


@pytest.mark.parametrize("value", ["", "-1", "ten", "1.0", "²", "1e3"])
def test_parse_refuses_a_count_that_is_no_number(value: str) -> None:
    with pytest.raises(InvalidRequest, match="_count is a number"):
        parse(("_count", value))


@pytest.mark.parametrize(
    ("value", "count"),
    [("1", 1), (str(MAX_COUNT), MAX_COUNT), (str(MAX_COUNT + 1), MAX_COUNT), ("999999999", 200)],
)
def test_parse_takes_a_count_up_to_the_maximum(value: str, count: int) -> None:
    assert parse(("_count", value)).count == count


@pytest.mark.parametrize("value", ["Group/1", "a b", "Patient/", "Patient/1/_history/1", "x" * 65])
def test_parse_refuses_a_patient_that_is_none(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^patient is an account"):
        parse(("patient", value))


@pytest.mark.parametrize(
    "value", [str(PATIENT).lower() + "0", "eip155:1", "https://x.org/Patient/1"]
)
def test_parse_refuses_an_account_that_is_none(value: str) -> None:
    with pytest.raises(InvalidRequest, match="name the patient by account: not an account"):
        parse(("patient", value))


def test_parse_refuses_an_account_of_another_system() -> None:
    with pytest.raises(InvalidRequest, match="the system of an account is https://chainagnostic"):
        parse(("patient.identifier", f"urn:x|{PATIENT}"))


@pytest.mark.parametrize("value", ["true", "text", "data", ""])
def test_parse_refuses_another_summary(value: str) -> None:
    with pytest.raises(InvalidRequest, match="_summary is count or false, not"):
        parse(("_summary", value))


def test_parse_refuses_another_total() -> None:
    with pytest.raises(InvalidRequest, match="_total is none, estimate or accurate, not 'some'"):
        parse(("_total", "some"))


def test_parse_refuses_missing_that_is_neither_true_nor_false() -> None:
    with pytest.raises(InvalidRequest, match="date:missing is true or false, not 'yes'"):
        parse(("date:missing", "yes"))


def test_parse_refuses_an_unknown_type() -> None:
    with pytest.raises(InvalidRequest, match="'Nonsense' is no FHIR R4 resource type"):
        parse(of="Nonsense")


# --- Hostile values ---


@pytest.mark.parametrize("name", ["code", "date", "_id", "patient", "_count", "_sort", "_cursor"])
@pytest.mark.parametrize(
    "value",
    ["a\x00b", "a\r\nSet-Cookie: x", "\x1b[31m", "\u202eabc", "\ud800", "a\u2028b"],
    ids=["nul", "header", "terminal", "override", "surrogate", "line"],
)
def test_parse_refuses_what_cannot_be_printed(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse((name, value))
    assert caught.value.problem == f"'{name}' holds characters that cannot be printed"


def test_parse_refuses_more_characters_than_belong_into_a_log() -> None:
    half = ("code", "x" * (MAX_LENGTH // 2 - len("code")))
    with pytest.raises(InvalidRequest, match=f"a search takes {MAX_LENGTH} characters at most"):
        parse(half, half, ("_id", "a"))
    assert len(parse(half).clauses) == len(parse(half, half).clauses) == 1


@pytest.mark.parametrize("name", ["code", "date", "_id", "patient", "_sort"])
def test_parse_refuses_too_many_values(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} takes {MAX_ALTERNATIVES} values at most"):
        parse((name, "1" + ",1" * MAX_ALTERNATIVES))


def test_parse_refuses_too_many_values_of_all_parameters_together() -> None:
    each = ",".join(map(str, range(100)))
    most = [("code:not", each)] * (MAX_VALUES // 100)
    assert len(parse(*most).clauses) == 1
    with pytest.raises(InvalidRequest, match=f"takes {MAX_VALUES} values at most"):
        parse(*most, ("code:not", "1"))


def test_parse_refuses_too_many_parameters() -> None:
    with pytest.raises(InvalidRequest, match=f"takes {MAX_PARAMETERS} parameters at most"):
        parse(*[("code", str(each)) for each in range(MAX_PARAMETERS + 1)])


@given(
    name=st.sampled_from(["code", "date", "_id", "patient", "_count", "_sort", "_format", "_total"])
    | st.text(max_size=12),
    value=st.text(max_size=30) | st.text("\\|,$:.'\"/-_eq2", max_size=30),
    lenient=st.booleans(),
)
def test_parse_understands_or_refuses_whatever_comes(name: str, value: str, lenient: bool) -> None:
    try:
        search = parse((name, value), lenient=lenient)
    except InvalidRequest as refused:
        search, problem = parse(), refused.problem
    else:
        problem = ""
    assert problem == "" or problem.isprintable()
    assert parse(*search.pairs()) == search
    assert search.matches(searched("Observation", status="final")) in (True, False)


# --- The types ---


@pytest.mark.parametrize("kind", SEARCHED_TYPES)
def test_every_type_takes_its_own_parameters_and_sorts_by_them(kind: str) -> None:
    values = {Kind.TOKEN: "a|b", Kind.DATE: "ge2025", Kind.REFERENCE: str(PATIENT)}
    for name, parameter in parameters_of(kind).items():
        value = "x" if name == "_id" else values[parameter.kind]
        search = parse((name, value), of=kind)
        assert parse(*search.pairs(), of=kind) == search
        if parameter.kind is not Kind.REFERENCE:
            assert str(parse(("_sort", f"-{name}"), of=kind).order) == f"-{name}"
