"""The story of a stolen phone: what the thief can do meanwhile, and how all of it is got back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from medaccord.chain import Contracts, Sender, actions, reverts
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client.guardian_documents import RecoveryApproval, RecoveryRequest
from medaccord.client.guardians import Guardian, Guardians
from medaccord.client.recovering import AccountRecovery
from medaccord.client.restoring import restore
from medaccord.core.canonical import document_bytes
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import KeyMissing
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner, Origin, Passphrase, Seed, Wallet
from tests.integration.gatekeeper.desk import Desk, assert_refused
from tests.integration.gatekeeper.restoring.life import Life

PASSPHRASE = Passphrase(b"a passphrase")
CHEAP = 2**4


@pytest.fixture
def phone(tmp_path: Path) -> Wallet:
    return Wallet.create(tmp_path / "phone.json", PASSPHRASE, cost=CHEAP)


@pytest.fixture
def new_phone(tmp_path: Path) -> Wallet:
    return Wallet.create(tmp_path / "new-phone.json", PASSPHRASE, cost=CHEAP)


@pytest.fixture
def family(tmp_path: Path, contracts: Contracts) -> list[Guardian]:
    names = ("sister", "brother", "friend")
    wallets = [Wallet.create(tmp_path / f"{name}.json", PASSPHRASE, cost=CHEAP) for name in names]
    return [Guardian(wallet, contracts) for wallet in wallets]


def test_account_comes_back_with_its_relationship_when_the_phone_and_the_words_are_lost(
    life: Life,
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    clinician: LocalSigner,
    phone: Wallet,
    new_phone: Wallet,
    family: list[Guardian],
) -> None:
    # A patient of the hospital lets a clinic read, and chooses three guardians; two are enough.
    account = phone.new_account(steward=hospital.address, gatekeeper=desk.url).account
    stolen = phone.signer(account)
    life.enrol(stolen)
    given = life.grant(account, stolen)
    cards = [guardian.card() for guardian in family]
    chosen = Guardians(phone, contracts).choose(account, cards, threshold=2)
    assert desk.relay(chosen.action, stolen).status_code == 200
    for guardian, card in zip(family, cards, strict=True):
        guardian.take(document_bytes(chosen.sealed[card.guardian].document()))

    # The phone is stolen. A new one has other words, and asks two of the guardians.
    recovery = AccountRecovery(new_phone, contracts)
    request = recovery.request(account)
    shown = RecoveryRequest.parse(document_bytes(request.document()))
    approvals = [
        RecoveryApproval.parse(document_bytes(guardian.approve(shown).document()))
        for guardian in family[:2]
    ]
    actions.submit(sender, recovery.start(request, approvals))

    # From now on the thief can give nobody access, and cannot stop it: no guardian helps.
    with pytest.raises(reverts.NotAuthorised):
        life.send(
            actions.grant(
                contracts,
                patient=account,
                grantee=clinician.address,
                terms=desk.terms("patient/*.rs").commitment,
                valid_from=desk.now(),
                valid_until=desk.now() + timedelta(days=1),
            ),
            stolen,
        )
    place = chosen.circle.place(cards[2].guardian)
    alone = actions.cancel_recovery(
        contracts, account=account, circle=place.circle, approval=place.approval(b"\x01" * 65)
    )
    with pytest.raises(reverts.InvalidSignature):
        life.send(alone, stolen)

    # The new phone may restrict at once: what was open is closed before the delay has run.
    reader = desk.sign_in(clinician)
    assert desk.get("Observation", reader, account).status_code == 200
    signer = new_phone.signer(account)
    revoke_all = actions.revoke_all(contracts, account=account, by=signer.address)
    assert desk.relay(revoke_all, signer).status_code == 200
    assert_refused(desk.get("Observation", reader, account), 403, Refusal.CONSENT_EPOCH_ENDED)
    with pytest.raises(KeyMissing):
        recovery.completed(account)

    # After the delay the account is the new phone's, and the stolen key opens nothing any more.
    chain.advance(timedelta(days=7))
    recovery.wait(account, patience=timedelta())
    actions.submit(sender, recovery.complete(account))
    assert recovery.completed(account).origin is Origin.RECOVERED
    again = life.grant(account, signer)
    headers = desk.sign_in(signer, account)
    assert desk.http.get("/openings", headers=headers).status_code == 200
    message = desk.challenge(stolen, account)
    assert desk.redeem(message, stolen.sign_text(message)).status_code == 401

    # And were the new phone lost as well, its words alone would bring all of it back.
    seed = Seed.parse(new_phone.unsafe_words())
    found = restore(seed, contracts, {hospital.address: desk.url})
    (restored,) = found.accounts
    assert (restored.account, restored.held, found.problems) == (account, True, ())
    told = [(each.terms, each.given.status) for each in restored.consents]
    assert told == [
        (given.terms, ConsentStatus.INACTIVE),
        (again.terms, ConsentStatus.ACTIVE),
    ]
    assert replace(found.for_wallet()[0], gatekeeper=None) == replace(
        new_phone.account(account), used=True, steward=hospital.address
    )
