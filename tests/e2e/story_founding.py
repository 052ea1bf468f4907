"""How the story begins: a network is founded, gatekeepers start, a patient enrols at both."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.story_cast import Cast, Hospital, Seat, together
from tests.e2e.ward import BUNDLE, PATIENT_ID

ROLES = ("steward", "member", "emergency")


def makes_accounts(cast: Cast) -> str:
    """Everybody makes keys; a node starts, with money for who pays. The patient's phrase."""
    in_wallet = ("account", "new", "--in-wallet")
    payers = [cast.a.seat, cast.b.seat, cast.sister]
    made = together(
        *(partial(each.does, "account", "new") for each in payers),
        partial(cast.patient.does, *in_wallet, "--gatekeeper", cast.a.url),
        *(partial(each.does, *in_wallet) for each in (cast.sister, cast.new_phone)),
    )
    for seat, told in zip(payers[:2], made[:2], strict=True):  # the others sign with a wallet
        seat.settings["MEDACCORD_ACCOUNT"] = told["account"]
    cast.payer, cast.carer = made[2]["account"], made[4]["account"]
    money = [part for told in made[:3] for part in ("--fund", told["account"])]
    node = ("node", "--port", "0", *cast.world.node, *money)
    cast.node = cast.running.enter_context(cast.operator.person.running(*node))
    assert cast.node.told["chainId"] == 1337
    for seat in cast.everybody:
        seat.settings["MEDACCORD_RPC_URL"] = cast.node.url
    return str(made[3]["phrase"])


def found(cast: Cast) -> None:
    """A founds the network, and lets B in."""
    a, b = cast.a.seat, cast.b.seat
    deployed = a.does(
        *("deploy", "--name", "Hospital A", "--gatekeeper", cast.a.url, "--role", "steward"),
        *("--recovery-delay", "1", "--emergency-delay", "0"),
    )
    for seat in cast.everybody[1:]:
        folder = seat.person.program_folder / "deployments"
        folder.mkdir(parents=True)
        shutil.copy(deployed["record"], folder)  # anybody may have it, and needs it
    named = ("--name", "Hospital B", "--gatekeeper", cast.b.url)
    b.does("org", "wish", b.path("wish.json"), *named)
    wish = ("--wish", b.hands("wish.json", a))
    as_what = [part for role in ROLES for part in ("--role", role)]
    motion = a.does("org", "propose", "admit", *wish, *as_what)["motion"]
    a.does("org", "execute", motion, *wish)
    shown = cast.patient.does("org", "show", account(b))
    assert (sorted(shown["roles"]), shown["suspended"]) == (sorted(ROLES), False)
    cast.profile = str(Path(deployed["record"]).with_name(f"{account(a)}.profile.json"))


def open_for_patients(cast: Cast) -> tuple[str, str]:
    """Both protect their keys, make a code, and serve. The codes."""
    a, b = cast.a.seat, cast.b.seat
    for seat, url in zip((a, b), cast.world.databases, strict=False):
        seat.settings["MEDACCORD_DATABASE_URL"] = url
    # B's keys are encrypted from the beginning, A's as soon as there are some.
    b.settings["MEDACCORD_KEYS_PASSPHRASE_FILE"] = b.settings["MEDACCORD_PASSPHRASE_FILE"]
    made = together(
        partial(a.does, "relationship", "code", PATIENT_ID),
        partial(b.does, "relationship", "code", PATIENT_ID),
    )
    a.settings["MEDACCORD_KEYS_PASSPHRASE_FILE"] = a.settings["MEDACCORD_PASSPHRASE_FILE"]
    assert a.does("keys", "protect")["encrypted"] is True
    together(partial(cast.serve, cast.a), partial(cast.serve, cast.b))
    wish = json.loads(Path(b.path("wish.json")).read_text(encoding="utf-8"))
    Path(b.path("profile.json")).write_text(json.dumps(wish["organisation"]), encoding="utf-8")
    there = ("--gatekeeper", cast.a.url)
    together(
        partial(a.does, "org", "publish", cast.profile, *there),
        partial(b.does, "org", "publish", b.path("profile.json"), *there),
        partial(checks_itself, a),
        partial(checks_itself, b),
        partial(checks_itself, cast.patient, *there, absent=("store", "keystore")),
    )
    return made[0]["code"], made[1]["code"]


def checks_itself(seat: Seat, *options: str, absent: tuple[str, ...] = ()) -> None:
    """Nothing is wrong with somebody's machine."""
    told = seat.does("doctor", *options)
    assert {each["part"]: each["outcome"] for each in told["checks"]} == {
        each: "absent" if each in absent else "ok"
        for each in ("node", "deployment", "gatekeeper", "store", "keystore")
    }


def enrol(cast: Cast, codes: tuple[str, str]) -> tuple[str, str]:
    """The patient enrols at both with an account each, and both take records in. The accounts."""
    patient, there = cast.patient, [("--gatekeeper", each.url) for each in (cast.a, cast.b)]
    wrong = patient.fails("relationship", "enrol", "AAAA-AAAA-AAAA-AAAA", *there[0], code=2)
    assert wrong.endswith("this code enrols nobody: ask the steward for a new one")
    told = [
        patient.does("relationship", "enrol", code, *where)
        for code, where in zip(codes, there, strict=True)
    ]
    assert [each["steward"] for each in told] == [account(cast.a.seat), account(cast.b.seat)]
    at_a, at_b = (str(each["account"]) for each in told)
    assert at_a != at_b
    together(*(partial(patient.does, "relationship", "accept", *where) for where in there))
    taken_in = together(*(partial(imports, each) for each in (cast.a, cast.b)))
    assert [each["patients"] for each in taken_in] == [1, 1]
    held = patient.does("account", "list", "--in-wallet")["accounts"]
    assert {each["account"]: each["gatekeeper"] for each in held} == {
        at_a: cast.a.url,
        at_b: cast.b.url,
    }
    return at_a, at_b


def imports(hospital: Hospital) -> Any:
    """Take in what the hospital has of the patient, beside the gatekeeper that serves."""
    (told,) = hospital.seat.does("records", "import", str(BUNDLE))["files"]
    return told


def account(seat: Seat) -> str:
    """Of an organisation."""
    return seat.settings["MEDACCORD_ACCOUNT"]
