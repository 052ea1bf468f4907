"""What arrives at a relay from anybody: anything but the exact JSON form is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from medaccord.chain import Contracts, actions
from medaccord.chain.actions import Invocation, SignedAction
from medaccord.chain.actions.invocation import MAX_BYTES, MAX_ITEMS
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import Digest
from medaccord.keys import LocalSigner

Json = dict[str, Any]


@pytest.fixture
def document(
    contracts: Contracts, patient: LocalSigner, clinician: LocalSigner, terms: Digest
) -> Json:
    """A signed consent in its JSON form."""
    now = contracts.network.clock()
    action = actions.grant(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        terms=terms,
        valid_from=now,
        valid_until=now + timedelta(days=30),
    )
    return actions.signed(action, patient).to_document()


@pytest.fixture
def opening(
    contracts: Contracts, patient: LocalSigner, clinician: LocalSigner, terms: Digest
) -> Json:
    """A signed opening of emergency access, which has a wide integer."""
    action = actions.open_emergency(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        reason=terms,
        valid_until=contracts.network.clock() + timedelta(hours=1),
    )
    return actions.signed(action, clinician).to_document()


def refuse(contracts: Contracts, document: Json | str, why: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidDocument, match=why):
        SignedAction.parse(contracts, text)


def test_document_is_refused_when_it_is_no_json(contracts: Contracts) -> None:
    refuse(contracts, "grant everything", "JSON")


def test_document_is_refused_when_a_member_stands_twice(
    contracts: Contracts, document: Json
) -> None:
    text = json.dumps(document)
    refuse(contracts, text[:-1] + ', "function": "revoke"}', "function")


@pytest.mark.parametrize("name", ["profile", "contract", "function", "arguments"])
def test_document_is_refused_when_a_member_is_missing(
    contracts: Contracts, document: Json, name: str
) -> None:
    del document[name]
    refuse(contracts, document, name)


def test_document_is_refused_when_a_member_is_unknown(contracts: Contracts, document: Json) -> None:
    refuse(contracts, document | {"value": 1}, "unknown members: value")


def test_document_is_refused_when_of_another_profile(contracts: Contracts, document: Json) -> None:
    refuse(contracts, document | {"profile": "medaccord/action/2"}, "profile")


def test_document_is_refused_when_for_another_chain(contracts: Contracts, document: Json) -> None:
    moved = document["contract"].replace("eip155:1337:", "eip155:1:")
    refuse(contracts, document | {"contract": moved}, "none of our contracts")


def test_document_is_refused_when_for_an_unknown_contract(
    contracts: Contracts, document: Json, stranger: LocalSigner
) -> None:
    elsewhere = f"eip155:1337:{stranger.address}"
    refuse(contracts, document | {"contract": elsewhere}, "none of our contracts")


@pytest.mark.parametrize("function", ["consentOf", "nonces", "rotate", "", "__init__"])
def test_document_is_refused_when_the_contract_has_no_such_action(
    contracts: Contracts, document: Json, function: str
) -> None:
    refuse(contracts, document | {"function": function}, "no function")


def test_document_is_refused_when_no_account_signs_the_function(contracts: Contracts) -> None:
    invocation = actions.complete_recovery(contracts, account=contracts.address("Registry"))
    refuse(contracts, invocation.to_document(), "nothing that an account signs")


def test_document_is_refused_when_the_signature_is_empty(
    contracts: Contracts, document: Json
) -> None:
    document["arguments"]["signature"] = "0x"
    refuse(contracts, document, "without a signature")


def test_document_is_refused_when_an_argument_is_missing(
    contracts: Contracts, document: Json
) -> None:
    del document["arguments"]["by"]
    refuse(contracts, document, "lacks by")


def test_document_is_refused_when_an_argument_is_unknown(
    contracts: Contracts, document: Json
) -> None:
    document["arguments"]["consent"]["until"] = 1
    refuse(contracts, document, "unknown members: until")


@pytest.mark.parametrize(
    "value", ["0x", "clinician", "0x" + 40 * "a", "0x" + 40 * "A", 7, None, ["0x"]]
)
def test_document_is_refused_when_an_address_is_malformed(
    contracts: Contracts, document: Json, value: object
) -> None:
    document["arguments"]["by"] = value
    refuse(contracts, document, "by is no address")


@pytest.mark.parametrize("value", ["1", -1, 2**40, 1.5, True, None])
def test_document_is_refused_when_a_time_is_malformed(
    contracts: Contracts, document: Json, value: object
) -> None:
    document["arguments"]["consent"]["validUntil"] = value
    refuse(contracts, document, "validUntil|no integer")


@pytest.mark.parametrize("value", [1, "-1", "01", "1.0", "", "0x1", str(2**64), "٣"])
def test_document_is_refused_when_a_wide_integer_is_malformed(
    contracts: Contracts, opening: Json, value: object
) -> None:
    opening["arguments"]["opening"]["nonce"] = value
    refuse(contracts, opening, "nonce")


@pytest.mark.parametrize("value", ["", "0x1", "0x" + 62 * "0", "0x" + 66 * "0", "0xZZ", "0xAA", 0])
def test_document_is_refused_when_32_bytes_are_malformed(
    contracts: Contracts, document: Json, value: object
) -> None:
    document["arguments"]["consent"]["terms"] = value
    refuse(contracts, document, "terms")


def test_document_is_refused_when_the_signature_is_too_long(
    contracts: Contracts, document: Json
) -> None:
    document["arguments"]["signature"] = "0x" + "00" * (MAX_BYTES + 1)
    refuse(contracts, document, f"longer than {MAX_BYTES}")


def test_document_is_refused_when_a_list_is_too_long(
    contracts: Contracts, hospital: LocalSigner
) -> None:
    motion = actions.Motion(
        kind=actions.Kind.SUSPEND,
        account=hospital.address,
        deadline=contracts.network.clock(),
    )
    invocation = actions.execute(
        contracts, motion=motion, approvers=[hospital.address] * (MAX_ITEMS + 1)
    )
    with pytest.raises(InvalidDocument, match=f"at most {MAX_ITEMS}"):
        Invocation.parse(contracts, json.dumps(invocation.to_document()))


def test_document_is_refused_when_a_struct_is_no_object(
    contracts: Contracts, document: Json
) -> None:
    document["arguments"]["consent"] = list(document["arguments"]["consent"].values())
    refuse(contracts, document, "consent is no object")
