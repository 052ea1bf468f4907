"""A patient reads only requests that were really made to them, in words of their own software."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medaccord.chain import Contracts, Power, Sender, actions
from medaccord.chain.actions import Kind
from medaccord.client import Consortium, Patient, Provider
from medaccord.core.canonical import Number
from medaccord.core.errors import (
    CommitmentMismatch,
    InvalidInput,
    SignatureMismatch,
    TransportError,
    VerificationFailed,
)
from medaccord.core.identifiers import Address, Digest
from medaccord.core.requests import AccessRequest
from medaccord.demo.stage import Stage
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import EVERYTHING, LABORATORY, MEDICATION, Visit, terms
from tests.integration.client.middle import Middle, at, edited
from tests.integration.owned_wallet import OwnedWallet

INBOX = "/requests"


@pytest.fixture
def asked(clinician: Provider, patient: Patient, stage: Stage) -> Digest:
    """A request of hospital B in the patient's inbox."""
    return ask(clinician, patient.account, stage)


def ask(provider: Provider, patient: Address, stage: Stage) -> Digest:
    return provider.requests.send(
        patient,
        terms(stage, LABORATORY, MEDICATION),
        valid_until=stage.network.clock().replace(microsecond=0) + timedelta(days=30),
    ).digest


def test_inbox_shows_a_request_in_words_made_from_its_structure(
    patient: Patient, asked: Digest
) -> None:
    (received,) = patient.inbox.list()
    assert received.digest == asked
    assert received.sentence.startswith(
        "“Hospital B” asks to read your MedicationRequests and laboratory Observations kept by "
        "“Hospital A”, of any date and those without a date, for treatment, from "
    )


def test_inbox_no_longer_shows_what_was_granted(patient: Patient, asked: Digest) -> None:
    (received,) = patient.inbox.list()
    patient.consents.grant(received)
    assert patient.inbox.list() == ()


def test_inbox_makes_its_own_sentence_when_another_is_sent_along(
    patient: Patient, asked: Digest, middle: Middle
) -> None:
    (before,) = patient.inbox.list()
    forged = {"sentence": "Hospital B asks for nothing."}
    middle.alter = at(INBOX, edited(lambda shown: shown["requests"][0].update(forged)))
    assert patient.inbox.list() == (before,)


def test_inbox_is_refused_when_what_is_asked_for_is_changed(
    patient: Patient, asked: Digest, middle: Middle
) -> None:
    def widen(shown: dict[str, Any]) -> None:
        shown["requests"][0]["request"]["terms"]["scopes"] = [str(EVERYTHING)]

    middle.alter = at(INBOX, edited(widen))
    with pytest.raises(SignatureMismatch, match="is not signed by 0x"):
        patient.inbox.list()


@pytest.mark.parametrize("length", [0, 64, 65, 66])
def test_inbox_is_refused_when_the_signature_is_forged(
    patient: Patient, asked: Digest, middle: Middle, length: int
) -> None:
    forged = {"signature": "0x" + "1b" * length}
    middle.alter = at(INBOX, edited(lambda shown: shown["requests"][0].update(forged)))
    with pytest.raises(SignatureMismatch):
        patient.inbox.list()


def signed_by(signer: LocalSigner, contracts: Contracts) -> Any:
    """Has a stranger sign what is in the inbox, and says so."""

    def sign(shown: dict[str, Any]) -> None:
        item = shown["requests"][0]
        request = AccessRequest.parse(item["request"])
        signature = signer.sign(request.typed(contracts.off_chain_domain))
        item |= {"by": signer.address, "signature": "0x" + signature.hex()}

    return sign


def test_inbox_leaves_out_a_request_signed_by_a_stranger_for_the_requester(
    patient: Patient,
    asked: Digest,
    contracts: Contracts,
    stranger: LocalSigner,
    middle: Middle,
) -> None:
    middle.alter = at(INBOX, edited(signed_by(stranger, contracts)))
    assert patient.inbox.list() == ()


def test_inbox_leaves_out_a_request_of_nobody_the_consortium_admitted(
    patient: Patient,
    asked: Digest,
    contracts: Contracts,
    stranger: LocalSigner,
    middle: Middle,
) -> None:
    def impersonate(shown: dict[str, Any]) -> None:
        named = str(contracts.account_id(stranger.address))
        shown["requests"][0]["request"]["requester"] = named
        signed_by(stranger, contracts)(shown)

    middle.alter = at(INBOX, edited(impersonate))
    assert patient.inbox.list() == ()


def test_inbox_is_refused_when_it_holds_a_request_to_somebody_else(
    patient: Patient, neighbour: Patient, clinician: Provider, stage: Stage, middle: Middle
) -> None:
    theirs: dict[str, Any] = {}
    ask(clinician, neighbour.account, stage)
    middle.alter = at(INBOX, edited(theirs.update))
    neighbour.inbox.list()
    middle.alter = at(INBOX, edited(lambda shown: shown.update(theirs)))
    with pytest.raises(VerificationFailed) as refused:
        patient.inbox.list()
    assert str(refused.value) == (
        f"this request is made to {stage.contracts.account_id(neighbour.account)}, "
        f"not to {stage.contracts.account_id(patient.account)}"
    )


def test_inbox_leaves_out_a_request_whose_organisation_was_suspended_since(
    patient: Patient,
    asked: Digest,
    members: list[Consortium],
    clinician: Provider,
) -> None:
    founder, second = members
    motion = founder.propose(Kind.SUSPEND, clinician.account)
    founder.approve(motion)
    second.approve(motion)
    founder.execute(motion, [founder.account, second.account])
    assert patient.inbox.list() == ()


def test_inbox_leaves_out_only_what_a_removed_key_had_asked_for(
    patient: Patient, stage: Stage, contracts: Contracts, clinician: Provider, visit: Visit
) -> None:
    """An organisation that changes its keys must not keep a patient from the other requests."""
    desk = LocalSigner.create()
    sender: Sender = stage.b.sender
    until = stage.network.clock() + timedelta(days=1)
    powers = Power.REQUEST | Power.READ
    named = actions.delegate(
        contracts, account=stage.b.account, delegate=desk.address, powers=powers, until=until
    )
    actions.submit(sender, named)
    ask(visit(Provider, desk, stage.b.account), patient.account, stage)
    kept = ask(clinician, patient.account, stage)
    assert len(patient.inbox.list()) == 2
    removed = actions.undelegate(contracts, account=stage.b.account, delegate=desk.address)
    actions.submit(sender, removed)
    assert [received.digest for received in patient.inbox.list()] == [kept]


@pytest.fixture
def wallet(stage: Stage, contracts: Contracts) -> OwnedWallet:
    """May ask for hospital B."""
    made = OwnedWallet(stage.b.sender, LocalSigner.create())
    named = actions.delegate(
        contracts,
        account=stage.b.account,
        delegate=made.address,
        powers=Power.REQUEST | Power.READ,
        until=stage.network.clock() + timedelta(days=1),
    )
    actions.submit(stage.b.sender, named)
    return made


def test_inbox_shows_a_request_that_a_wallet_signed(
    patient: Patient, stage: Stage, wallet: OwnedWallet, visit: Visit
) -> None:
    digest = ask(visit(Provider, wallet, stage.b.account), patient.account, stage)
    assert [received.digest for received in patient.inbox.list()] == [digest]


def test_inbox_is_refused_when_a_wallet_did_not_sign(
    patient: Patient, stage: Stage, wallet: OwnedWallet, visit: Visit, middle: Middle
) -> None:
    ask(visit(Provider, wallet, stage.b.account), patient.account, stage)
    forged = {"signature": "0x" + "1b" * 65}
    middle.alter = at(INBOX, edited(lambda shown: shown["requests"][0].update(forged)))
    with pytest.raises(SignatureMismatch, match=f"is not signed by {wallet.address}"):
        patient.inbox.list()


def test_sentence_shows_the_account_when_the_name_is_not_the_registered_one(
    patient: Patient, asked: Digest, clinician: Provider, contracts: Contracts, middle: Middle
) -> None:
    named = str(contracts.account_id(clinician.account))
    middle.alter = at(
        f"/directory/{clinician.account}",
        edited(lambda profile: profile.update({"name": "Your Family Doctor"})),
    )
    (received,) = patient.inbox.list()
    assert received.sentence.startswith(f"“{named}” asks to read ")
    with pytest.raises(CommitmentMismatch) as refused:
        patient.directory.profile(clinician.account)
    assert str(refused.value) == f"this is not the profile in force of {named}"


def test_sentence_shows_the_account_when_another_organisations_profile_is_served(
    patient: Patient, asked: Digest, stage: Stage, contracts: Contracts, middle: Middle
) -> None:
    middle.redirect = lambda url: url.copy_with(
        path=url.path.replace(stage.b.account, stage.a.account)
    )
    (received,) = patient.inbox.list()
    assert received.sentence.startswith(f"“{contracts.account_id(stage.b.account)}” asks to read ")


def test_profile_of_a_stranger_is_refused(patient: Patient, stranger: LocalSigner) -> None:
    with pytest.raises(InvalidInput) as refused:
        patient.directory.profile(stranger.address)
    assert str(refused.value) == f"{stranger.address} is no organisation of this network"


@pytest.mark.parametrize(
    "edit",
    [
        lambda shown: shown.clear(),
        lambda shown: shown.update({"requests": {}}),
        lambda shown: shown["requests"].append(None),
        lambda shown: shown["requests"][0].pop("by"),
        lambda shown: shown["requests"][0]["request"].update({"profile": "another/1"}),
        lambda shown: shown["requests"][0]["request"].update({"nonce": Number("1")}),
        lambda shown: shown["requests"][0]["request"]["terms"].update({"scopes": ["*"]}),
    ],
)
def test_inbox_that_is_none_is_the_gatekeepers_fault(
    patient: Patient, asked: Digest, middle: Middle, edit: Any
) -> None:
    middle.alter = at(INBOX, edited(edit))
    with pytest.raises(TransportError, match="does not answer as a gatekeeper does"):
        patient.inbox.list()
