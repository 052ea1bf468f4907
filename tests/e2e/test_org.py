"""`medaccord org`: admitting an organisation from its wish to its place, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medaccord.core.identifiers import hex_digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.keys import Keystore
from tests.e2e.commands import WORDS
from tests.e2e.ward import Ward

UNKNOWN = "0x" + 64 * "7"
NOBODY = "0x" + 40 * "1"


def test_organisation_is_admitted_from_its_wish(ward: Ward) -> None:
    listed = ward.stranger.person.done("org", "list")["organisations"]
    assert [each["account"] for each in listed] == [ward.a.account, ward.b.account]
    shown = [ward.stranger.person.done("org", "show", each["account"]) for each in listed]
    assert shown == listed
    b = ward.admitted
    assert b["roles"] == ["member", "steward", "emergency"]
    assert b["suspended"] is False
    wish = json.loads(ward.wish.read_text(encoding="utf-8"))
    profile = OrganisationProfile.parse(wish["organisation"])
    assert (profile.name, hex_digest(profile.hash)) == ("Hospital B", b["profile"])
    beside = ward.wish.with_name(f"{ward.b.account}.profile.json")
    assert OrganisationProfile.parse(beside.read_bytes()) == profile
    keys = Keystore(ward.b.person.program_folder / "keystore").x25519_keys()
    assert b["key"] in [hex_digest(each) for each in keys]


def test_motion_says_what_it_did_on_the_chain(ward: Ward) -> None:
    assert ward.motion["kind"] == "admit"
    assert ward.motion["account"] == ward.b.account
    events = ward.motion["events"]
    assert isinstance(events, list)
    assert [each["event"] for each in events] == ["MotionApproved"]


def test_members_suspend_and_reinstate_by_majority(ward: Ward) -> None:
    a, b = ward.a.person, ward.b.person
    motion = a.done("org", "propose", "roles", ward.b.account, *_roles("member", "steward"))
    shown = b.done("org", "show", motion["motion"])
    assert (shown["approvers"], shown["majority"]) == ([ward.a.account], False)
    early = a.refused("org", "execute", motion["motion"])
    assert early.startswith("too few members approve it: ask others for `medaccord org approve`")
    voted = b.done("org", "approve", motion["motion"])
    assert (voted["approvals"], voted["majority"]) == (2, True)
    taken_back = b.done("org", "withdraw", motion["motion"])
    assert (taken_back["approvals"], taken_back["majority"]) == (1, False)
    open_ = [each["motion"] for each in a.done("org", "list", "--motions")["motions"]]
    assert motion["motion"] in open_

    again = a.done("org", "propose", "roles", ward.b.account, *_roles("member", "emergency"))
    b.done("org", "approve", again["motion"])
    a.done("org", "execute", again["motion"])
    assert a.done("org", "show", ward.b.account)["roles"] == ["member", "emergency"]
    back = a.done(
        *("org", "propose", "roles", ward.b.account),
        *_roles("member", "steward", "emergency"),
    )
    b.done("org", "approve", back["motion"])
    b.done("org", "execute", back["motion"])
    assert a.done("org", "show", ward.b.account)["roles"] == ["member", "steward", "emergency"]


def _roles(*names: str) -> tuple[str, ...]:
    return tuple(part for name in names for part in ("--role", name))


def test_profile_is_registered_and_brought_to_the_gatekeeper(ward: Ward) -> None:
    b = ward.b.person
    named = ward.contracts.account_id(ward.b.account)
    profile = OrganisationProfile(account=named, name="Hospital B, new wing", serial=2)
    file = b.home / "profile.json"
    file.write_text(json.dumps(profile.document()), encoding="utf-8")
    told = b.done("org", "publish", str(file))
    assert told["profile"] == hex_digest(profile.hash)
    assert b.done("org", "publish", str(file))["receipt"] is None
    with ward.provider() as provider:
        assert provider.directory.profile(ward.b.account) == profile


BAD = {
    "no kind": (("propose", "abolish"), 2, "invalid value for 'WHAT'"),
    "nobody": (("propose", "suspend"), 2, "a motion to SUSPEND names an organisation"),
    "no wish": (("propose", "admit", "--role", "steward"), 2, "to admit takes --wish"),
    "no roles": (("propose", "roles", NOBODY), 2, "which roles? Name each with --role"),
    "no such wish": (
        ("propose", "admit", "--wish", "none.json", "--role", "steward"),
        2,
        "the wish none.json cannot be read: No such file",
    ),
    "no id": (("approve", "0x12"), 2, "not 32 bytes in hexadecimal"),
    "unknown motion": (("approve", UNKNOWN), 2, f"no motion {UNKNOWN} is open"),
    "unknown motion to withdraw": (("withdraw", UNKNOWN), 2, f"no motion {UNKNOWN} is open"),
    "unknown motion to do": (("execute", UNKNOWN), 2, f"no motion {UNKNOWN} is open"),
    "unknown motion to show": (("show", UNKNOWN), 2, f"no motion {UNKNOWN} is open"),
    "unknown organisation": (("show", NOBODY), 2, "was never admitted here"),
    "no address": (("show", "0x12"), 2, "not an address"),
    "two names": (
        ("wish", "w.json", "--name", "A", "--profile", "p.json"),
        2,
        "give either --profile, or --name and --gatekeeper, not both",
    ),
    "no profile": (
        ("wish", "w.json", "--profile", "p.json", "--key", UNKNOWN),
        2,
        "the profile p.json cannot be read",
    ),
    "unknown option": (("list", "--all"), 2, "no such option"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(ward: Ward, name: str) -> None:
    arguments, code, says = BAD[name]
    assert says in ward.a.person.refused("org", *arguments, code=code)


def test_motion_of_somebody_who_is_no_member_is_refused(ward: Ward) -> None:
    told = ward.stranger.person.refused("org", "propose", "suspend", ward.b.account)
    assert told.startswith("this account is no active member, and only members decide")


def test_wish_that_was_changed_is_refused(ward: Ward, tmp_path: Path) -> None:
    wish = json.loads(ward.wish.read_text(encoding="utf-8"))
    wish["organisation"]["name"] = "Hospital C"
    changed = tmp_path / "wish.json"
    changed.write_text(json.dumps(wish), encoding="utf-8")
    told = ward.a.person.refused(
        "org", "propose", "admit", "--wish", str(changed), "--role", "steward"
    )
    assert told == "what was signed is about another profile than the one in it"


def test_wish_file_that_is_something_else_is_refused(ward: Ward, tmp_path: Path) -> None:
    file = tmp_path / "wish.json"
    file.write_text(WORDS, encoding="utf-8")
    told = ward.a.person.refused(
        *("org", "propose", "admit", "--wish", str(file), "--role", "steward"), code=2
    )
    assert told.startswith(f"the wish {file}: ")
