"""What members decide takes effect at gatekeepers at once, and ends when they take it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from medaccord.chain import Role, reverts
from medaccord.chain.actions import Kind, Motion
from medaccord.client import Admission, Consortium, Patient, Provider
from medaccord.core.emergency import EmergencyCode
from medaccord.core.errors import AccessRefused, InvalidInput
from medaccord.core.identifiers import Digest, digest
from medaccord.core.refusals import Refusal
from medaccord.demo.stage import Stage
from medaccord.keys import LocalSigner

KEY = digest(b"\x11" * 32)
PROFILE = Digest(digest(b"\x22" * 32))


def carry(
    members: Sequence[Consortium], motion: Motion, admission: Admission | None = None
) -> None:
    """Have all members approve a motion, and carry it out."""
    for member in members:
        member.approve(motion)
    members[0].execute(motion, [member.account for member in members], admission=admission)


def assert_refused(reason: Refusal, clinician: Provider, patient: Patient) -> None:
    with pytest.raises(AccessRefused) as refused:
        clinician.records.search("Observation", patient.account)
    assert refused.value.reason is reason


def test_suspended_organisation_reads_nothing_until_reinstated(
    members: Sequence[Consortium], clinician: Provider, patient: Patient
) -> None:
    before = list(clinician.records.search("Observation", patient.account))
    carry(members, members[0].propose(Kind.SUSPEND, clinician.account))
    assert_refused(Refusal.SUSPENDED, clinician, patient)
    assert [each.active for each in patient.consents.history()] == [False]
    carry(members, members[0].propose(Kind.REINSTATE, clinician.account))
    assert list(clinician.records.search("Observation", patient.account)) == before
    assert [each.active for each in patient.consents.history()] == [True]


def test_what_was_revoked_during_suspension_does_not_come_back(
    members: Sequence[Consortium], clinician: Provider, patient: Patient
) -> None:
    carry(members, members[0].propose(Kind.SUSPEND, clinician.account))
    patient.consents.revoke(next(patient.consents.history()).consent_id)
    carry(members, members[0].propose(Kind.REINSTATE, clinician.account))
    assert_refused(Refusal.CONSENT_REVOKED, clinician, patient)


def test_suspended_steward_releases_nothing_and_goes_on_logging(
    members: Sequence[Consortium], clinician: Provider, patient: Patient, stage: Stage
) -> None:
    carry(members, members[0].propose(Kind.SUSPEND, stage.a.account))
    assert_refused(Refusal.STEWARD_NOT_ACTIVE, clinician, patient)
    carry(members[:1], members[0].propose(Kind.REINSTATE, stage.a.account))  # the only one left
    assert list(clinician.records.search("Observation", patient.account))
    assert patient.audit.verify().entries[-2].reason == Refusal.STEWARD_NOT_ACTIVE.value


def test_one_member_of_two_is_not_enough(
    members: Sequence[Consortium], clinician: Provider
) -> None:
    founder, _ = members
    motion = founder.propose(Kind.SUSPEND, clinician.account)
    founder.approve(motion)
    with pytest.raises(reverts.NoMajority) as refused:
        founder.execute(motion, [founder.account])
    assert refused.value.approvals == 1
    assert refused.value.members == 2


def test_withdrawn_approval_does_not_count(
    members: Sequence[Consortium], clinician: Provider, patient: Patient
) -> None:
    founder, second = members
    motion = founder.propose(Kind.SUSPEND, clinician.account)
    founder.approve(motion)
    second.approve(motion)
    second.withdraw(motion)
    with pytest.raises(reverts.Reverted):
        founder.execute(motion, [founder.account, second.account])
    assert list(clinician.records.search("Observation", patient.account))


def test_emergency_department_without_the_role_opens_nothing(
    members: Sequence[Consortium], ambulance: Provider, patient: Patient, stage: Stage
) -> None:
    carry(members, members[0].propose(Kind.SET_ROLES, ambulance.account, roles=Role.STEWARD))
    with pytest.raises(reverts.NoEmergencyRole) as refused:
        ambulance.emergency.open(patient.account, EmergencyCode.UNCONSCIOUS, timedelta(hours=1))
    assert refused.value.grantee == ambulance.account


def test_admission_needs_the_wish_of_the_organisation(
    members: Sequence[Consortium], stage: Stage, stranger: LocalSigner
) -> None:
    wish = Admission.sign(stage.contracts, stranger, key=KEY, profile=PROFILE)
    motion = members[0].propose(Kind.ADMIT, admission=wish, roles=Role.STEWARD)
    for member in members:
        member.approve(motion)
    accounts = [member.account for member in members]
    with pytest.raises(InvalidInput):
        members[0].execute(motion, accounts)
    members[0].execute(motion, accounts, admission=wish)
    assert stage.contracts.call("Registry", "isActiveOrganisation", stranger.address)


def test_admission_with_the_wish_of_another_is_refused(
    members: Sequence[Consortium], stage: Stage, stranger: LocalSigner
) -> None:
    wish = Admission.sign(stage.contracts, stranger, key=KEY, profile=PROFILE)
    other = Admission.sign(stage.contracts, LocalSigner.create(), key=KEY, profile=PROFILE)
    motion = members[0].propose(Kind.ADMIT, admission=wish, roles=Role.STEWARD)
    for member in members:
        member.approve(motion)
    with pytest.raises(InvalidInput):
        members[0].execute(motion, [member.account for member in members], admission=other)
    assert not stage.contracts.call("Registry", "isActiveOrganisation", stranger.address)
