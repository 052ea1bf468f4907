"""`medaccord guardians` and `medaccord recover`."""

from __future__ import annotations

from pathlib import Path

import pytest

from medaccord.core.identifiers import Address
from tests.e2e.commands import Person
from tests.integration.cli.conftest import MakeOwner, Owner, Ward

NOBODY = "0x000000000000000000000000000000000000dEaD"


class Family:
    """Three people whom the patient trusts, and the papers that go between them."""

    def __init__(self, patient: Owner, owner: MakeOwner, papers: Path) -> None:
        self.members = [owner(name) for name in ("sister", "brother", "friend")]
        self.papers = papers
        self.cards = [str(papers / f"card-{index}.json") for index in range(3)]
        for member, card in zip(self.members, self.cards, strict=True):
            member.person.done("guardians", "card", card)
        self.chosen = patient.person.done(
            *("guardians", "choose", *self.cards, "--threshold", "2"),
            *("--out", str(papers / "out")),
        )
        for member in self.members:
            (kept,) = member.wallet.guardianships()
            member.person.done("guardians", "take", self.chosen["files"][kept.guardian])

    def approve(self, request: str) -> list[str]:
        """Two of them approve a request."""
        files = []
        for index, member in enumerate(self.members[:2]):
            file = str(self.papers / f"approval-{index}.json")
            member.person.done("recover", "approve", request, "--file", file, "--yes")
            files.append(file)
        return files


@pytest.fixture
def family(patient: Owner, owner: MakeOwner, tmp_path: Path) -> Family:
    return Family(patient, owner, tmp_path)


def asked_for(who: Person, account: Address, file: Path) -> str:
    who.done("recover", "request", account, "--file", str(file))
    return str(file)


def test_lost_account_comes_back_to_a_new_phone_when_two_guardians_approve(
    patient: Owner, owner: MakeOwner, family: Family, ward: Ward, tmp_path: Path
) -> None:
    account = patient.account
    shown = patient.person.done("guardians", "show")
    assert (shown["own"]["account"], shown["own"]["threshold"]) == (account, 2)
    assert len(shown["own"]["guardians"]) == 3
    guarded = family.members[0].person.done("guardians", "show")["guarded"]
    assert [each["account"] for each in guarded] == [account]

    phone = owner("new-phone")
    request = asked_for(phone.person, account, tmp_path / "request.json")
    approvals = family.approve(request)
    payer = phone.pays_with()
    assert "2 guardians" in phone.person.refused("recover", "start", approvals[0], *payer, code=2)
    started = phone.person.done("recover", "start", *approvals, *payer)
    assert started["readyAt"] is not None
    under_way = phone.person.done("recover", "show", account)
    assert under_way["newController"] == phone.wallet.signer(account).address
    phone.person.done("recover", "complete", account, "--wait", "60", *payer)
    assert ward.controller(account) == phone.wallet.signer(account).address
    again = phone.person.done("recover", "complete", account)
    assert again == {"account": account, "index": phone.wallet.account(account).index}
    assert phone.person.done("inbox") == {"requests": []}
    patient.person.refused("inbox")


def test_recovery_that_somebody_else_asked_for_is_stopped_with_one_guardian(
    patient: Owner, owner: MakeOwner, family: Family, ward: Ward, tmp_path: Path
) -> None:
    thief = owner("thief")
    approvals = family.approve(asked_for(thief.person, patient.account, tmp_path / "request.json"))
    thief.person.done("recover", "start", *approvals, *thief.pays_with())
    line = patient.person.refused("inbox")
    assert f"a recovery of {patient.account} is running" in line
    assert "stop it" in line
    objection = str(tmp_path / "objection.json")
    family.members[2].person.done("recover", "object", patient.account, "--file", objection)
    patient.person.done("recover", "cancel", objection, *patient.pays_with())
    assert patient.person.done("recover", "show", patient.account)["readyAt"] is None
    assert ward.controller(patient.account) == patient.account


def test_papers_of_a_guardian_are_written_again_when_they_were_lost(
    patient: Owner, family: Family, tmp_path: Path
) -> None:
    told = patient.person.done(
        *("guardians", "hand-out", family.cards[0], "--out", str(tmp_path / "again"))
    )
    (paper,) = told["files"].values()
    taken = family.members[0].person.done("guardians", "take", paper)
    assert taken["account"].endswith(patient.account)
    line = family.members[1].person.refused("guardians", "take", paper)
    assert line


def test_guardians_are_refused_in_one_line_when_the_papers_are_not_what_they_should_be(
    patient: Owner, owner: MakeOwner, tmp_path: Path
) -> None:
    person = patient.person
    sister = owner("sister").person
    card, out = str(tmp_path / "card.json"), str(tmp_path / "out")
    sister.done("guardians", "card", card)
    choose = ("guardians", "choose", card, "--out", out)
    assert "2 of 1 guardians" in person.refused(*choose, "--threshold", "2", code=2)
    assert "came twice" in person.refused(*choose, card, "--threshold", "1", code=2)
    assert "no-such" in person.refused(
        "guardians", "choose", "no-such", "--out", out, "--threshold", "1", code=2
    )
    own = str(tmp_path / "own.json")
    person.done("guardians", "card", own)
    line = person.refused("guardians", "choose", own, "--out", out, "--threshold", "1", code=2)
    assert "key of your own" in line
    assert "has no guardians" in person.refused("guardians", "hand-out", card, "--out", out, code=2)
    person.refused("guardians", "take", card, code=2)
    none = {"account": patient.account, "threshold": 0, "guardians": []}
    assert person.done("guardians", "show") == {"own": none, "guarded": []}
    assert sister.done("guardians", "show") == {"own": None, "guarded": []}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("recover", "request", "0x12", "--file", "x"), 2, "0x12"),
        (("recover", "approve", "no-such", "--file", "x", "--yes"), 2, "no-such"),
        (("recover", "object", NOBODY, "--file", "x"), 1, "guards no account"),
        (("recover", "start", "no-such"), 2, "who pays?"),
        (("recover", "complete", NOBODY), 1, "holds no key of"),
        (("recover", "cancel", "no-such"), 2, "who pays?"),
        (("recover", "show", "0x12"), 2, "0x12"),
    ],
)
def test_recovery_is_refused_in_one_line_when_it_is_called_wrongly(
    resident: Owner, arguments: tuple[str, ...], code: int, told: str
) -> None:
    assert told in resident.person.refused(*arguments, code=code)


def test_approving_is_refused_when_nobody_is_there_to_be_asked_who_asks(
    patient: Owner, owner: MakeOwner, family: Family, tmp_path: Path
) -> None:
    request = asked_for(owner("phone").person, patient.account, tmp_path / "request.json")
    line = family.members[0].person.refused("recover", "approve", request, "--file", "x", code=2)
    assert "--yes" in line
