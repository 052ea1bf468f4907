"""One steward's gatekeeper: everything it holds, wired together, opened and closed as one."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from medaccord.chain.deployment import Deployment
from medaccord.chain.network import Network
from medaccord.core.errors import MedaccordError
from medaccord.core.facts import Bounds
from medaccord.core.identifiers import Address
from medaccord.fhir.label_table import LabelTable
from medaccord.fhir.resources import UNLABELLED
from medaccord.gatekeeper import webhook_delivery
from medaccord.gatekeeper.access import Access
from medaccord.gatekeeper.app import create_app
from medaccord.gatekeeper.audit import Audit
from medaccord.gatekeeper.backend_services import BackendServices
from medaccord.gatekeeper.background import Background, Repeating
from medaccord.gatekeeper.batch_anchor import BatchAnchors
from medaccord.gatekeeper.consents import Consents
from medaccord.gatekeeper.cursor import Cursors
from medaccord.gatekeeper.directory import Directory
from medaccord.gatekeeper.enrolment import Enrolment
from medaccord.gatekeeper.erasing import Erasing
from medaccord.gatekeeper.event_stream import EventStreams
from medaccord.gatekeeper.exporting import Exporting
from medaccord.gatekeeper.facts import FactsOf
from medaccord.gatekeeper.fhir_requests import FhirRequests
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.health import Readying
from medaccord.gatekeeper.importing import Importing, ImportReport
from medaccord.gatekeeper.inbox import Inbox
from medaccord.gatekeeper.log_anchor import LogAnchors
from medaccord.gatekeeper.matching import Matching
from medaccord.gatekeeper.notice_api import Telling
from medaccord.gatekeeper.openings import Openings
from medaccord.gatekeeper.posting import Network as WebhookNetwork
from medaccord.gatekeeper.posting import Posting
from medaccord.gatekeeper.questions import Questions
from medaccord.gatekeeper.reading import Reading
from medaccord.gatekeeper.receipts import Receipts
from medaccord.gatekeeper.relay import Relay
from medaccord.gatekeeper.server import GRACE, RunningServer, bind, serve, url_of
from medaccord.gatekeeper.sign_in import SignIn
from medaccord.gatekeeper.tokens import Tokens
from medaccord.gatekeeper.watching import Watching
from medaccord.gatekeeper.webhook_delivery import WebhookDelivery
from medaccord.gatekeeper.webhooks import Webhooks
from medaccord.gatekeeper.whose import Whose
from medaccord.keys import Passphrase, Signer
from medaccord.ledger import Following, Ledger
from medaccord.records import (
    Importer,
    RecordRepository,
)
from medaccord.records.erasure_list import ErasureList
from medaccord.records.export import Exported, ExportForm
from medaccord.records.match_index import MatchIndex
from medaccord.records.sources import Progress
from medaccord.records.wrapping import Wrapping
from medaccord.store import open_engine

BOUNDS: Final = Bounds(
    max_node_silence=timedelta(seconds=30),
    max_blocks_behind=2,
    max_clock_skew=timedelta(seconds=30),
    max_head_age=timedelta(minutes=5),
)
"""What a gatekeeper bears unless told otherwise."""

_log = logging.getLogger(__name__)

_LONGEST_SILENCE: Final = timedelta(seconds=10)
"""How long new blocks are waited for where the node tells of them, before it is asked."""


class Gatekeeper:
    """The service in front of one steward's records.

    Attributes:
        steward: account of the steward.
        network: the chain it follows; its clock is the gatekeeper's.
        contracts: the deployment it obeys.
        ledger: what it knows of the chain.
        standing: who may act for whom, and how fresh that is.
        metrics: what this process counts about itself.
        enrolment: ties accounts to patients, by codes.
        relay: sends what others signed, and pays.
        openings: what opens the commitments that it was handed.
        consents: what a patient gave, as the chain has it.
        inbox: requests on their way to patients.
        questions: reads and searches, decided, logged and answered.
        whose: which records and requests are whose.
        audit: the log of what was asked and answered.
        directory: profiles of organisations.
        importing: records in.
        exporting: everything about a patient out.
        erasing: records erased, held and sealed anew.
        access: says what is allowed when it is asked.
        watching: says what is allowed when that changes.
        telling: tells accounts their notices.
        webhooks: where accounts have their notices posted.
        streams: the event streams it has open.
        readying: whether it decides now.
    """

    def __init__(
        self,
        base: Foundation,
        *,
        keys_folder: Path,
        labels: LabelTable | None,
        unlabelled: frozenset[str],
        log_interval: timedelta,
        poll_interval: timedelta,
        retry_interval: timedelta,
        heads_url: str | None,
        webhook_networks: Iterable[WebhookNetwork],
    ) -> None:
        """Put every part on the foundation; see `open`."""
        self._base = base
        self.steward = base.steward
        self.network = base.network
        self.contracts = base.contracts
        self.ledger = base.ledger
        self.standing = base.standing
        self.metrics = base.metrics
        self.enrolment = Enrolment(base, secret=base.secret_for("enrolment"))
        self.openings = Openings(base)
        self.consents = Consents(base, openings=self.openings)
        self.streams = EventStreams()
        self.relay = Relay(base, openings=self.openings)
        self.inbox = Inbox(base)
        self.telling = Telling(base, self.streams)
        self.audit = Audit(base, anchors=LogAnchors(base))
        repository = RecordRepository(
            base.engine, base.sealer, base.names, base.steward, base.ledger
        )
        self.exporting = Exporting(base, repository=repository)
        facts = FactsOf(base, self.openings)
        self.access = Access(base, facts=facts, repository=repository)
        self.watching = Watching(base, access=self.access, streams=self.streams)
        self.directory = Directory(base)
        receipts = Receipts(
            steward=base.steward, domain=base.contracts.off_chain_domain, signer=base.signer
        )
        self.matching = Matching(
            base,
            index=MatchIndex(
                base.engine, base.sealer, base.names, base.steward, base.secret_for("match")
            ),
            receipts=receipts,
        )
        self.whose = Whose(base)
        self.questions = Questions(
            Reading(
                base,
                facts=facts,
                repository=repository,
                wrapping=Wrapping(
                    base.engine, base.sealer, base.names, base.steward, repository.evidence
                ),
                receipts=receipts,
            ),
            repository=repository,
            whose=self.whose,
            cursors=Cursors(base.secret_for("cursor")),
        )
        self.tokens = Tokens(base, directory=self.directory)
        posting = Posting(networks=webhook_networks)
        self.webhooks = Webhooks(base, tokens=self.tokens, posting=posting)
        self._delivery = WebhookDelivery(base, webhooks=self.webhooks, posting=posting)
        self.importing = Importing(
            base,
            importer=Importer(
                base.engine,
                base.sealer,
                base.names,
                base.steward,
                unlabelled=unlabelled,
                labels=labels,
            ),
            anchors=BatchAnchors(base),
        )
        self.erasing = Erasing(base, erasures=ErasureList(keys_folder), importing=self.importing)
        jobs = (
            Repeating("send-transactions", base.sender.resume, every=retry_interval),
            Repeating("anchor-log", self.audit.anchor, every=log_interval),
            Repeating("finish-imports", self.anchor_pending, every=retry_interval),
            Repeating("send-restrictions", self.relay.retry, every=retry_interval),
            Repeating("finish-erasing", self.erasing.carry_on, every=log_interval),
            Repeating("tell-search-values", self.importing.upgrade, every=retry_interval),
            Repeating("index-people", self.matching.bring_up, every=retry_interval),
            Repeating("forget-notices", base.notices.forget_old, every=log_interval),
            Repeating("post-notices", self._delivery.deliver, every=webhook_delivery.EVERY),
        )
        self._background = Background(base.engine, jobs, base.metrics)
        self._following = _following(base.ledger, poll_interval, heads_url)
        self._draining = threading.Event()
        self.readying = Readying(base, draining=self._draining.is_set)
        self._server: RunningServer | None = None

    @classmethod
    def open(
        cls,
        *,
        steward: Address,
        signer: Signer,
        network: Network,
        deployment: Deployment,
        database_url: str,
        keys_folder: Path,
        passphrase: Passphrase | None = None,
        labels: LabelTable | None = None,
        unlabelled: frozenset[str] = UNLABELLED,
        bounds: Bounds = BOUNDS,
        log_interval: timedelta = timedelta(minutes=10),
        poll_interval: timedelta = timedelta(),
        retry_interval: timedelta = timedelta(seconds=30),
        heads_url: str | None = None,
        webhook_networks: Iterable[WebhookNetwork] = (),
    ) -> Self:
        """Open a gatekeeper: its database, its keys, its connection to the chain.

        Args:
            steward: account of the steward.
            signer: the gatekeeper's own key: the steward's controller, or better a delegate with
                the powers ANCHOR and RELATE and no other. It pays for what is relayed.
            network: the chain; its clock is the one everything here goes by.
            deployment: the contracts, checked against the chain.
            database_url: SQLAlchemy URL of the database, made where there is none.
            keys_folder: where the patients' keys and the steward's secret are, outside the database
                and its backups; made once, with the database.
            passphrase: what the folder is encrypted under; None where it is in clear.
            labels: the codes that mark a record as sensitive at its import; the table that comes
                along unless given.
            unlabelled: what a record counts as that neither it nor the table labels.
            bounds: how stale the ledger may be for a decision.
            log_interval: how often the audit logs are anchored when there is something new.
            poll_interval: how long an answer of the chain is good; zero asks it at every request.
                Above zero the chain is also followed at this interval while `serve` answers.
            retry_interval: how often what could not be sent is sent again.
            heads_url: where the node tells of new blocks, `ws://…`: they are followed at once.
            webhook_networks: of the steward's own, that notices may be posted to besides the public
                internet, and there without TLS too.

        Raises:
            DeploymentMismatch: the chain is another one, or the contracts are not ours.
            InvalidDocument: the erasure list beside the keys was changed.
            InvalidInput: the folder is encrypted and there is no passphrase, or the reverse.
            KeyStoreFailed: the folder is gone, damaged, or of another database.
            TransportError: the node does not answer.
            WrongPassphrase: the passphrase does not open the folder.
        """
        engine = open_engine(database_url)
        try:
            base = Foundation.lay(
                steward=steward,
                signer=signer,
                network=network,
                deployment=deployment,
                engine=engine,
                keys_folder=keys_folder,
                passphrase=passphrase,
                bounds=bounds,
                poll_interval=poll_interval,
            )
            opened = cls(
                base,
                keys_folder=keys_folder,
                labels=labels,
                unlabelled=unlabelled,
                log_interval=log_interval,
                poll_interval=poll_interval,
                retry_interval=retry_interval,
                heads_url=heads_url,
                webhook_networks=webhook_networks,
            )
            # Whatever backup this database is: what was erased is not in it when we answer.
            opened.erasing.restore()
        except BaseException:
            engine.dispose()
            raise
        return opened

    def sign_in(self, url: str) -> SignIn:
        """The desk where people sign in to this gatekeeper at an address."""
        return SignIn(self._base, tokens=self.tokens, url=url)

    def backend_services(self, url: str) -> BackendServices:
        """Where organisations' systems sign in to this gatekeeper at an address."""
        return BackendServices(self._base, directory=self.directory, tokens=self.tokens, url=url)

    def fhir_requests(self, sign_in: SignIn) -> FhirRequests:
        """What reads requests for records, of those who sign in at a desk."""
        return FhirRequests(self._base, sign_in=sign_in, whose=self.whose)

    def metrics_text(self) -> bytes:
        """What this process counts about itself, in Prometheus's text form."""
        self.readying.observe(self.metrics)
        self.metrics.streams.set(self.streams.count)
        return self.metrics.text()

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        url: str | None = None,
        listener: socket.socket | None = None,
        grace: timedelta = GRACE,
    ) -> RunningServer:
        """Answer over HTTP until the server is stopped, and work in the background until `close`.

        Args:
            host: the interface.
            port: 0 takes any free one.
            url: where this is reached from outside, as behind a proxy that speaks TLS; host and
                port themselves unless given.
            listener: a port taken before, in place of host and port.
            grace: how long answers under way may take once the server is stopped.

        Raises:
            TransportError: the port is taken, or the server does not start.
        """
        listener = listener or bind(host, port)
        address = url or url_of(listener)
        self._server = serve(create_app(self, address.rstrip("/")), listener, grace=grace)
        self._background.start()
        if self._following is not None:
            self._following.start()
        return self._server

    def import_bundle(self, data: bytes, account: Address) -> ImportReport:
        """Import a FHIR Bundle of one patient; see `Importing.import_bundle`."""
        return self.importing.import_bundle(data, account)

    def import_file(
        self, path: Path, *, progress: Progress | None = None, again: bool = False
    ) -> ImportReport:
        """Import a file of any number of patients; see `Importing.import_file`."""
        return self.importing.import_file(path, progress=progress, again=again)

    def export(
        self, account: Address, path: Path, form: ExportForm, *, base: str | None = None
    ) -> Exported:
        """Write everything about a patient to a file; see `Exporting.export`."""
        return self.exporting.export(account, path, form, base=base)

    def anchor_pending(self) -> int:
        """Anchor what earlier imports left; see `Importing.finish`."""
        return self.importing.finish()

    def drain(self) -> None:
        """Say at /ready that this stops soon, and end the streams, whose readers go elsewhere."""
        self._draining.set()
        self.streams.close()

    def shut_down(self) -> None:
        """Finish the answers under way, anchor the log, and close; as `close`, owing nothing.

        What cannot be anchored now, the chain being out of reach, is anchored after the next start.
        """
        self.drain()
        self._stop()
        try:
            self.audit.anchor()
        except MedaccordError as error:
            _log.warning("the log is anchored after the next start: %s", error)
        finally:
            self._base.engine.dispose()

    def close(self) -> None:
        """Stop answering, finish what is under way, and close the database."""
        self.drain()
        self._stop()
        self._base.engine.dispose()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
        if self._following is not None:
            self._following.stop()
        self._background.stop()
        self._delivery.close()


def _following(ledger: Ledger, every: timedelta, heads: str | None) -> Following | None:
    """Whoever keeps the ledger at the head; None where each request asks the chain anyway."""
    if not every and heads is None:
        return None
    return Following(ledger, every=every or _LONGEST_SILENCE, heads=heads)
