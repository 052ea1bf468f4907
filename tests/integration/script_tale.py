"""What the scripts for Ape do together: from the deployment to the audit, on any network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from eth_account import Account

import medaccord
from medaccord.chain import Contracts, Deployment, Network, Sender, actions, connect
from medaccord.chain.powers import Power
from medaccord.client import Patient, Provider, RelationshipState
from medaccord.client.relationships import relationship_of
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.identifiers import Address
from medaccord.core.request_carriers import SignedRequest
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner

WORDS: Final = "test test test test test test test test test test test junk"
"""The phrase of the accounts that Ape has for tests; TEST::0 pays."""

HOSPITAL, CLINIC, PATIENT, GATEKEEPER = 1, 2, 3, 4
FUNDED: Final = (0, HOSPITAL, CLINIC, GATEKEEPER)
KEY: Final = "0x" + 32 * "11"
BUNDLE: Final = Path(medaccord.__file__).parent / "demo" / "data" / "patient.json"
PATIENT_ID: Final = "57b997b7-1e72-5ccc-82f6-ea3dd82eef2e"


class Run(Protocol):
    """Runs a script."""

    def __call__(self, script: str, *options: str, code: int = 0) -> str:
        """What it said: where it ends well on standard output, else on standard error."""
        ...


class Typed(Protocol):
    """Runs a script at a terminal."""

    def __call__(self, script: str, *options: str, answers: Sequence[tuple[str, str]]) -> str:
        """What it said there, where each question, by its end, got its answer."""
        ...


def signer(index: int) -> LocalSigner:
    """The key of TEST::`index`."""
    Account.enable_unaudited_hdwallet_features()
    return LocalSigner(Account.from_mnemonic(WORDS, account_path=f"m/44'/60'/0'/0/{index}"))


def account(index: int) -> Address:
    return signer(index).address


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A gatekeeper at work, and the contracts that it obeys."""

    gatekeeper: Gatekeeper
    url: str
    contracts: Contracts


@dataclass(frozen=True, slots=True, kw_only=True)
class Tale:
    """The scripts in front of one network.

    Attributes:
        start: runs a script there.
        typed: runs one at a terminal; None where there can be none.
        network: the same network, for whoever looks what a script did.
        folder: where its files go.
    """

    start: Run
    network: Network
    folder: Path
    typed: Typed | None = None

    @property
    def record(self) -> Path:
        return self.folder / "deployment.json"

    def run(self, script: str, *options: str, code: int = 0) -> str:
        return self.start(script, "--record", str(self.record), *options, code=code)

    def deploy(self) -> Contracts:
        who = ("--account", "TEST::0", "--founder", f"TEST::{HOSPITAL}", "--name", "Hospital")
        said = self.run("deploy", *who, "--key", KEY, "--role", "steward")
        assert f"Record: {self.record}" in said
        return connect(self.network, Deployment.load(self.record))

    def admit(self, contracts: Contracts) -> None:
        """The clinic wishes, the only member approves, which is a majority."""
        wish = ("--wish", str(self.folder / "wish.json"))
        who = ("--organisation", f"TEST::{CLINIC}", "--name", "Clinic", "--key", KEY)
        self.run("admit_organisation", *wish, *who)
        assert not contracts.call("Registry", "isActiveOrganisation", account(CLINIC))
        member = ("--member", f"TEST::{HOSPITAL}", "--account", "TEST::0")
        refused = self.run("admit_organisation", *wish, *member, code=1)
        assert "name the roles it gets: give --role" in refused
        said = self.run("admit_organisation", *wish, *member, "--role", "emergency")
        assert "admitted: block" in said
        assert contracts.call("Registry", "isActiveOrganisation", account(CLINIC))

    @contextmanager
    def gatekeeper(self, contracts: Contracts) -> Iterator[Opened]:
        """The hospital's, with a key of its own."""
        action = actions.delegate(
            contracts,
            account=account(HOSPITAL),
            delegate=account(GATEKEEPER),
            powers=Power.ANCHOR | Power.RELATE,
            until=self.network.clock() + timedelta(days=1),
        )
        actions.submit(Sender(self.network, signer(HOSPITAL)), action)
        gatekeeper = Gatekeeper.open(
            steward=account(HOSPITAL),
            signer=signer(GATEKEEPER),
            network=self.network,
            deployment=contracts.deployment,
            database_url=f"sqlite:///{self.folder / 'records.db'}",
            keys_folder=self.folder / "keys",
        )
        try:
            yield Opened(gatekeeper=gatekeeper, url=gatekeeper.serve().url, contracts=contracts)
        finally:
            gatekeeper.close()

    def open_relationship(self, at: Opened) -> None:
        """With the code that the hospital hands out; its records are taken in then."""
        code = at.gatekeeper.enrolment.issue_code(PATIENT_ID)
        said = self.run("open_relationship", *self.patient(at), "--code", code)
        assert "opened: block" in said
        found = relationship_of(at.contracts, account(PATIENT), account(HOSPITAL))
        assert found.state is RelationshipState.ACTIVE
        at.gatekeeper.import_bundle(BUNDLE.read_bytes(), account(PATIENT))

    def request(self, at: Opened, *options: str) -> str:
        """The clinic asks for all Observations."""
        who = ("--requestor", f"TEST::{CLINIC}", "--gatekeeper", at.url)
        what = ("--patient", account(PATIENT), "--scope", "patient/Observation.rs")
        said = self.run("request_access", *who, *what, *options)
        found = re.search(r"Request (0x[0-9a-f]{64}): ", said)
        assert found is not None, said
        return found[1]

    def answer(self, at: Opened, asked: str, *options: str) -> str:
        """The patient consents to what lies in the inbox, chosen at a terminal if there is one."""
        if self.typed is None:
            return self.grant(at, "--request", asked, *options)
        own = ("--record", str(self.record), *self.patient(at), *options)
        answers = [("Which request", "1"), ("Consent to this? [y/N]", "y")]
        return self.granted(at, self.typed("grant_access", *own, answers=answers))

    def grant(self, at: Opened, *options: str) -> str:
        """The patient consents; the consent's id."""
        return self.granted(at, self.run("grant_access", *self.patient(at), *options))

    def granted(self, at: Opened, said: str) -> str:
        assert "Observations" in said
        assert "granted: block" in said
        consent = said.split()[-1]
        assert at.contracts.call("Consents", "isActive", account(PATIENT), consent)
        return consent

    def patient(self, at: Opened) -> tuple[str, ...]:
        return ("--patient", f"TEST::{PATIENT}", "--gatekeeper", at.url)

    def tell(self) -> None:
        """Everything once, each by its script."""
        contracts = self.deploy()
        self.admit(contracts)
        with self.gatekeeper(contracts) as at:
            self.open_relationship(at)
            asked = self.request(at)
            (waiting,) = at_clinic(at, lambda clinic: clinic.requests.list())
            assert (waiting.digest.hex(), waiting.status) == (asked[2:], ConsentStatus.PROPOSED)

            # To less than was asked for, and for less long.
            narrower = ("--scope", "patient/Observation.rs?category=laboratory", "--days", "7")
            consent = self.answer(at, asked, *narrower)
            (held,) = at_clinic(at, lambda clinic: list(clinic.consents.history()))
            assert (held.consent_id.hex(), held.status) == (consent[2:], ConsentStatus.ACTIVE)
            assert held.expires - held.valid_from == timedelta(days=7)
            read = at_clinic(
                at, lambda clinic: clinic.records.search("Observation", account(PATIENT))
            )
            assert len(list(read)) > 0

            at.gatekeeper.audit.anchor()
            log = self.run("audit", *self.patient(at))
            assert f"eip155:1337:{account(CLINIC)}, search: released (TREAT)" in log
            assert "Verified: 1 lines, 1 of them anchored on the chain; 0 refusals" in log

            revoke = ("revoke_access", *self.patient(at), "--consent", consent)
            assert "revoked: block" in self.run(*revoke)
            assert not contracts.call("Consents", "isActive", account(PATIENT), consent)
            again = self.run(*revoke, code=1)
            assert f"ConsentRevokedAlready(consentId={consent})" in again

    def tell_more(self) -> None:
        """The other ways: reopening what ended, a request in a file or a link, revoking all."""
        contracts = connect(self.network, Deployment.load(self.record))
        with self.gatekeeper(contracts) as at:
            with Patient(signer(PATIENT), contracts, at.url) as patient:
                patient.relationships.end()
            reopen = ("open_relationship", *self.patient(at), "--steward", f"TEST::{HOSPITAL}")
            self.run(*reopen)
            found = relationship_of(contracts, account(PATIENT), account(HOSPITAL))
            assert (found.state, found.round) == (RelationshipState.ACTIVE, 2)
            assert "keeps records for" in self.run(*reopen, code=1)

            file = self.folder / "request.json"
            self.request(at, "--out", str(file))
            consents = [self.grant(at, "--request", str(file))]
            again = self.run("grant_access", *self.patient(at), "--request", str(file), code=1)
            assert "waits for no answer any more" in again
            other = self.folder / "other.json"
            self.request(at, "--out", str(other))
            link = SignedRequest.read(other.read_bytes()).to_link()
            wider = ("--request", link, "--scope", "patient/*.rs")
            refused = self.run("grant_access", *self.patient(at), *wider, code=1)
            assert "this is more than was asked for" in refused
            consents.append(self.grant(at, "--request", link))
            unknown = self.run("grant_access", *self.patient(at), "--request", KEY, code=1)
            assert f"no request {KEY} awaits an answer" in unknown, unknown

            self.run("revoke_access", *self.patient(at), "--all")
            for consent in consents:
                assert not contracts.call("Consents", "isActive", account(PATIENT), consent)


def at_clinic(at: Opened, ask: Callable[[Provider], Any]) -> Any:
    """What the clinic's own software finds at the hospital's gatekeeper."""
    with Provider(signer(CLINIC), at.contracts, at.url) as clinic:
        return ask(clinic)
