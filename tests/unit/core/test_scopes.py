"""A scope grants what it says, and what it does not say is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidInput, InvalidScope
from medaccord.core.scopes import Scope, narrower

LOINC = "http://loinc.org"
CODES = ("4548-4", f"{LOINC}|4548-4", "http://snomed.info/sct|4548-4", "718-7", f"{LOINC}|718-7")
CATEGORIES = ("laboratory", "vital-signs")


def laboratory(code: str = "4548-4", system: str | None = LOINC) -> Descriptor:
    codes = {code} if system is None else {code, f"{system}|{code}"}
    return Descriptor(
        resource_type="Observation",
        record="Observation/1",
        codes=frozenset(codes),
        categories=frozenset({"laboratory"}),
    )


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    parameters = []
    for name, values in (("category", CATEGORIES), ("code", CODES)):
        if draw(st.booleans()):
            chosen = draw(st.sets(st.sampled_from(values), min_size=1))
            parameters.append((name, tuple(sorted(chosen))))
    return Scope(
        resource_type=draw(st.sampled_from(["*", "Observation", "Condition"])),
        interactions=frozenset(draw(st.sampled_from(["r", "s", "rs"]))),
        parameters=tuple(parameters),
    )


@st.composite
def descriptors(draw: st.DrawFn) -> Descriptor:
    resource_type = draw(st.sampled_from(["Observation", "Condition"]))
    codes = draw(st.sets(st.sampled_from(CODES)))
    return Descriptor(
        resource_type=resource_type,
        record=f"{resource_type}/1",
        codes=frozenset(codes | {code.rpartition("|")[2] for code in codes}),
        categories=frozenset(draw(st.sets(st.sampled_from(CATEGORIES)))),
    )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("patient/Observation.rs", "patient/Observation.rs"),
        ("patient/*.r", "patient/*.r"),
        (
            "patient/Observation.rs?code=b,a&category=laboratory",
            "patient/Observation.rs?category=laboratory&code=a,b",
        ),
        (
            "patient/Observation.s?code=http://loinc.org|4548-4,4548-4",
            "patient/Observation.s?code=4548-4,http://loinc.org|4548-4",
        ),
    ],
)
def test_parse_gives_the_canonical_form(text: str, canonical: str) -> None:
    assert str(Scope.parse(text)) == canonical


@given(scopes())
def test_parse_of_the_canonical_form_is_the_identity(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope


@pytest.mark.parametrize("letters", ["c", "cruds", "rsu", "d", "u"])
def test_parse_refuses_to_write(letters: str) -> None:
    with pytest.raises(InvalidScope, match="asks to write"):
        Scope.parse(f"patient/Observation.{letters}")


@pytest.mark.parametrize("letters", ["sr", "rr", "x"])
def test_parse_refuses_letters_that_are_none(letters: str) -> None:
    with pytest.raises(InvalidScope, match="neither r, s nor rs"):
        Scope.parse(f"patient/Observation.{letters}")


def test_parse_refuses_a_scope_of_version_1() -> None:
    with pytest.raises(InvalidScope, match="SMART v1"):
        Scope.parse("patient/Observation.read")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Observation.rs",
        "user/Observation.rs",
        "system/*.rs",
        "patient/Observation",
        "patient/Observation.rs?",
        "patient/Observation.rs ",
        "patient/Observation.rs\n",
        "patient/Observation.rs?category=a?b",
        "launch/patient",
    ],
)
def test_parse_refuses_what_is_no_scope_of_a_patient(text: str) -> None:
    with pytest.raises(InvalidScope, match="not a scope like"):
        Scope.parse(text)


@pytest.mark.parametrize("resource_type", ["observation", "Everything", "You"])
def test_parse_refuses_an_unknown_resource_type(resource_type: str) -> None:
    with pytest.raises(InvalidScope, match=f"{resource_type} is no FHIR R4 resource type"):
        Scope.parse(f"patient/{resource_type}.rs")


@pytest.mark.parametrize("query", ["date=ge2020", "_id=1", "category", "status=final", "&"])
def test_parse_refuses_an_unknown_parameter(query: str) -> None:
    with pytest.raises(InvalidScope, match="only category and code are known"):
        Scope.parse(f"patient/Observation.rs?{query}")


def test_parse_refuses_a_parameter_given_twice() -> None:
    with pytest.raises(InvalidScope, match="has category twice"):
        Scope.parse("patient/Observation.rs?category=laboratory&category=survey")


@pytest.mark.parametrize(
    "value", ["", "a,", "a b", "a%20b", "http://x y|a", "|a", "http://loinc.org|", "a" * 65, "é"]
)
def test_parse_refuses_a_malformed_token(value: str) -> None:
    with pytest.raises(InvalidScope, match="is a code or system"):
        Scope.parse(f"patient/Observation.rs?code={value}")


def test_parse_takes_64_alternatives_and_refuses_65() -> None:
    assert Scope.parse("patient/*.r?code=" + ",".join(f"{n:02}" for n in range(64)))
    with pytest.raises(InvalidScope, match="65 alternatives"):
        Scope.parse("patient/*.r?code=" + ",".join(f"{n:02}" for n in range(65)))


def test_scope_refuses_to_grant_nothing() -> None:
    with pytest.raises(InvalidScope, match="reading"):
        Scope(resource_type="Observation", interactions=frozenset())


def test_scope_refuses_parameters_out_of_order() -> None:
    with pytest.raises(InvalidScope, match="in order"):
        Scope(
            resource_type="Observation",
            interactions=frozenset("r"),
            parameters=(("code", ("a",)), ("category", ("b",))),
        )


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("patient/Observation.r", True),
        ("patient/*.r", True),
        ("patient/Observation.s", False),
        ("patient/Condition.r", False),
        ("patient/Observation.r?category=laboratory", True),
        ("patient/Observation.r?category=vital-signs", False),
        ("patient/Observation.r?category=laboratory,vital-signs", True),
        ("patient/Observation.r?code=4548-4", True),
        ("patient/Observation.r?code=http://loinc.org|4548-4", True),
        ("patient/Observation.r?code=http://snomed.info/sct|4548-4", False),
        ("patient/Observation.r?category=vital-signs&code=4548-4", False),
    ],
)
def test_matches_reading_a_laboratory_observation_when_every_parameter_is_met(
    text: str, matches: bool
) -> None:
    assert Scope.parse(text).matches(laboratory(), "r") is matches


def test_narrower_knows_that_a_code_in_a_system_is_narrower_than_the_bare_code() -> None:
    bare = Scope.parse("patient/Observation.r?code=4548-4")
    full = Scope.parse("patient/Observation.r?code=http://loinc.org|4548-4")

    assert narrower(full, bare)
    assert not narrower(bare, full)


@given(scopes())
def test_narrower_holds_of_a_scope_and_itself(scope: Scope) -> None:
    assert narrower(scope, scope)


@given(scopes(), scopes(), descriptors(), st.sampled_from("rs"))
def test_narrower_is_sound(a: Scope, b: Scope, record: Descriptor, interaction: str) -> None:
    if narrower(a, b) and a.matches(record, interaction):
        assert b.matches(record, interaction)


@given(scopes(), scopes(), scopes())
def test_narrower_is_transitive(a: Scope, b: Scope, c: Scope) -> None:
    if narrower(a, b) and narrower(b, c):
        assert narrower(a, c)


def test_descriptor_refuses_a_code_without_its_bare_form() -> None:
    with pytest.raises(InvalidInput, match="stands without its bare code"):
        Descriptor(
            resource_type="Observation",
            record="Observation/1",
            codes=frozenset({f"{LOINC}|4548-4"}),
        )


def test_descriptor_refuses_the_name_of_another_type() -> None:
    with pytest.raises(InvalidInput, match="Condition/1 is not the name of a Observation"):
        Descriptor(resource_type="Observation", record="Condition/1")
