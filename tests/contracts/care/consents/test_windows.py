"""Windows: start included, end excluded, bounded in length and in how far ahead they start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.care_actions import NOBODY, ConsentActions
from tests.contracts.deployed import Deployed, expect_revert
from tests.contracts.evm import Evm
from tests.contracts.periods import MAX_SPAN

GRANTED, REVOKED = 1, 2
END_OF_32_BITS = 2**32


@pytest.mark.parametrize(
    ("bound", "seconds", "expected"),
    [
        ("validFrom", -1, False),
        ("validFrom", 0, True),
        ("validFrom", 1, True),
        ("validUntil", -1, True),
        ("validUntil", 0, False),
        ("validUntil", 1, False),
    ],
)
def test_consent_is_active_from_its_start_until_before_its_end(
    bound: str,
    seconds: int,
    expected: bool,
    act: ConsentActions,
    evm: Evm,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    start = evm.now + 100
    consent = act.consent(patient, clinician, validFrom=start, validUntil=start + 50)
    act.grant(consent, patient).relay()
    evm.travel_to(consent[bound] + seconds)
    assert is_active(consent) is expected


@pytest.mark.parametrize("length", [0, -1])
def test_grant_is_refused_when_the_end_is_not_after_the_start(
    length: int,
    act: ConsentActions,
    evm: Evm,
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    start = evm.now + 100
    consent = act.consent(patient, clinician, validFrom=start, validUntil=start + length)
    with expect_revert("InvalidWindow", validFrom=start, validUntil=start + length):
        act.grant(consent, patient).relay()


@pytest.mark.parametrize("seconds", [0, 1])
def test_grant_is_refused_when_the_end_has_come(
    seconds: int, act: ConsentActions, consent: dict[str, Any], patient: LocalAccount
) -> None:
    start, end = consent["validFrom"], consent["validUntil"]
    with expect_revert("InvalidWindow", validFrom=start, validUntil=end):
        act.grant(consent, patient).relay(at=end + seconds)


def test_grant_works_one_second_before_the_end(
    act: ConsentActions,
    consent: dict[str, Any],
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
) -> None:
    act.grant(consent, patient).relay(at=consent["validUntil"] - 1)
    assert is_active(consent)


@pytest.mark.parametrize("seconds", [-1, 0])
def test_grant_works_when_the_span_is_no_longer_than_allowed(
    seconds: int,
    act: ConsentActions,
    evm: Evm,
    is_active: Callable[[dict[str, Any]], bool],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    end = evm.now + MAX_SPAN + seconds
    consent = act.consent(patient, clinician, validUntil=end)
    act.grant(consent, patient).relay()
    assert is_active(consent)


def test_grant_is_refused_when_the_span_is_longer_than_allowed(
    act: ConsentActions, evm: Evm, patient: LocalAccount, clinician: LocalAccount
) -> None:
    window = {"validFrom": evm.now, "validUntil": evm.now + MAX_SPAN + 1}
    with expect_revert("ConsentTooLong", **window, maxSpan=MAX_SPAN):
        act.grant(act.consent(patient, clinician, **window), patient).relay()


@pytest.mark.parametrize("seconds", [-1, 0])
def test_grant_works_when_the_start_is_no_further_ahead_than_allowed(
    seconds: int,
    act: ConsentActions,
    evm: Evm,
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    at = evm.now + 10
    start = at + MAX_SPAN + seconds
    consent = act.consent(patient, clinician, validFrom=start, validUntil=start + MAX_SPAN)
    act.grant(consent, patient).relay(at=at)
    assert stored(consent) == (GRANTED, clinician.address, start, start + MAX_SPAN, 0)


def test_grant_is_refused_when_the_start_is_further_ahead_than_allowed(
    act: ConsentActions, evm: Evm, patient: LocalAccount, clinician: LocalAccount
) -> None:
    at = evm.now + 10
    window = {"validFrom": at + MAX_SPAN + 1, "validUntil": at + MAX_SPAN + 2}
    with expect_revert("ConsentTooLong", **window, maxSpan=MAX_SPAN):
        act.grant(act.consent(patient, clinician, **window), patient).relay(at=at)


@pytest.mark.parametrize("start", [END_OF_32_BITS - 2, END_OF_32_BITS - 1])
def test_grant_works_when_the_start_still_fits_32_bits(
    start: int,
    act: ConsentActions,
    evm: Evm,
    stored: Callable[[dict[str, Any]], Any],
    patient: LocalAccount,
    clinician: LocalAccount,
) -> None:
    evm.travel_to(END_OF_32_BITS - 1000)
    consent = act.consent(patient, clinician, validFrom=start, validUntil=start + 500)
    act.grant(consent, patient).relay()
    assert stored(consent) == (GRANTED, clinician.address, start, start + 500, 0)


def test_grant_is_refused_when_the_start_does_not_fit_32_bits(
    act: ConsentActions, evm: Evm, patient: LocalAccount, clinician: LocalAccount
) -> None:
    evm.travel_to(END_OF_32_BITS - 1000)
    window = {"validFrom": END_OF_32_BITS, "validUntil": END_OF_32_BITS + 500}
    with expect_revert("SafeCastOverflowedUintDowncast", bits=32, value=END_OF_32_BITS):
        act.grant(act.consent(patient, clinician, **window), patient).relay()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_revoke_works_when_time_no_longer_fits_32_bits(
    seconds: int, act: ConsentActions, consents: Deployed, patient: LocalAccount
) -> None:
    never_sent = keccak(text="never sent")
    act.revoke(patient, never_sent).relay(at=END_OF_32_BITS + seconds)
    last = END_OF_32_BITS - 1
    answer = consents.call("consentOf", patient.address, never_sent)
    assert answer == (REVOKED, NOBODY, last, last, 0)
