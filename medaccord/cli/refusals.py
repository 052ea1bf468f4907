"""What a contract's refusal means to whoever typed the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from medaccord.core.errors import ContractReverted

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AlreadyAdmitted": "the organisation was admitted before: see `medaccord org show`",
        "AlreadySuspended": "the organisation is suspended already",
        "ConsentKnown": "this consent was granted or revoked before: grant it anew",
        "ConsentRevokedAlready": "this consent was revoked before: there is nothing left to do",
        "ConsentTooLong": "no consent lasts that long on this network: end it earlier",
        "DeadlinePassed": "what was signed is too old: run the command again",
        "DelegationEnded": "the powers would have ended already: name a later end",
        "EmergencyBarred": "the patient barred this organisation from emergency access",
        "EmergencyForbiddenBy": "the patient forbids all emergency access",
        "EmergencyOpenAlready": "emergency access is open already: use it",
        "GuardianIsController": "a guardian is the account's own key: choose somebody else",
        "InvalidDelegation": "these powers cannot be given to that key: name another one",
        "InvalidEmergencyWindow": "emergency access never lasts that long here: open it for less",
        "InvalidWindow": "the time is over, or ends before it begins: name a later end",
        "LastMember": "nobody would be left to decide: admit another member first",
        "MotionExecutedAlready": "the motion was carried out before",
        "NoEmergencyRole": "this organisation may open no emergency access, or not yet",
        "NoMajority": "too few members approve it: ask others for `medaccord org approve`",
        "NoRecovery": "no recovery of the account is under way",
        "NotActiveOrganisation": "the organisation is not admitted, or is suspended",
        "NotAdmitted": "the organisation was never admitted: propose to admit it",
        "NotApproved": "a member withdrew its approval meanwhile: run the command again",
        "NotAuthorised": "this key may not do that for the account: use its own, or give it powers",
        "NotController": "only the account's own key of now may do that, and no delegate's",
        "NotGuardian": "somebody who signed is no guardian: see `medaccord guardians show`",
        "NotMember": "this account is no active member, and only members decide",
        "NotOwnProposal": "the other side proposed it: decline it",
        "NotSteward": "that organisation keeps no records, or is suspended",
        "NotSuspended": "the organisation is not suspended",
        "NothingToAllow": "nothing is forbidden to them: there is nothing to allow",
        "OutlivesDelegation": "a delegate allows nothing beyond its own end: end it earlier",
        "OwnProposal": "your own side proposed it: wait for the answer of the other one",
        "RecoveryNotReady": "the delay has not run yet: complete it later",
        "RecoveryPending": "a recovery of the account is under way: see `medaccord recover show`",
        "TooFewGuardians": "too few guardians signed: ask more of them",
        "VoteCast": "this member voted so before, or withdrew: a vote is cast once",
        "WrongGuardians": "the account has other guardians by now: ask those",
        "WrongState": "that does not go with how it stands: see `medaccord relationship list`",
    }
)
"""By the name of a contract's error: one line, what is wrong and what to do."""


@contextmanager
def explained() -> Iterator[None]:
    """Say what a refusal within the block means, with the contract's own words behind it.

    Raises:
        ContractReverted: a contract refused.
    """
    try:
        yield
    except ContractReverted as error:
        meaning = MEANINGS.get(type(error).__name__)
        if meaning is None:
            raise
        raise ContractReverted(f"{meaning} ({error})") from error
