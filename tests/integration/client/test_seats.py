"""A seat in the consortium: motions as they stand on the chain, and who is in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from medaccord.chain import Role, Sender
from medaccord.chain.actions import Kind
from medaccord.chain.events import MotionApproved, MotionExecuted
from medaccord.client import Admission, Consortium, Provider
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.demo.stage import Stage
from medaccord.keys import LocalSigner

KEY = digest(b"\x11" * 32)
PROFILE = digest(b"\x22" * 32)


def test_organisations_are_all_that_were_admitted(
    members: Sequence[Consortium], stage: Stage
) -> None:
    found = {each.account: each for each in members[0].organisations()}
    assert list(found) == [each.account for each in (stage.founder, stage.a, stage.b, stage.c)]
    assert found[stage.founder.account].roles == Role.MEMBER
    assert found[stage.a.account].roles == Role.MEMBER | Role.STEWARD
    assert found[stage.b.account].profile == stage.b.profile.hash
    assert found[stage.b.account].emergency_from is None
    since = found[stage.c.account].emergency_from
    assert since is not None
    assert since <= stage.network.clock()


def test_suspended_organisation_is_listed_as_one(
    members: Sequence[Consortium], clinician: Provider
) -> None:
    motion = members[0].propose(Kind.SUSPEND, clinician.account)
    for member in members:
        member.approve(motion)
    done = members[0].execute(motion)
    assert (done.id, done.event(MotionExecuted).approvals) == (motion.id, 2)
    suspended = [each.account for each in members[0].organisations() if each.suspended]
    assert suspended == [clinician.account]


def test_motion_is_found_on_the_chain_once_somebody_approved_it(
    members: Sequence[Consortium], clinician: Provider
) -> None:
    founder, second = members
    motion = founder.propose(Kind.SET_ROLES, clinician.account, roles=Role.EMERGENCY)
    assert founder.motions() == ()
    assert founder.approve(motion).event(MotionApproved).motion_id == motion.id
    (found,) = second.motions()
    assert (found.id, found.kind, found.roles) == (motion.id, Kind.SET_ROLES, Role.EMERGENCY)
    assert second.approvers(found) == (founder.account,)
    assert not second.has_majority(found)
    second.approve(found)
    assert second.has_majority(found)
    second.execute(found)
    assert second.motions() == ()


def test_motion_is_not_found_when_its_time_is_over(
    members: Sequence[Consortium], clinician: Provider, stage: Stage
) -> None:
    until = stage.network.clock() + timedelta(hours=1)
    motion = members[0].propose(Kind.SUSPEND, clinician.account, deadline=until)
    members[0].approve(motion)
    stage.chain.advance(timedelta(hours=1, seconds=1))
    assert members[0].motions() == ()


def test_approval_that_was_withdrawn_does_not_count(
    members: Sequence[Consortium], clinician: Provider
) -> None:
    motion = members[0].propose(Kind.SUSPEND, clinician.account)
    members[0].approve(motion)
    members[0].withdraw(motion)
    assert members[1].approvers(motion) == ()


def test_approval_of_a_member_that_was_suspended_since_makes_no_majority(
    members: Sequence[Consortium], stage: Stage, clinician: Provider
) -> None:
    founder, second = members
    against = founder.propose(Kind.SUSPEND, clinician.account)
    second.approve(against)
    suspension = founder.propose(Kind.SUSPEND, second.account)
    for member in members:
        member.approve(suspension)
    founder.execute(suspension)
    assert not founder.has_majority(against)


def test_motion_to_admit_takes_the_organisations_own_wish(
    members: Sequence[Consortium], stranger: LocalSigner
) -> None:
    with pytest.raises(InvalidInput, match="an admission that the organisation signed"):
        members[0].propose(Kind.ADMIT, stranger.address, roles=Role.STEWARD)


def test_motion_to_admit_is_refused_when_it_names_another(
    members: Sequence[Consortium], stage: Stage, stranger: LocalSigner
) -> None:
    wish = Admission.sign(stage.contracts, stranger, key=KEY, profile=PROFILE)
    with pytest.raises(InvalidInput) as refused:
        members[0].propose(Kind.ADMIT, stage.b.account, admission=wish, roles=Role.STEWARD)
    assert refused.value.problem == (
        f"this is the admission of {stranger.address}, not of {stage.b.account}"
    )


def test_motion_that_names_roles_without_giving_them_is_refused(
    members: Sequence[Consortium], clinician: Provider
) -> None:
    with pytest.raises(InvalidInput, match="a motion to SUSPEND names no roles"):
        members[0].propose(Kind.SUSPEND, clinician.account, roles=Role.STEWARD)


def test_motion_about_nobody_is_refused(members: Sequence[Consortium]) -> None:
    with pytest.raises(InvalidInput, match="a motion to REINSTATE names an organisation"):
        members[0].propose(Kind.REINSTATE)


def test_member_pays_with_its_own_key_unless_another_is_named(
    stage: Stage, clinician: Provider
) -> None:
    seat = Consortium(stage.founder.signer, stage.contracts)
    before = stage.network.web3.eth.get_balance(stage.founder.account)
    seat.approve(seat.propose(Kind.SUSPEND, clinician.account))
    assert stage.network.web3.eth.get_balance(stage.founder.account) < before
    payer = Sender(stage.network, stage.chain.funded_signer())
    left = stage.network.web3.eth.get_balance(stage.founder.account)
    paid = Consortium(stage.founder.signer, stage.contracts, payer)
    paid.approve(paid.propose(Kind.SUSPEND, clinician.account))
    assert stage.network.web3.eth.get_balance(stage.founder.account) == left


# --- what an organisation publishes


def test_published_profile_is_in_force_and_served(
    clinician: Provider, ambulance: Provider, stage: Stage
) -> None:
    named = stage.contracts.account_id(stage.b.account)
    profile = OrganisationProfile(account=named, name="Hospital B, new wing", serial=2)
    clinician.publish(profile)
    assert ambulance.directory.profile(stage.b.account) == profile
    seat = Consortium(stage.b.signer, stage.contracts)
    found = {each.account: each for each in seat.organisations()}
    assert found[stage.b.account].key == stage.b.key  # as it was before


def test_profile_of_another_is_not_published(clinician: Provider, stage: Stage) -> None:
    named: AccountId = stage.contracts.account_id(stage.a.account)
    with pytest.raises(InvalidInput, match="this is the profile of"):
        clinician.publish(OrganisationProfile(account=named, name="Hospital A"))
