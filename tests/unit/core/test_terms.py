"""Terms cover what they say, narrow soundly, and stand for one document."""

import json
from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.canonical import document_bytes
from medaccord.core.commitments import check
from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import InvalidInput, InvalidTerms
from medaccord.core.identifiers import AccountId, Digest, address
from medaccord.core.labels import LABELS
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import MAX_DOCUMENT_BYTES, Terms

HOSPITAL_A = AccountId(chain_id=1337, address=address("0x" + "a0" * 20))
HOSPITAL_B = AccountId(chain_id=1337, address=address("0x" + "b0" * 20))
SALT = Digest(b"\x05" * 32)
DAYS = [date(2020, 1, 1), date(2020, 1, 2), date(2020, 6, 30), date(2020, 12, 31)]

LABORATORY = Terms(
    stewards=(HOSPITAL_A,),
    scopes=(Scope.parse("patient/Observation.rs?category=laboratory"),),
    purposes=(Purpose.TREAT,),
    salt=SALT,
)


@st.composite
def periods(draw: st.DrawFn) -> DatePeriod:
    start, end = sorted(draw(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS))))
    shape = draw(st.sampled_from(["both", "start", "end"]))
    return DatePeriod(
        start=start if shape != "end" else None, end=end if shape != "start" else None
    )


SCOPES = tuple(
    Scope.parse(text)
    for text in (
        "patient/*.rs",
        "patient/Observation.rs",
        "patient/Observation.r?category=laboratory",
        "patient/Observation.rs?category=laboratory,vital-signs",
        "patient/Condition.s",
    )
)


def subsets(values: list[str] | tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(st.sampled_from(values), max_size=2).map(tuple)


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    return Terms(
        stewards=tuple(draw(st.sets(st.sampled_from([HOSPITAL_A, HOSPITAL_B]), min_size=1))),
        scopes=tuple(draw(st.sets(st.sampled_from(SCOPES), min_size=1, max_size=2))),
        purposes=tuple(draw(st.sets(st.sampled_from(Purpose), min_size=1, max_size=2))),
        period=draw(st.none() | periods()),
        include_undated=draw(st.booleans()),
        excluded_labels=draw(subsets(["PSY", "HIV"])),
        records=draw(subsets(["Observation/1", "Condition/1"])),
        salt=SALT,
    )


@st.composite
def records(draw: st.DrawFn) -> Descriptor:
    kind = draw(st.sampled_from(["Observation", "Condition"]))
    return Descriptor(
        resource_type=kind,
        record=f"{kind}/{draw(st.sampled_from('12'))}",
        categories=frozenset(draw(subsets(["laboratory", "vital-signs"]))),
        date=draw(st.none() | periods()),
        labels=frozenset(draw(subsets(["PSY", "HIV", "R"]))),
    )


def observation(**changes: object) -> Descriptor:
    record = Descriptor(
        resource_type="Observation",
        record="Observation/1",
        categories=frozenset({"laboratory"}),
        date=DatePeriod(start=date(2020, 6, 30), end=date(2020, 6, 30)),
    )
    return replace(record, **changes)  # type: ignore[arg-type]  # names are checked by replace


@given(any_terms(), any_terms(), records(), st.sampled_from("rs"))
def test_narrows_is_sound(a: Terms, b: Terms, record: Descriptor, interaction: str) -> None:
    if not a.narrows(b):
        return
    assert set(a.stewards) <= set(b.stewards)
    assert set(a.purposes) <= set(b.purposes)
    if a.covers(record, interaction):
        assert b.covers(record, interaction)


@st.composite
def narrowed(draw: st.DrawFn) -> tuple[Terms, Terms]:
    """Terms and narrower ones made of them, so that the property above is not met in vain."""
    wide = draw(any_terms())
    narrow = replace(
        wide,
        scopes=wide.scopes[:1],
        purposes=wide.purposes[:1],
        period=wide.period or draw(st.none() | periods()),
        include_undated=wide.include_undated and draw(st.booleans()),
        excluded_labels=(*wide.excluded_labels, *draw(subsets(["ETH", "SDV"]))),
        records=wide.records[:1] or draw(subsets(["Observation/1"])),
        salt=Digest(b"\x06" * 32),
    )
    return narrow, wide


@given(narrowed(), records())
def test_narrows_is_shown_when_something_was_taken_away(
    pair: tuple[Terms, Terms], record: Descriptor
) -> None:
    narrow, wide = pair

    assert narrow.narrows(wide)
    assert wide.covers(record) or not narrow.covers(record)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"stewards": (HOSPITAL_A, HOSPITAL_B)}, {}),
        ({"scopes": (Scope.parse("patient/Observation.rs"),)}, {}),
        ({"purposes": (Purpose.TREAT, Purpose.HRESCH)}, {}),
        ({}, {"period": DatePeriod(start=date(2020, 1, 1))}),
        (
            {"period": DatePeriod(start=date(2019, 12, 31))},
            {"period": DatePeriod(start=date(2020, 1, 1))},
        ),
        ({"include_undated": True}, {}),
        ({}, {"excluded_labels": ("PSY",)}),
        ({}, {"records": ("Observation/1",)}),
        ({"records": ("Observation/2",)}, {"records": ("Observation/1",)}),
    ],
    ids=lambda changes: " ".join(changes) or "nothing",
)
def test_narrows_is_not_shown_when_one_part_is_wider(
    narrow: dict[str, object], wide: dict[str, object]
) -> None:
    a = replace(LABORATORY, **narrow)  # type: ignore[arg-type]  # names are checked by replace
    b = replace(LABORATORY, **wide)  # type: ignore[arg-type]  # names are checked by replace

    assert not a.narrows(b)


@pytest.mark.parametrize(
    ("terms", "record", "covered"),
    [
        ({}, {}, True),
        ({}, {"categories": frozenset({"vital-signs"})}, False),
        ({"excluded_labels": ("PSY",)}, {"labels": frozenset({"PSY"})}, False),
        ({"excluded_labels": ("PSY",)}, {"labels": frozenset({"R"})}, True),
        ({"excluded_labels": ("R",)}, {"labels": frozenset({"V"})}, False),
        ({"excluded_labels": ("N",)}, {"labels": frozenset({"R"})}, False),
        ({"excluded_labels": ("V",)}, {"labels": frozenset({"R"})}, True),
        ({"excluded_labels": ("ETH",)}, {"labels": frozenset({"OPIOIDUD"})}, False),
        ({"excluded_labels": ("ETHUD",)}, {"labels": frozenset({"ETH"})}, True),
        ({"records": ("Observation/1",)}, {}, True),
        ({"records": ("Observation/2",)}, {}, False),
        ({}, {"date": None}, False),
        ({"include_undated": True}, {"date": None}, True),
        ({"period": DatePeriod(start=date(2020, 6, 30))}, {}, True),
        ({"period": DatePeriod(start=date(2020, 7, 1))}, {}, False),
        ({"period": DatePeriod(end=date(2020, 6, 30))}, {}, True),
        ({"period": DatePeriod(end=date(2020, 6, 29))}, {}, False),
        (
            {"period": DatePeriod(start=date(2020, 1, 1))},
            {"date": DatePeriod(start=date(2020, 1, 1))},
            True,
        ),
        (
            {"period": DatePeriod(start=date(2020, 1, 1), end=date(2020, 12, 31))},
            {"date": DatePeriod(start=date(2020, 1, 1))},
            False,
        ),
    ],
)
def test_covers_a_record_when_nothing_leaves_it_out(
    terms: dict[str, object], record: dict[str, object], covered: bool
) -> None:
    changed = replace(LABORATORY, **terms)  # type: ignore[arg-type]  # names are checked by replace

    assert changed.covers(observation(**record)) is covered


def test_commitment_opens_with_salt_and_document() -> None:
    check(LABORATORY.commitment, LABORATORY.salt, document_bytes(LABORATORY.document()))


def test_commitment_differs_when_the_salt_does() -> None:
    assert replace(LABORATORY, salt=Digest(bytes(32))).commitment != LABORATORY.commitment


def test_repr_does_not_tell_the_salt() -> None:
    assert SALT.hex() not in repr(LABORATORY)
    assert str(SALT) not in repr(LABORATORY)


@given(any_terms())
def test_parse_of_the_document_is_the_identity(terms: Terms) -> None:
    text = document_bytes(terms.document())

    assert Terms.parse(text) == terms
    assert Terms.parse(json.loads(text)) == terms


def test_terms_put_lists_in_order_and_drop_doubles() -> None:
    terms = replace(LABORATORY, stewards=(HOSPITAL_B, HOSPITAL_A, HOSPITAL_B))

    assert terms.stewards == (HOSPITAL_A, HOSPITAL_B)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"profile": "medaccord/terms/2"}, "the profile is 'medaccord/terms/2'"),
        ({"note": "please sign"}, "unknown members: note"),
        ({"stewards": []}, "at least one of their stewards"),
        ({"scopes": []}, "at least one of their scopes"),
        ({"purposes": []}, "at least one of their purposes"),
        ({"scopes": ["patient/Observation.rs", "patient/Condition.rs"]}, "scopes is not sorted"),
        ({"scopes": ["patient/Condition.rs", "patient/Condition.rs"]}, "scopes is not sorted"),
        ({"scopes": ["patient/Condition.r?code=b,a"]}, "write the scope"),
        ({"scopes": ["patient/Condition.cruds"]}, "asks to write"),
        ({"purposes": ["FUN"]}, "unknown purpose: 'FUN'"),
        ({"period": {}}, "a period open on both sides"),
        ({"period": {"start": "2020"}}, "not a day like"),
        ({"period": {"start": "20200101"}}, "not a day like"),
        ({"period": {"start": "2020-01-02", "end": "2020-01-01"}}, "ends on 2020-01-01 before"),
        ({"period": {"from": "2020-01-02"}}, "unknown members: from"),
        ({"includeUndated": "no"}, "is not true or false"),
        ({"excludedLabels": ["SECRET"]}, "unknown sensitivity label: 'SECRET'"),
        ({"records": ["Observation"]}, "a single record is named Type/id"),
        ({"records": ["Nonsense/1"]}, "a single record is named Type/id"),
        ({"salt": "0x00"}, "32 bytes"),
        ({"stewards": ["0x" + "a0" * 20]}, "not an account"),
    ],
)
def test_parse_refuses_a_document_that_is_not_of_the_profile(
    changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidTerms, match=problem):
        Terms.parse({**LABORATORY.document(), **changes})


@pytest.mark.parametrize("member", [name for name in LABORATORY.document() if name != "profile"])
def test_parse_refuses_a_document_without_a_member(member: str) -> None:
    document = LABORATORY.document()
    del document[member]

    with pytest.raises(InvalidTerms, match=f"lacks {member}"):
        Terms.parse(document)


def test_parse_refuses_a_document_that_is_too_long() -> None:
    with pytest.raises(InvalidTerms, match=f"not {MAX_DOCUMENT_BYTES + 1}"):
        Terms.parse(b" " * (MAX_DOCUMENT_BYTES + 1))


def test_period_refuses_a_time_in_place_of_a_day() -> None:
    with pytest.raises(InvalidInput, match="of days, not of times"):
        DatePeriod(start=datetime(2020, 1, 1))


def test_labels_have_words() -> None:
    assert all(LABELS.values())
