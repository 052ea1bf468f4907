"""What every part of a gatekeeper stands on: its database, its keys, the chain, its log."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Engine

from medaccord.chain.deployment import Contracts, Deployment, connect
from medaccord.chain.network import Clock, Network
from medaccord.chain.sender import Sender
from medaccord.core.facts import Bounds
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.audit_log import AuditLog
from medaccord.gatekeeper.block_waits import BlockWaits
from medaccord.gatekeeper.chain_notices import ChainNotices
from medaccord.gatekeeper.key_store import open_key_store
from medaccord.gatekeeper.metrics import Metrics
from medaccord.gatekeeper.notices import Notices
from medaccord.gatekeeper.standing import Standing
from medaccord.keys import FolderPatientKeys, Passphrase, Signer, StewardSecrets
from medaccord.ledger import Ledger
from medaccord.records import PatientAccounts, Pseudonyms, Sealer
from medaccord.records.patients import ensure_key
from medaccord.store.outgoing import DatabaseOutbox

MAX_GAS: Final = 1_000_000
"""Units of gas that one transaction may take, inclusive. Ours take a tenth; the rest is for wallets
that are contracts, which others wrote and which would spend what they are let."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What is there before any part is, and is shared by all of them.

    Attributes:
        steward: account of the steward.
        signer: the gatekeeper's own key.
        network: the chain; its clock is the gatekeeper's.
        contracts: the deployment it obeys.
        engine: its database.
        ledger: what it knows of the chain.
        standing: who may act for whom, and how fresh that is.
        names: the steward's pseudonyms for what is in the database.
        accounts: which account stands for which patient.
        sealer: seals and opens what is in the database.
        sender: sends transactions, and pays for them.
        waits: the places of this process to wait for what was sent, in answering a request.
        log: the audit log.
        notices: the outbox of what accounts are told.
        secrets: what everything secret of the steward's own is derived from.
        metrics: what this process counts about itself.
    """

    steward: Address
    signer: Signer
    network: Network
    contracts: Contracts
    engine: Engine
    ledger: Ledger
    standing: Standing
    names: Pseudonyms
    accounts: PatientAccounts
    sealer: Sealer
    sender: Sender
    waits: BlockWaits
    log: AuditLog
    notices: Notices
    secrets: StewardSecrets
    metrics: Metrics

    @classmethod
    def lay(
        cls,
        *,
        steward: Address,
        signer: Signer,
        network: Network,
        deployment: Deployment,
        engine: Engine,
        keys_folder: Path,
        passphrase: Passphrase | None,
        bounds: Bounds,
        poll_interval: timedelta,
    ) -> Self:
        """Open the key store and the chain; arguments and errors as of `Gatekeeper.open`."""
        contracts = connect(network, deployment)
        store = open_key_store(engine, keys_folder, passphrase)
        keys, secrets = FolderPatientKeys(store), StewardSecrets(store)
        names = Pseudonyms(secrets)
        ensure_key(keys, names.steward)
        sealer = Sealer(keys)
        metrics = Metrics()
        sender = Sender(network, signer, outbox=DatabaseOutbox(engine), max_gas=MAX_GAS)
        sender.resume()  # what an earlier process left goes before what is new
        notices = Notices(engine, network.clock)
        ledger = Ledger(network, contracts, engine, taken_in=ChainNotices(notices).tell)
        return cls(
            steward=steward,
            signer=signer,
            network=network,
            contracts=contracts,
            engine=engine,
            ledger=ledger,
            standing=Standing(
                network=network, ledger=ledger, bounds=bounds, poll_interval=poll_interval
            ),
            names=names,
            accounts=PatientAccounts(engine, keys),
            sealer=sealer,
            sender=sender,
            waits=BlockWaits(),
            log=AuditLog(
                engine=engine,
                steward=steward,
                own=names.steward,
                sealer=sealer,
                clock=network.clock,
                told=metrics.committed,
            ),
            notices=notices,
            secrets=secrets,
            metrics=metrics,
        )

    @property
    def clock(self) -> Clock:
        """The one clock that everything goes by."""
        return self.network.clock

    def secret_for(self, use: str) -> bytes:
        """A secret for one use, 32 bytes, so that none serves two."""
        return hmac.digest(self.secrets.pseudonyms, f"medaccord/{use}/1".encode(), hashlib.sha256)
