"""`medaccord account` in a wallet."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medaccord.core.identifiers import Address
from medaccord.keys import Keystore, LocalSigner, Passphrase, Seed, Wallet
from tests.e2e.commands import SECONDS, WORDS
from tests.integration.cli.conftest import LIGHT, Owner, Ward

NOWHERE = "http://127.0.0.1:9"
NOBODY = "0x000000000000000000000000000000000000dEaD"


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
        (("account", "restore", "key.json", "--in-wallet"), "the file key.json cannot be read"),
        (("account", "restore", "passphrase", "--in-wallet"), "neither the file of a key nor"),
        (
            ("account", "restore", "x", "--in-wallet", "--phrase-file", "passphrase"),
            "give either a FILE or --phrase-file",
        ),
        (("account", "backup", "copy"), "name the account and what to write"),
        (("account", "backup", NOBODY, "copy", "--in-wallet"), "name what to write alone"),
        (("account", "backup", "passphrase", "--in-wallet"), "passphrase is there already"),
        (("account", "restore", "--in-wallet", "--phrase-file", "passphrase"), "is there already"),
        (("account", "rotate", "0x12"), "0x12"),
    ],
)
def test_account_is_refused_in_one_line_when_it_is_called_wrongly(
    resident: Owner, arguments: tuple[str, ...], told: str
) -> None:
    assert told in resident.person.refused(*arguments, code=2)


def test_wallet_comes_back_and_says_so_when_no_gatekeeper_answers(
    resident: Owner, ward: Ward, tmp_path: Path
) -> None:
    other = ward.person(tmp_path / "other")
    file = other.secret_file("phrase", resident.wallet.unsafe_words())
    restore = ("account", "restore", "--in-wallet")
    said = other.run(*restore, "--phrase-file", file, MEDACCORD_GATEKEEPER=NOWHERE)
    assert said.code == 0
    assert "No gatekeeper was found" in said.output
    told = other.done(*restore)
    assert told["gatekeepers"] == {ward.stage.a.account: ward.url}
    assert [each["gatekeeper"] for each in told["accounts"]] == [ward.url]


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
    assert ward.controller(patient.account) == told["controller"]
    assert patient.person.done("inbox") == {"requests": []}
    again = patient.person.done("account", "rotate", patient.account)
    assert ward.controller(patient.account) == again["controller"] != told["controller"]


KILLED_BEFORE_IT_IS_NOTED = """
import os, signal, sys
from medaccord.cli import main
from medaccord.keys import Wallet
Wallet.rotated = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["medaccord", "account", "rotate"]
main()
"""


@pytest.mark.parametrize("again", [("rotate",), ("restore", "--in-wallet")], ids=" ".join)
def test_account_is_found_again_when_a_rotation_was_killed_before_the_wallet_knew(
    patient: Owner, ward: Ward, again: tuple[str, ...]
) -> None:
    following = patient.wallet.next_signer(patient.account).address
    asked = patient.person.command()
    asked["args"] = [sys.executable, "-c", KILLED_BEFORE_IT_IS_NOTED]
    killed = subprocess.run(**asked, capture_output=True, timeout=SECONDS, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, ""), killed.stderr
    assert ward.controller(patient.account) == following
    line = patient.person.refused("inbox")
    assert f"{following} controls {patient.account} now: `medaccord account restore" in line
    patient.person.done("account", *again)
    held = patient.wallet.signer(patient.account).address
    assert ward.controller(patient.account) == held
    assert (held == following) == (again[0] == "restore")
    assert patient.person.done("inbox") == {"requests": []}


# --- Files of keys and of wallets ---


def kept(owner: Owner, key: LocalSigner) -> Address:
    """Put a key into the keystore of somebody."""
    store = Keystore(owner.person.program_folder / "keystore", cost=LIGHT)
    return store.add(key, Passphrase(WORDS.encode()))


def test_wallet_comes_back_from_a_copy_with_what_no_phrase_brings_back(
    patient: Owner, ward: Ward, tmp_path: Path
) -> None:
    first, imported = patient.account, patient.wallet.import_account(LocalSigner.create()).account
    folder = tmp_path / "stick"
    folder.mkdir()
    made = patient.person.done("account", "backup", "--in-wallet", str(folder))
    assert made["file"] == str(folder / "wallet")
    other = ward.person(tmp_path / "other")
    told = other.done("account", "restore", made["file"], "--in-wallet")
    assert [each["account"] for each in told["accounts"]] == [first, imported]
    place = Path(other.settings["MEDACCORD_WALLET"])
    again = Wallet.open(place, Passphrase(WORDS.encode()))
    assert again.signer(imported).address == imported
    assert again.new_account().index == 2
    assert [each.name for each in folder.iterdir()] == ["wallet"]
    line = other.refused("account", "restore", made["file"], "--in-wallet", code=2)
    assert "is there already" in line


def test_copy_of_a_wallet_is_refused_and_leaves_nothing_when_the_node_is_down(
    patient: Owner, ward: Ward, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy")
    patient.person.done("account", "backup", "--in-wallet", copy)
    other = ward.person(tmp_path / "other")
    other.refused("account", "restore", copy, "--in-wallet", MEDACCORD_RPC_URL=NOWHERE)
    assert not Path(other.settings["MEDACCORD_WALLET"]).exists()


def test_copy_of_a_wallet_is_refused_when_it_is_damaged(
    patient: Owner, ward: Ward, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    patient.person.done("account", "backup", "--in-wallet", str(copy))
    copy.write_text(copy.read_text().replace('"nonce": "', '"nonce": "00', 1))
    other = ward.person(tmp_path / "other")
    line = other.refused("account", "restore", str(copy), "--in-wallet", code=2)
    assert f"{copy} is damaged" in line
    assert not Path(other.settings["MEDACCORD_WALLET"]).exists()


def test_account_of_the_keystore_is_taken_into_the_wallet_and_handed_to_a_key_of_its_phrase(
    newcomer: Owner, ward: Ward, tmp_path: Path
) -> None:
    person = newcomer.person
    account = kept(newcomer, LocalSigner.create())
    person.done("relationship", "enrol", ward.code(), "--account", account)
    person.done("relationship", "accept", "--account", account)
    copy = str(tmp_path / "key.json")
    person.done("account", "backup", account, copy)
    own = person.secret_file("own", WORDS)
    taken = person.done(*("account", "restore", copy, "--in-wallet", "--file-passphrase-file", own))
    assert (taken["account"], taken["origin"]) == (account, "imported")
    told = person.done("account", "rotate", account, "--in-wallet")
    assert ward.controller(account) == told["controller"]
    assert newcomer.wallet.signer(account).address == told["controller"]
    other = ward.person(tmp_path / "other")
    phrase = other.secret_file("phrase", newcomer.wallet.unsafe_words())
    found = other.done("account", "restore", "--in-wallet", "--phrase-file", phrase)
    assert [each["account"] for each in found["accounts"]] == [account]
    assert other.done("inbox") == {"requests": []}


def test_account_of_the_keystore_is_handed_to_a_fresh_key_of_it_time_and_again(
    newcomer: Owner, ward: Ward
) -> None:
    person = newcomer.person
    account = kept(newcomer, LocalSigner.create())
    person.done("relationship", "enrol", ward.code(), "--account", account)
    person.done("relationship", "accept", "--account", account)
    first = person.done("account", "rotate", account)["controller"]
    second = person.done("account", "rotate", account)["controller"]
    assert ward.controller(account) == second != first
    assert person.done("inbox", "--account", second, "--for", account) == {"requests": []}


def test_organisation_hands_its_account_to_a_fresh_key_and_pays_for_it(
    newcomer: Owner, ward: Ward
) -> None:
    founder = kept(newcomer, ward.stage.founder.signer)
    told = newcomer.person.done("account", "rotate", founder)
    assert ward.controller(founder) == told["controller"] != founder
    said = newcomer.person.run("account", "rotate", founder, *newcomer.pays_with()).output
    assert f"From now on: --account {ward.controller(founder)} --for {founder}." in said
