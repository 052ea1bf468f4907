"""`medaccord account` in a wallet, `medaccord guardians` and `medaccord recover`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from medaccord.client import Patient
from medaccord.core.identifiers import Address
from medaccord.keys import Seed
from tests.e2e.commands import Person
from tests.integration.cli.conftest import MakeOwner, Owner, Ward

NOBODY = "0x000000000000000000000000000000000000dEaD"


def controller(ward: Ward, account: Address) -> str:
    return str(ward.contracts.call("Registry", "controllerOf", account))


# --- Accounts ---


def test_wallet_is_made_with_its_first_account_and_tells_its_phrase_once(
    ward: Ward, tmp_path: Path
) -> None:
    person = ward.person(tmp_path / "home")
    first = person.done("account", "new", "--in-wallet")
    assert first["account"] == Seed.parse(first["phrase"]).account(0).address
    second = person.done("account", "new", "--in-wallet")
    assert "phrase" not in second
    assert second["account"] == Seed.parse(first["phrase"]).account(1).address
    listed = person.done("account", "list", "--in-wallet")["accounts"]
    assert [each["account"] for each in listed] == [first["account"], second["account"]]
    assert {each["gatekeeper"] for each in listed} == {ward.url}


def test_phrase_is_shown_to_be_written_down_when_a_person_makes_a_wallet(
    ward: Ward, tmp_path: Path
) -> None:
    said = ward.person(tmp_path / "home").run("account", "new", "--in-wallet").output
    assert len(said.splitlines()[2].split()) == 12
    assert "Write these words on paper" in said


def test_wallet_is_not_kept_when_its_phrase_cannot_be_shown(ward: Ward, tmp_path: Path) -> None:
    person = ward.person(tmp_path / "home")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        asked = person.command("account", "new", "--in-wallet")
        ended = subprocess.run(**asked, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert not Path(person.settings["MEDACCORD_WALLET"]).exists()
    assert "phrase" in person.done("account", "new", "--in-wallet")


def test_wallet_comes_back_from_its_phrase_with_consents_and_what_they_cover(
    patient: Owner, ward: Ward, tmp_path: Path
) -> None:
    patient.person.done("grant", patient.asked_by_b(), "--yes")
    other = ward.person(tmp_path / "other")
    file = other.secret_file("phrase", patient.wallet.unsafe_words())
    told = other.done("account", "restore", "--in-wallet", "--phrase-file", file)
    assert [each["account"] for each in told["accounts"]] == [patient.account]
    assert told["consents"] == 1
    assert other.done("consents")["consents"] == patient.person.done("consents")["consents"]


def test_wallet_is_brought_up_to_date_when_it_is_there_already(resident: Owner) -> None:
    told = resident.person.done("account", "restore", "--in-wallet")
    assert [each["account"] for each in told["accounts"]] == [resident.account]


def test_account_of_a_wallet_is_shown_with_its_name_for_others(resident: Owner) -> None:
    told = resident.person.done("account", "show", resident.account, "--in-wallet", "--qr")
    assert told["qr"] == str(resident.ward.contracts.account_id(resident.account))
    assert told["gatekeeper"] == resident.ward.url
    line = resident.person.refused("account", "show", NOBODY, "--in-wallet")
    assert line.startswith(f"the wallet holds no key of {NOBODY}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("account", "restore"), "from what?"),
        (("account", "restore", "key.json", "--in-wallet"), "not from a file of a key"),
        (("account", "restore", "--in-wallet", "--phrase-file", "passphrase"), "is there already"),
        (("account", "rotate", "0x12"), "0x12"),
    ],
)
def test_account_is_refused_in_one_line_when_it_is_called_wrongly(
    resident: Owner, arguments: tuple[str, ...], told: str
) -> None:
    assert told in resident.person.refused(*arguments, code=2)


def test_restoring_is_refused_and_leaves_nothing_when_the_words_are_no_phrase(
    ward: Ward, tmp_path: Path
) -> None:
    person = ward.person(tmp_path / "home")
    file = person.secret_file("phrase", "abandon abandon abandon")
    line = person.refused("account", "restore", "--in-wallet", "--phrase-file", file, code=2)
    assert line.startswith("these words are no seed phrase")
    assert not Path(person.settings["MEDACCORD_WALLET"]).exists()


def test_restoring_is_refused_when_there_is_no_terminal_to_type_the_phrase_on(
    ward: Ward, tmp_path: Path
) -> None:
    line = ward.person(tmp_path / "home").refused("account", "restore", "--in-wallet", code=2)
    assert "--phrase-file" in line


def test_account_is_handed_to_a_fresh_key_of_the_wallet_and_goes_on(
    patient: Owner, ward: Ward
) -> None:
    before = patient.wallet.signer(patient.account).address
    told = patient.person.done("account", "rotate")
    assert told["controller"] != before
    assert controller(ward, patient.account) == told["controller"]
    assert patient.person.done("inbox") == {"requests": []}
    again = patient.person.done("account", "rotate", patient.account)
    assert controller(ward, patient.account) == again["controller"] != told["controller"]


def test_account_is_rotated_again_when_the_last_time_was_stopped_before_it_was_noted(
    patient: Owner, ward: Ward
) -> None:
    following = patient.wallet.next_signer(patient.account).address
    with Patient(patient.wallet.signer(patient.account), ward.contracts, ward.url) as client:
        client.recovery.rotate(following)
    told = patient.person.done("account", "rotate")
    assert controller(ward, patient.account) == told["controller"] != following


# --- Guardians ---


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
    assert controller(ward, account) == phone.wallet.signer(account).address
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
    objection = str(tmp_path / "objection.json")
    family.members[2].person.done("recover", "object", patient.account, "--file", objection)
    patient.person.done("recover", "cancel", objection, *patient.pays_with())
    assert patient.person.done("recover", "show", patient.account)["readyAt"] is None
    assert controller(ward, patient.account) == patient.account


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
