"""What a patient with a seed phrase does at a hospital, before the device is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from medaccord.chain import Contracts, GuardianCircle, Power, Sender, actions
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.terms import Terms
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner, Seed
from tests.integration.gatekeeper.desk import Desk

LABORATORY = "patient/Observation.rs?category=laboratory"
PATIENT_ID = "a-patient-of-many-accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A consent that was given: its id, and what it covers."""

    consent: Digest
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Lives with one phrase."""

    seed: Seed
    desk: Desk
    gatekeeper: Gatekeeper
    contracts: Contracts
    sender: Sender
    grantee: LocalSigner

    def enrol(self, signer: LocalSigner) -> Address:
        """Become a patient of the hospital with an account."""
        code = self.gatekeeper.enrolment.issue_code(PATIENT_ID)
        assert self.desk.enrol(signer, code).status_code == 201
        assert self.desk.accept(signer).status_code == 200
        return signer.address

    def propose(self, steward: LocalSigner, account: Address) -> None:
        """A steward proposes, without any gatekeeper."""
        action = actions.propose(
            self.contracts, patient=account, steward=steward.address, account=steward.address
        )
        self.send(action, steward)

    def accept(self, steward: LocalSigner, signer: LocalSigner) -> None:
        action = actions.accept(
            self.contracts, patient=signer.address, steward=steward.address, account=signer.address
        )
        self.send(action, signer)

    def grant(self, account: Address, by: LocalSigner) -> Given:
        """Consent through the hospital's gatekeeper, which keeps the terms."""
        terms = self.desk.terms(LABORATORY)
        action = actions.grant(
            self.contracts,
            patient=account,
            grantee=self.grantee.address,
            terms=terms.commitment,
            valid_from=self.desk.now() - timedelta(hours=1),
            valid_until=self.desk.now() + timedelta(days=30),
            by=by.address,
        )
        answer = self.desk.relay(action, by, terms=terms)
        assert answer.status_code == 200, answer.text
        return Given(consent=action.digest, terms=terms)

    def rotate(self, account: Address, by: LocalSigner, new: LocalSigner) -> None:
        action = actions.rotate(
            self.contracts, account=account, new_controller=new.address, by=by.address
        )
        self.send(action, by)

    def delegate(self, account: LocalSigner, key: Address) -> None:
        action = actions.delegate(
            self.contracts,
            account=account.address,
            delegate=key,
            powers=Power.RESTRICT,
            until=self.desk.now() + timedelta(days=30),
        )
        self.send(action, account)

    def start_recovery(self, account: LocalSigner, guardian: LocalSigner, new: Address) -> None:
        """Have an only guardian start to hand an account over."""
        circle = GuardianCircle(salts={guardian.address: digest(b"\x44" * 32)}, threshold=1)
        change = actions.set_guardians(
            self.contracts, account=account.address, commitment=circle.commitment
        )
        self.send(change, account)
        deadline = self.desk.now() + timedelta(hours=1)
        approval = actions.recovery_approval(
            self.contracts,
            account=account.address,
            guardian=guardian.address,
            new_controller=new,
            deadline=deadline,
        )
        started = actions.start_recovery(
            self.contracts,
            account=account.address,
            new_controller=new,
            deadline=deadline,
            circle=circle,
            approvals=[circle.approval(guardian.address, guardian.sign(approval))],
        )
        actions.submit(self.sender, started)

    def send(self, action: actions.Action, by: LocalSigner) -> None:
        actions.submit(self.sender, actions.signed(action, by))
