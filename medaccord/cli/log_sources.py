"""Audit logs for commands: a patient's, from a gatekeeper; any, for the steward that keeps it.

Either is checked, line by line and against the chain, before anything of it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from medaccord.chain.deployment import Contracts
from medaccord.cli.acting import Flags, acting_patient, connected, settings_of
from medaccord.cli.progress import spinner
from medaccord.cli.steward import open_gatekeeper
from medaccord.client import VerifiedLog
from medaccord.client.audit_log import CountedRefusals
from medaccord.client.evidence import ChainEvidence
from medaccord.core.audit import (
    AUDIT_TOPIC,
    GENESIS,
    AuditEntry,
    chain_heads,
    relationship_key,
    verify_log,
)
from medaccord.core.documents import DocumentReader, members_of
from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.core.identifiers import Address, Digest, address
from medaccord.core.log_filter import LogFilter
from medaccord.core.proofs import verify_log_proof
from medaccord.core.refusal_count import RefusalCount
from medaccord.fhir.audit_event import Keeper
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.log_export import OPEN_REFUSALS, LogForm
from medaccord.gatekeeper.log_pages import LogPage
from medaccord.gatekeeper.refusal_tallies import OpenTally

__all__ = ["OpenedLog", "Whose", "as_page", "commitments_in", "opened_log"]

_OF_STEWARD: Final = ("rpc_url", "record", "account", "keystore", "passphrase_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose log is meant, and where a steward has it.

    Attributes:
        patient: for a steward, the account that it is about; None for one's own, as a patient.
        own: for a steward, its own.
        settings: of the steward, by name: `database_url`, `keys_folder`, `steward`.
    """

    patient: str | None
    own: bool
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLog:
    """A log that was checked.

    Attributes:
        log: what it says.
        keeper: whose it is, and who keeps it.
        contracts: of the chain that it was checked against.
        name: what to call an organisation in it.
    """

    log: VerifiedLog
    keeper: Keeper
    contracts: Contracts
    name: Callable[[Address], str]

    @property
    def now(self) -> datetime:
        """The time."""
        return self.contracts.network.clock()


@contextmanager
def opened_log(flags: Flags, whose: Whose, wanted: LogFilter | None = None) -> Iterator[OpenedLog]:
    """Read a log, and check it.

    Args:
        flags: as the command line has them.
        whose: whose.
        wanted: which lines to show; all of them unless given.

    Raises:
        InvalidInput: it is not clear whose.
        LogMismatch: a line was changed, dropped, added or moved; it says which.
        ProofMismatch: the chain does not hold what is said to be anchored.
        MedaccordError: as `acting_patient` and `open_gatekeeper`.
    """
    if whose.own and whose.patient is not None:
        raise InvalidInput("whose log? Say --patient or --own, not both")
    if whose.own or whose.patient is not None:
        with _of_steward(flags, whose, wanted) as opened:
            yield opened
        return
    with acting_patient(flags) as patient:
        contracts = connected(flags)
        with spinner("Checking the log"):
            log = patient.audit.list(wanted)
        yield OpenedLog(
            log=log,
            keeper=Keeper(
                patient=contracts.account_id(patient.account),
                steward=contracts.account_id(patient.steward),
                url=settings_of(flags).gatekeeper,
            ),
            contracts=contracts,
            name=patient.directory.name,
        )


def as_page(log: VerifiedLog) -> LogPage:
    """A whole log as one page, to be written by `log_export.written`."""
    return LogPage(
        count=log.count,
        head=log.head,
        after=0,
        previous=GENESIS,
        upto=log.count,
        entries=log.entries,
        left_out={number: log.commitments[number - 1] for number in log.left_out},
        erased={number: log.commitments[number - 1] for number in log.erased},
        heads=dict(enumerate(chain_heads(log.commitments)[1:], start=1)),
        counted=tuple(
            OpenTally(requester=each.requester, refusals=each.refusals) for each in log.counted
        ),
    )


def commitments_in(content: bytes) -> dict[int, Digest]:
    """The commitment to each line of a log that was exported as NDJSON, by its number.

    Raises:
        InvalidDocument: it is something else; it says in which line.
    """
    return {
        number: each.commitment if isinstance(each, AuditEntry) else each
        for number, each in _read(content)[0].items()
    }


@contextmanager
def _of_steward(flags: Flags, whose: Whose, wanted: LogFilter | None) -> Iterator[OpenedLog]:
    named = {name: flags.get(name) for name in _OF_STEWARD}
    with open_gatekeeper({**named, **whose.settings}) as gatekeeper:
        account = gatekeeper.steward if whose.patient is None else address(whose.patient)
        contracts = gatekeeper.contracts
        with spinner("Checking the log"):
            log = _filtered(_checked(gatekeeper, account), wanted)
        yield OpenedLog(
            log=log,
            keeper=Keeper(
                patient=contracts.account_id(account),
                steward=contracts.account_id(gatekeeper.steward),
                url=settings_of(flags).public_url,
            ),
            contracts=contracts,
            name=str,
        )


def _checked(gatekeeper: Gatekeeper, account: Address) -> VerifiedLog:
    """The log as it stands in the database, held against what was anchored of it."""
    proof = gatekeeper.audit.proof(account)  # before the lines: it reaches no further
    lines, counted = _read(b"".join(gatekeeper.audit.export(account, LogForm.NDJSON)))
    evidence = ChainEvidence(gatekeeper.contracts)
    if proof is not None:
        verify_log_proof(proof, evidence.is_anchored, steward=gatekeeper.steward, topic=AUDIT_TOPIC)
    count, head = (0, GENESIS) if proof is None else (proof.count, proof.head)
    ordered = [lines[number] for number in sorted(lines)]
    verify_log(ordered, count, head)
    commitments = tuple(
        each.commitment if isinstance(each, AuditEntry) else each for each in ordered
    )
    return VerifiedLog(
        relationship=relationship_key(gatekeeper.steward, account),
        entries=tuple(each for each in ordered if isinstance(each, AuditEntry)),
        erased=tuple(n for n, each in sorted(lines.items()) if not isinstance(each, AuditEntry)),
        commitments=commitments,
        head=chain_heads(commitments)[-1],
        anchored=count,
        proof=proof,
        counted=counted,
    )


def _filtered(log: VerifiedLog, wanted: LogFilter | None) -> VerifiedLog:
    if wanted is None:
        return log
    return replace(
        log,
        entries=tuple(each for each in log.entries if wanted.matches(each)),
        left_out=tuple(each.number for each in log.entries if not wanted.matches(each)),
    )


def _read(
    content: bytes,
) -> tuple[dict[int, AuditEntry | Digest], tuple[CountedRefusals, ...]]:
    """The lines of an NDJSON export by number, and the refusals that have none yet."""
    lines: dict[int, AuditEntry | Digest] = {}
    counted: list[CountedRefusals] = []
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            members = members_of(text)
            if members.get("profile") == OPEN_REFUSALS:
                counted.append(_counted(text))
            elif "erased" in members:
                reader = DocumentReader(
                    members, what="an erased line", required=("number", "erased")
                )
                lines[reader.integer("number", minimum=1)] = reader.digest("erased")
            else:
                entry = AuditEntry.parse(members)
                lines[entry.number] = entry
        except InvalidInput as error:
            raise InvalidDocument(f"line {number}: {error.problem}") from error
    return lines, tuple(counted)


def _counted(text: bytes) -> CountedRefusals:
    reader = DocumentReader.open(
        text, profile=OPEN_REFUSALS, required=("requester", "since", "last", "count")
    )
    refusals = RefusalCount(
        count=reader.integer("count", minimum=1),
        since=reader.instant("since"),
        last=reader.instant("last"),
    )
    who = None if reader.null("requester") else reader.address("requester")
    return CountedRefusals(requester=who, refusals=refusals)
