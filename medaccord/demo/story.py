"""The story in nine chapters. Every step is real: contracts, keys, HTTP, encryption, proofs.

Whatever the story shows as refused or found out is checked as it is told: where something is not
refused or not found out, the story stops with an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TypeVar

from hexbytes import HexBytes
from rich.console import Console

from medaccord.chain import Role, reverts
from medaccord.chain.actions import NOBODY, Kind
from medaccord.client import Consortium, Patient, Provider
from medaccord.core.emergency import EmergencyCode
from medaccord.core.errors import AccessRefused, LogMismatch, MedaccordError
from medaccord.core.identifiers import ConsentId
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.demo.narrator import Narrator, short
from medaccord.demo.stage import Hospital, Stage, build, name_gatekeeper_key, open_hospital
from medaccord.demo.tampering import Insider, another_way
from medaccord.fhir import PatientBundle, read_bundle
from medaccord.fhir.resources import describe
from medaccord.keys import Seed

LABORATORY = "patient/Observation.rs?category=laboratory"
MEDICATION = "patient/MedicationRequest.rs"

_Error = TypeVar("_Error", bound=MedaccordError)


class StoryBroken(MedaccordError):
    """Something that has to be refused or found out was not. This is a defect of medaccord."""


def sample_bundle() -> bytes:
    """The project's own small Bundle of an invented patient."""
    return resources.files("medaccord.demo").joinpath("data/patient.json").read_bytes()


def play(bundle: bytes, console: Console, *, folder: Path | None = None) -> Stage:
    """Play the story on a FHIR R4 Bundle of one patient.

    Args:
        bundle: JSON in UTF-8. It is read before anything is written.
        console: Where the story is told.
        folder: Where hospital A keeps its files, empty; a temporary one unless given.

    Returns:
        The stage as the story left it, with all that went on chain.

    Raises:
        InvalidBundle: It is no such Bundle; nothing was written.
        StoryBroken: A check of the story failed.
        MedaccordError: Anything else that went wrong.
    """
    records = read_bundle(bundle)
    tell = Narrator(console)
    stage = _deploy(tell)
    gatekeeper_key = stage.chain.funded_signer()
    tell.mined(
        "Hospital A lets its gatekeeper's key log and propose for it, and nothing more",
        name_gatekeeper_key(stage, gatekeeper_key),
    )
    with ExitStack() as until_the_end:
        files = until_the_end.enter_context(_folder(folder))
        hospital = until_the_end.enter_context(open_hospital(stage, gatekeeper_key, files))
        tell.say(f"Hospital A's gatekeeper answers at {hospital.url}.")
        patient = until_the_end.enter_context(
            Patient(Seed.create().account(0), stage.contracts, hospital.url)
        )
        _enrol(tell, stage, hospital, patient, records)
        _import(tell, hospital, patient, bundle)
        b = until_the_end.enter_context(Provider(stage.b.signer, stage.contracts, hospital.url))
        tell.chapter("Hospital B asks for the patient's records")
        _expect_refusal(
            tell,
            "Observation",
            Refusal.NO_CONSENT,
            lambda: b.records.search("Observation", patient.account),
        )
        consent = _consent(tell, stage, patient, b)
        _read(tell, patient, b, records)
        with Provider(stage.c.signer, stage.contracts, hospital.url) as c:
            _emergency(tell, stage, patient, c)
        _revoke(tell, stage, patient, b, consent)
        _account(tell, stage, hospital, patient, records)
    tell.say("")
    tell.say(
        f"All of it cost {tell.gas:,} gas, of which the patient paid none. "
        f"The patient's balance is {patient.balance()}."
    )
    return stage


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="medaccord-demo-") as made:
        yield Path(made)


def _deploy(tell: Narrator) -> Stage:
    tell.chapter("The hospitals deploy the contracts and admit one another")
    stage = build()
    spent = sum(
        int(stage.network.web3.eth.get_transaction_receipt(HexBytes(each.transaction))["gasUsed"])
        for each in stage.deployment.contracts.values()
    )
    tell.chain(
        f"{', '.join(stage.deployment.contracts)}; {stage.founder.name} is the founding member",
        gas=spent,
        where="5 transactions",
    )
    founder = Consortium(stage.founder.signer, stage.contracts, stage.founder.sender)
    a = Consortium(stage.a.signer, stage.contracts, stage.a.sender)
    wish = stage.admission(stage.a)
    motion = founder.propose(Kind.ADMIT, admission=wish, roles=Role.MEMBER | Role.STEWARD)
    tell.mined(f"{stage.founder.name} approves {stage.a.name}", founder.approve(motion))
    tell.mined(
        f"{stage.a.name} is admitted (member, steward) by the founder alone",
        founder.execute(motion, admission=wish),
    )
    for organisation, role in ((stage.b, Role.STEWARD), (stage.c, Role.EMERGENCY)):
        wish = stage.admission(organisation)
        motion = founder.propose(Kind.ADMIT, admission=wish, roles=role)
        tell.mined(f"{stage.founder.name} approves {organisation.name}", founder.approve(motion))
        _expect(
            tell,
            "One of two members is not enough",
            reverts.NoMajority,
            partial(founder.execute, motion, admission=wish),
        )
        tell.mined(f"{stage.a.name} approves {organisation.name}", a.approve(motion))
        tell.mined(
            f"{organisation.name} is admitted ({str(role.name).lower()})",
            a.execute(motion, admission=wish),
        )
    stage.chain.advance(timedelta(days=1))
    tell.say("A day passes: the EMERGENCY role takes effect only after this delay.")
    return stage


def _enrol(
    tell: Narrator, stage: Stage, hospital: Hospital, patient: Patient, records: PatientBundle
) -> None:
    tell.chapter("Hospital A enrols a patient")
    tell.say(f"The patient's account {patient.account} holds {patient.balance()} wei.")
    code = hospital.gatekeeper.enrolment.issue_code(records.patient_id)
    tell.say(f"At the desk the patient is given the one-time code {code}, and signs it.")
    enrolled = patient.relationships.enrol(code)
    tell.answered("enrolled")
    tell.mined("Hospital A proposes", enrolled)
    with Patient(Seed.create().account(0), stage.contracts, hospital.url) as another:
        _expect(
            tell,
            "The code a second time",
            MedaccordError,
            lambda: another.relationships.enrol(code),
        )
    tell.mined(
        "The patient accepts by signature, Hospital A relays", patient.relationships.accept()
    )
    tell.say(f"The patient's account still holds {patient.balance()} wei.")


def _import(tell: Narrator, hospital: Hospital, patient: Patient, bundle: bytes) -> None:
    tell.chapter("Hospital A imports the patient's FHIR Bundle")
    report = hospital.gatekeeper.import_bundle(bundle, patient.account)
    if not report.roots or len(report.receipts) < len(report.roots):
        raise StoryBroken("the import anchored nothing")
    tell.say(
        f"{report.records} records of the patient and {report.directory} practitioners and "
        "organisations, each encrypted with a key of its own."
    )
    tell.mined(f"One root for all of the patient's: {short(report.roots[0])}", report.receipts[0])
    for root, receipt in zip(report.roots[1:], report.receipts[1:], strict=True):
        tell.mined(f"One for the others, in a stream of their own: {short(root)}", receipt)


def _consent(tell: Narrator, stage: Stage, patient: Patient, b: Provider) -> ConsentId:
    tell.chapter("Hospital B asks, the patient narrows and grants")
    b.requests.send(
        patient.account,
        b.requests.terms(LABORATORY, MEDICATION, include_undated=True),
        valid_until=stage.network.clock() + timedelta(days=30),
    )
    tell.answered("the request lies in the patient's inbox; nothing of it is on chain")
    (received,) = patient.inbox.list()
    tell.say(f"Inbox: {received.sentence}")
    request = received.request
    narrowed = received.narrowed(scopes=[LABORATORY])
    names = patient.directory.names(narrowed.stewards)
    sentence = narrowed.sentence(stage.b.name, names, request.valid_from, request.valid_until)
    tell.say(f"Granted: {sentence}")
    granted = patient.consents.grant(received, scopes=[LABORATORY])
    consent = granted.id
    tell.mined(f"The patient signs consent {short(consent)}, Hospital A relays", granted)
    return consent


def _read(tell: Narrator, patient: Patient, b: Provider, records: PatientBundle) -> None:
    tell.chapter("Hospital B reads what was granted")
    expected = {
        resource.record
        for resource in records.resources
        if resource.type == "Observation" and "laboratory" in describe(resource).categories
    }
    answer = b.records.search("Observation", patient.account)
    if {record.name for record in answer} != expected:
        raise StoryBroken("the gatekeeper released other records than the laboratory Observations")
    if expected:
        tell.answered(
            f"asked for every Observation, got the {len(expected)} laboratory ones; every proof "
            "checks against the chain"
        )
    else:
        tell.answered("this Bundle holds no laboratory Observation: nothing to release")
    tell.say(f"{len(answer.receipts)} signed receipt(s) of the log entries are kept by Hospital B.")
    _expect_refusal(
        tell,
        "MedicationRequest",
        Refusal.SCOPE_NOT_COVERED,
        lambda: b.records.search("MedicationRequest", patient.account),
    )


def _emergency(tell: Narrator, stage: Stage, patient: Patient, c: Provider) -> None:
    tell.chapter("Emergency department C breaks the glass")

    def open_again() -> object:
        return c.emergency.open(patient.account, EmergencyCode.UNCONSCIOUS, timedelta(hours=1))

    opened = c.emergency.open(patient.account, EmergencyCode.UNCONSCIOUS, timedelta(hours=1))
    tell.mined(
        f"C opens emergency access for an hour ({opened.reason.code.display})", opened.receipt
    )
    conditions = list(c.records.search("Condition", patient.account, purpose=Purpose.BTG))
    tell.answered(f"{len(conditions)} Condition(s), every proof checked")
    (seen,) = patient.emergency.list()
    tell.say(
        f"The patient sees at once: {patient.directory.name(seen.grantee)}, opened "
        f"{seen.opened_at:%Y-%m-%d %H:%M} UTC, {'open' if seen.open else 'closed'}."
    )
    reason = patient.emergency.reason_of(seen)
    tell.say(f"The reason, checked against the chain: {reason.code.display}.")
    tell.mined("The patient closes it", patient.emergency.close(seen.grantee))
    _expect_refusal(
        tell,
        "Condition",
        Refusal.EMERGENCY_CLOSED,
        lambda: c.records.search("Condition", patient.account, purpose=Purpose.BTG),
    )
    _expect(tell, "C opens again", reverts.EmergencyBarred, open_again)


def _revoke(
    tell: Narrator, stage: Stage, patient: Patient, b: Provider, consent: ConsentId
) -> None:
    tell.chapter("The patient revokes Hospital B's consent")

    def ask() -> object:
        return b.records.search("Observation", patient.account)

    with stage.chain.mining_paused():
        relayed = patient.consents.revoke(consent, wait=False)
        if relayed.transaction is None or relayed.is_mined:
            raise StoryBroken("the revocation was to be sent, and not to be mined yet")
        tell.say("The patient signs the revocation; Hospital A holds it, and it is not mined yet.")
        _expect_refusal(tell, "Observation, before it is mined", Refusal.CONSENT_REVOKED, ask)
    tell.mined("The revocation is mined", relayed.wait())
    _expect_refusal(tell, "Observation, after it is mined", Refusal.CONSENT_REVOKED, ask)


def _account(
    tell: Narrator, stage: Stage, hospital: Hospital, patient: Patient, records: PatientBundle
) -> None:
    tell.chapter("Who looked, and what happens when somebody cheats")
    anchored = hospital.gatekeeper.audit.anchor()
    if anchored is None:
        raise StoryBroken("there was nothing to anchor")
    tell.mined("Hospital A anchors the state of its audit logs", anchored)
    log = patient.audit.verify()
    tell.table(
        ("#", "when (UTC)", "who", "what", "outcome", "why"),
        (
            (
                str(entry.number),
                f"{entry.at:%Y-%m-%d %H:%M:%S}",
                patient.directory.name(entry.requester or NOBODY),
                f"{entry.action} {entry.query.partition('?')[0]}",
                entry.outcome,
                entry.reason,
            )
            for entry in log.entries
        ),
    )
    tell.answered(f"{len(log.entries)} lines, {log.anchored} of them covered by the anchored root")
    insider = Insider(hospital, stage.a.account, patient.account)
    try:
        _tamper(tell, patient, insider, records)
    finally:
        insider.close()


def _tamper(tell: Narrator, patient: Patient, insider: Insider, records: PatientBundle) -> None:
    names = [resource.record for resource in records.resources]
    changed = names[0]
    insider.flip_a_byte(changed)
    _expect_found(tell, f"One byte of {changed} was changed", patient, changed)
    numbers = {name: insider.a_number_in(name) for name in names[1:]}
    rewritten = max(
        (name for name, number in numbers.items() if number is not None),
        key=lambda name: (numbers[name] == "1.00", "." in str(numbers[name])),
        default=None,
    )
    if rewritten is None:
        tell.say("This Bundle holds no number that could be written in another way.")
    else:
        before = str(numbers[rewritten])
        after = another_way(before)
        insider.rewrite_a_number(rewritten, before, after)
        what = f"{after} written where {before} stood in {rewritten}, sealed with the right key"
        _expect_found(tell, what, patient, rewritten)
    number = insider.drop_a_log_line()
    try:
        patient.audit.verify()
    except LogMismatch as error:
        tell.detected(f"Line {number} of the audit log was deleted", error)
    else:
        raise StoryBroken("a deleted line of the audit log was not found out")


def _expect_found(tell: Narrator, what: str, patient: Patient, name: str) -> None:
    kind, _, identity = name.partition("/")
    try:
        patient.records.read(kind, identity)
    except AccessRefused as error:
        if error.reason is not Refusal.RECORD_UNVERIFIABLE:
            raise
        tell.detected(what, error)
    else:
        raise StoryBroken(f"not found out: {what}")


def _expect_refusal(tell: Narrator, what: str, reason: Refusal, call: Callable[[], object]) -> None:
    try:
        call()
    except AccessRefused as refusal:
        if refusal.reason is not reason:
            raise
        tell.refused(what, refusal)
    else:
        raise StoryBroken(f"not refused: {what}")


def _expect(tell: Narrator, what: str, kind: type[_Error], call: Callable[[], object]) -> None:
    try:
        call()
    except kind as error:
        tell.refused(what, error)
    else:
        raise StoryBroken(f"not refused: {what}")
