"""A signed request reads back the same from a file, a link and a QR code, and nothing else does."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import segno
from eth_utils.crypto import keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from medaccord.core.canonical import document_bytes
from medaccord.core.errors import InvalidIdentifier, InvalidRequest, SignatureMismatch
from medaccord.core.identifiers import AccountId, Address, Digest, address
from medaccord.core.labels import LABELS
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.request_carriers import (
    MAX_DOCUMENT_BYTES,
    MAX_LINK_CHARACTERS,
    MAX_QR_CHARACTERS,
    PROFILE,
    SignedRequest,
)
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.core.typed_data import OFF_CHAIN, Domain, recover
from medaccord.keys import LocalSigner

HOSPITAL_A, PATIENT = (
    AccountId(chain_id=1337, address=address("0x" + two * 20)) for two in ("a0", "99")
)
NOW = datetime(2026, 11, 21, tzinfo=UTC)

DOMAIN = Domain(name=OFF_CHAIN, chain_id=1337, contract=address("0x" + "c0" * 20))
KEY = LocalSigner.unsafe_from_key(b"\x0b" * 32)
HOSPITAL_B = AccountId(chain_id=1337, address=KEY.address)

# A clinic's usual question; salts and signature deflate as little as any.
ASKED = AccessRequest(
    requester=HOSPITAL_B,
    patient=PATIENT,
    steward=HOSPITAL_A,
    terms=Terms(
        stewards=(HOSPITAL_A,),
        scopes=(
            Scope.parse("patient/Observation.rs?category=laboratory"),
            Scope.parse("patient/MedicationRequest.rs"),
        ),
        purposes=(Purpose.TREAT,),
        salt=Digest(keccak(b"salt")),
    ),
    valid_from=NOW,
    valid_until=NOW + timedelta(days=30),
    issued_at=NOW,
    nonce=Digest(keccak(b"nonce")),
)
USUAL = SignedRequest(request=ASKED, by=KEY.address, signature=KEY.sign(ASKED.typed(DOMAIN)))

# As it was first written: it is read for ever.
EARLIER = (
    "medaccord:request/xZRbaoQhDEb30veC0VzM40873UcS4y6698oMU3r5O5dSqEGQPKh8nJN3Kmbt_fC0vQCJlsOM"
    "Lah2RVZuGz97jzZ7BRh_Qg_AY71Cj5ivrwhiGUM8x9RawnlknTqDfYqb9pAenaxNg9kbgFkoJQjpBfr0xvVLSk-P3J"
    "Hnd6BPV2zFVm3HOp_swz73_5t9K5StIVADlBSabSIwNHWCogNANJx45mTDDMfA8NBqEk1cyq47V0b0Z5d2J-wPft2Z"
    "7Y6KF_j9quJxUtdbVNSVhCc7Ms5qIVTcAW1hOBySTWMBLro6wCTYoru3zO4FydydYakiZSSAVl7JazcpamqC7rg0EU"
    "kEoKSZ64JSoqCoFiJNjoR4eH0D"
)

accounts = st.binary(min_size=20, max_size=20).map(lambda raw: address("0x" + raw.hex()))
digests = st.binary(min_size=32, max_size=32).map(Digest)
moments = st.integers(0, 2**40 - 2).map(
    lambda seconds: NOW.replace(year=1970, month=1, day=1) + timedelta(seconds=seconds % 2**32)
)
codes = st.text("ABCDEFabcdef0123456789._-", min_size=1, max_size=20)
scopes = st.one_of(
    st.sampled_from(["patient/*.rs", "patient/Observation.r", "patient/Condition.s"]),
    st.lists(codes, min_size=1, max_size=4).map(
        lambda some: f"patient/Observation.rs?code={','.join(some)}"
    ),
).map(Scope.parse)
periods = st.one_of(
    st.none(),
    st.dates().map(lambda day: DatePeriod(start=day)),
    st.dates(max_value=date(2020, 1, 1)).map(
        lambda day: DatePeriod(start=day, end=day + timedelta(days=7))
    ),
)


@st.composite
def signed_requests(draw: st.DrawFn) -> SignedRequest:
    """Any request that can be made, and any signature."""
    chain_id = draw(st.integers(1, 2**31))
    requester, patient, steward = (
        AccountId(chain_id=chain_id, address=each)
        for each in draw(st.lists(accounts, min_size=3, max_size=3, unique=True))
    )
    start = draw(moments)
    return SignedRequest(
        request=AccessRequest(
            requester=requester,
            patient=patient,
            steward=steward,
            terms=Terms(
                stewards=(steward,),
                scopes=tuple(draw(st.lists(scopes, min_size=1, max_size=5))),
                purposes=tuple(draw(st.sets(st.sampled_from(Purpose), min_size=1))),
                period=draw(periods),
                include_undated=draw(st.booleans()),
                excluded_labels=tuple(draw(st.sets(st.sampled_from(sorted(LABELS))))),
                records=tuple(
                    f"Observation/{name}"
                    for name in draw(
                        st.sets(st.from_regex("[a-z0-9-]{1,20}", fullmatch=True), max_size=4)
                    )
                ),
                salt=draw(digests),
            ),
            valid_from=start,
            valid_until=start + timedelta(seconds=draw(st.integers(1, 2**30))),
            issued_at=draw(moments),
            nonce=draw(digests),
        ),
        by=draw(accounts),
        signature=draw(st.binary(max_size=200)),
    )


def scopes_of(number: int) -> tuple[Scope, ...]:
    """Scopes that deflate as little as real codes: each of a type and a code of its own."""
    return tuple(
        Scope.parse(
            f"patient/Observation.rs?code=http://loinc.org|{(index * 7919) % 100_000}-{index % 10}"
        )
        for index in range(1, number + 1)
    )


def asking_for(*asked: Scope) -> SignedRequest:
    """The usual request, for something else."""
    return replace(USUAL, request=replace(ASKED, terms=replace(ASKED.terms, scopes=asked)))


def link_of(document: bytes) -> str:
    packing = zlib.compressobj(wbits=-15)
    data = packing.compress(document) + packing.flush()
    return "medaccord:request/" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def problem(carried: bytes | str) -> str:
    """The one line that a carrier is refused with."""
    with pytest.raises(InvalidRequest) as refused:
        SignedRequest.read(carried)
    assert refused.value.problem.startswith("this is no signed request: ")
    return refused.value.problem.removeprefix("this is no signed request: ")


# --- What is carried ---


@given(signed_requests())
def test_request_reads_back_the_same_from_every_carrier(signed: SignedRequest) -> None:
    assert SignedRequest.read(signed.to_file()) == signed
    assert SignedRequest.read(signed.to_file().decode()) == signed
    assert SignedRequest.read(signed.to_link()) == signed
    assert SignedRequest.read(signed.to_qr()) == signed


@given(signed_requests())
def test_carriers_hold_the_characters_that_they_promise(signed: SignedRequest) -> None:
    assert set(signed.to_qr()) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/")
    assert (
        signed.to_link()
        .replace("medaccord:request/", "")
        .replace("-", "")
        .replace("_", "")
        .isalnum()
    )
    assert signed.to_file() == document_bytes(signed.document()) + b"\n"


def test_file_names_its_profile() -> None:
    assert json.loads(USUAL.to_file())["profile"] == PROFILE


def test_file_reads_back_when_its_members_were_put_in_another_order() -> None:
    document = dict(reversed(USUAL.document().items()))
    assert SignedRequest.read(json.dumps(document, indent=4)) == USUAL


def test_link_reads_back_when_its_line_was_broken() -> None:
    link = USUAL.to_link()
    broken = "\r\n ".join(link[start : start + 60] for start in range(0, len(link), 60))
    assert SignedRequest.read(f"\n{broken}\n") == USUAL


def test_qr_reads_back_when_the_scheme_was_put_in_small_letters() -> None:
    assert SignedRequest.read(USUAL.to_qr().replace("MEDACCORD:", "medaccord:")) == USUAL


def test_link_of_an_earlier_version_reads_back() -> None:
    assert SignedRequest.read(EARLIER) == USUAL


# --- How much fits ---


def test_usual_request_makes_a_code_that_a_phone_reads_from_a_screen() -> None:
    code = segno.make(USUAL.to_qr(), error="m", boost_error=False)
    assert (code.mode, code.error) == ("alphanumeric", "M")
    assert int(code.version) <= 13
    assert int(code.version) < int(
        segno.make(USUAL.to_link(), error="m", boost_error=False).version
    )


def test_longest_text_fits_a_qr_code_of_level_m_and_one_more_does_not() -> None:
    code = segno.make("A" * MAX_QR_CHARACTERS, error="m", boost_error=False)
    assert (code.version, code.error) == (40, "M")
    with pytest.raises(segno.DataOverflowError):
        segno.make("A" * (MAX_QR_CHARACTERS + 1), error="m", boost_error=False)


def test_request_for_400_codes_fits_a_qr_code() -> None:
    text = asking_for(*scopes_of(400)).to_qr()
    assert segno.make(text, error="m", boost_error=False).error == "M"


def test_qr_is_refused_when_the_request_is_too_long_for_it() -> None:
    signed = asking_for(*scopes_of(600))
    with pytest.raises(InvalidRequest, match="too long for a QR code") as refused:
        signed.to_qr()
    assert f"at most {MAX_QR_CHARACTERS}): hand it over as a file" in refused.value.problem
    assert SignedRequest.read(signed.to_link()) == signed


def incompressible(length: int) -> bytes:
    """Bytes that deflate no further than hexadecimal does."""
    return b"".join(keccak(index.to_bytes(4, "big")) for index in range(length // 32))


def test_link_is_refused_when_the_request_is_too_long_for_it() -> None:
    signed = replace(USUAL, signature=incompressible(20_000))
    with pytest.raises(InvalidRequest, match="too long for a link") as refused:
        signed.to_link()
    assert f"at most {MAX_LINK_CHARACTERS})" in refused.value.problem
    assert SignedRequest.read(signed.to_file()) == signed


def test_longest_document_is_carried_and_one_byte_more_is_not() -> None:
    room = MAX_DOCUMENT_BYTES - len(document_bytes(replace(USUAL, signature=b"").document()))
    fits = replace(USUAL, signature=bytes(room // 2))
    assert SignedRequest.read(fits.to_file()) == fits
    assert SignedRequest.read(fits.to_link()) == fits
    with pytest.raises(InvalidRequest, match=f"at most {MAX_DOCUMENT_BYTES} are read"):
        replace(USUAL, signature=bytes(room // 2 + 1)).to_file()


# --- What is refused ---


def test_request_is_refused_when_its_key_is_no_address() -> None:
    with pytest.raises(InvalidIdentifier):
        replace(USUAL, by=Address("0x12"))  # type: ignore[arg-type]  # that is what is refused


@given(st.one_of(st.text(), st.binary()))
def test_anything_else_is_refused_with_one_error(carried: str | bytes) -> None:
    assert problem(carried)


@given(st.sampled_from(["medaccord:request/", "MEDACCORD:REQUEST/", "medaccord:"]), st.text())
def test_anything_else_under_our_scheme_is_refused_with_one_error(start: str, rest: str) -> None:
    assert problem(start + rest)


@given(st.binary(max_size=300))
def test_any_content_of_a_link_that_is_no_request_is_refused(data: bytes) -> None:
    assert problem("medaccord:request/" + base64.urlsafe_b64encode(data).decode().rstrip("="))
    assert problem(link_of(data))


@given(st.data())
def test_changed_link_is_refused_or_no_longer_signed(data: st.DataObject) -> None:
    link = USUAL.to_link()
    position = data.draw(st.integers(len("medaccord:request/"), len(link) - 1))
    character = data.draw(st.sampled_from("ABCabc019-_"))
    assume(character != link[position])
    try:
        read = SignedRequest.read(link[:position] + character + link[position + 1 :])
        says = recover(read.request.typed(DOMAIN), read.signature)
    except (InvalidRequest, SignatureMismatch):
        return
    assert read == USUAL or says != read.by  # the last character has bits that say nothing


@given(st.integers(0, len(USUAL.to_link()) - 1))
def test_link_that_was_cut_off_is_refused(length: int) -> None:
    assert problem(USUAL.to_link()[:length])


def test_link_that_was_added_to_is_refused() -> None:
    raw = base64.urlsafe_b64decode(USUAL.to_link().removeprefix("medaccord:request/") + "===")
    more = base64.urlsafe_b64encode(raw + b"more").decode().rstrip("=")
    assert problem(f"medaccord:request/{more}") == (
        "it was cut off or added to on its way: copy it whole"
    )


def test_bomb_is_refused_without_being_inflated() -> None:
    bomb = link_of(bytes(10 * MAX_DOCUMENT_BYTES))
    assert len(bomb) < 2000
    assert problem(bomb) == f"it inflates to more than {MAX_DOCUMENT_BYTES} bytes"


def test_file_that_is_too_long_is_refused() -> None:
    assert (
        problem(b"[" * (MAX_DOCUMENT_BYTES + 1)) == f"it is longer than {MAX_DOCUMENT_BYTES} bytes"
    )


def test_link_that_is_too_long_is_refused() -> None:
    link = "medaccord:request/" + "A" * MAX_LINK_CHARACTERS
    assert problem(link) == f"a link has at most {MAX_LINK_CHARACTERS} characters"


def test_deep_nesting_is_refused() -> None:
    assert "nested" in problem(b'{"a":' * 5000)
    assert "nested" in problem(link_of(b"[" * 50_000))


def test_text_that_is_no_utf_8_is_refused() -> None:
    assert problem(b"\xff\xfe") == "it is no text in UTF-8"


def test_other_addresses_of_our_scheme_are_refused() -> None:
    assert problem("medaccord:consent/AAAA") == "the address carries something else than a request"


@pytest.mark.parametrize("profile", ["medaccord/signed-request/2", "medaccord/request/1", None, 1])
def test_other_profiles_are_refused(profile: object) -> None:
    document = document_bytes({**USUAL.document(), "profile": profile})
    expected = f"the profile is {profile!r}, not {PROFILE!r}"
    assert problem(document) == problem(link_of(document)) == expected


@pytest.mark.parametrize("name", ["request", "by", "signature"])
def test_document_that_lacks_a_member_is_refused(name: str) -> None:
    document = USUAL.document()
    del document[name]
    assert problem(document_bytes(document)) == f"{PROFILE} lacks {name}"


def test_document_with_another_member_is_refused() -> None:
    document = {**USUAL.document(), "gatekeeper": "https://records.example.org"}
    assert problem(document_bytes(document)) == f"{PROFILE} has unknown members: gatekeeper"


def test_terms_that_cannot_be_read_are_refused_with_the_same_error() -> None:
    document = USUAL.document()
    document["request"]["terms"]["scopes"] = ["patient/*.cruds"]
    assert "asks to write" in problem(document_bytes(document))
