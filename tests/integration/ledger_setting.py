"""What the ledger's tests do on the chain, and what they ask of a ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, func, select

from medaccord.chain import Receipt, actions
from medaccord.chain.actions import Action
from medaccord.core.facts import Facts, Query
from medaccord.core.identifiers import ZERO_DIGEST, ConsentId, Digest, digest
from medaccord.core.purposes import Purpose
from medaccord.keys import LocalSigner
from medaccord.ledger import Ledger, Projection, Restriction
from medaccord.store import reading, tables
from tests.integration.conftest import Setting

TERMS = digest(b"\x33" * 32)


@dataclass(slots=True)
class Story:
    """A patient of the hospital whose records the clinic may read."""

    setting: Setting
    patient: LocalSigner
    consent_id: ConsentId = ZERO_DIGEST

    @property
    def steward(self) -> LocalSigner:
        return self.setting.hospital

    @property
    def clinician(self) -> LocalSigner:
        return self.setting.clinician

    def do(self, action: Action, signer: LocalSigner) -> Receipt:
        return actions.submit(self.setting.sender, actions.signed(action, signer))

    def relate(self) -> None:
        sides: Any = {"patient": self.patient.address, "steward": self.steward.address}
        contracts = self.setting.contracts
        self.do(actions.propose(contracts, **sides, account=self.steward.address), self.steward)
        self.do(actions.accept(contracts, **sides, account=self.patient.address), self.patient)

    def grant(self, days: int = 30, terms: Digest = TERMS) -> Receipt:
        now = self.setting.network.clock()
        action = actions.grant(
            self.setting.contracts,
            patient=self.patient.address,
            grantee=self.clinician.address,
            terms=terms,
            valid_from=now,
            valid_until=now + timedelta(days=days),
        )
        self.consent_id = action.digest
        return self.do(action, self.patient)

    def revocation(self) -> Action:
        return actions.revoke(
            self.setting.contracts, patient=self.patient.address, consent_id=self.consent_id
        )

    def open_emergency(self) -> Receipt:
        action = actions.open_emergency(
            self.setting.contracts,
            patient=self.patient.address,
            grantee=self.clinician.address,
            reason=digest(b"\x55" * 32),
            valid_until=self.setting.network.clock() + timedelta(hours=6),
        )
        return self.do(action, self.clinician)

    def facts(self, ledger: Ledger) -> Facts:
        query = Query(
            requester=self.clinician.address,
            patient=self.patient.address,
            purpose=Purpose.TREAT,
            interaction="s",
            resource_type="Observation",
        )
        return ledger.facts(
            query,
            steward=self.steward.address,
            terms=lambda _: None,
            reason_known=lambda _: True,
            now=self.setting.network.clock(),
        )


def restriction(action: Action, signer: LocalSigner) -> Restriction:
    """What a ledger holds of a signed action that restricts."""
    signed = actions.signed(action, signer)
    made = Restriction.of(action.typed, json.dumps(signed.to_document()))
    assert made is not None
    return made


def everything(state: Projection) -> dict[str, object]:
    """Every table of a projection, to compare two of them."""
    return {name: table.items() for name, table in vars(state).items() if not name.startswith("_")}


def count_events(engine: Engine) -> int:
    with reading(engine) as connection:
        query = select(func.count()).select_from(tables.ledger_event)
        return connection.execute(query).scalar_one()
