"""`medaccord deploy` and `medaccord doctor` against a node that another process runs."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medaccord.chain import Contracts, Deployment, Network, Role, connect
from medaccord.core.identifiers import AccountId, Address, address, hex_digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.keys import Keystore, LocalSigner, Passphrase
from tests.e2e.commands import WORDS, Person, Service

LIGHT = 2**12
"""Work of scrypt: keys of a test need not last."""

KEY = "0x" + 32 * "11"
NAME = "St. Mary's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Developer:
    """Somebody with a node, and a hospital's key in the keystore.

    Attributes:
        person: at their machine.
        node: runs.
        hospital: has money there.
    """

    person: Person
    node: Service
    hospital: Address

    @property
    def funded(self) -> str:
        """The key that the node gave money to."""
        return Path(self.node.told["keyFile"]).read_text(encoding="ascii").strip()

    def records(self) -> list[str]:
        """What lies in the folder of records."""
        folder = self.person.program_folder / "deployments"
        return sorted(each.name for each in folder.glob("*")) if folder.exists() else []

    def contracts(self, record: str) -> Contracts:
        return connect(Network.connect(self.node.url), Deployment.load(Path(record)))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, LocalSigner]]:
    """One node for the module, and a key that it gave money to."""
    hospital = LocalSigner.create()
    home = tmp_path_factory.mktemp("node")
    with Person(home=home).running("node", "--port", "0", "--fund", hospital.address) as service:
        yield service, hospital


@pytest.fixture
def developer(node: tuple[Service, LocalSigner], tmp_path: Path) -> Developer:
    service, hospital = node
    person = Person(home=tmp_path, settings={"MEDACCORD_RPC_URL": service.url})
    store = Keystore(person.program_folder / "keystore", cost=LIGHT)
    store.add(hospital, Passphrase(WORDS.encode()))
    person.settings["MEDACCORD_PASSPHRASE_FILE"] = person.passphrase_file
    return Developer(person=person, node=service, hospital=hospital.address)


def test_contracts_are_deployed_and_every_command_finds_them(developer: Developer) -> None:
    person = developer.person
    told = person.done(
        *("deploy", "--account", developer.hospital, "--name", NAME, "--role", "steward"),
        *("--emergency-delay", "0", "--gatekeeper", "http://127.0.0.1:8080"),
    )
    record, genesis = Path(told["record"]), developer.node.told["genesisHash"]
    assert record.name == f"{genesis}.json"
    assert developer.records() == sorted([record.name, f"{developer.hospital}.profile.json"])
    text = record.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"

    contracts = developer.contracts(told["record"])
    assert told["contracts"] == {
        name: each.address for name, each in contracts.deployment.contracts.items()
    }
    assert (told["chainId"], told["genesisHash"]) == (1337, genesis)
    assert told["founder"] == developer.hospital
    profile = OrganisationProfile.parse(Path(told["profileFile"]).read_bytes())
    assert (profile.name, profile.gatekeeper) == (NAME, "http://127.0.0.1:8080")
    roles = contracts.call("Registry", "hasRole", developer.hospital, int(Role.STEWARD))
    assert roles is True
    store = Keystore(person.program_folder / "keystore")
    assert [hex_digest(each) for each in store.x25519_keys()] == [told["key"]]

    checks = {each["part"]: each for each in person.done("doctor")["checks"]}
    assert checks["deployment"]["outcome"] == "ok"
    assert checks["deployment"]["told"] == f"{record}: 5 contracts, 1 active members"

    again = person.refused("deploy", "--account", developer.hospital, "--name", NAME, code=2)
    assert again.startswith(f"{record} is there already, and a record is never overwritten")
    assert record.read_text(encoding="utf-8") == text


def test_another_pays_and_the_record_goes_where_it_is_said(developer: Developer) -> None:
    person = developer.person
    out = person.home / "records" / "mine.json"
    identity = AccountId(chain_id=1337, address=developer.hospital)
    file = person.home / "hospital.json"
    document = OrganisationProfile(account=identity, name=NAME).document()
    file.write_text(json.dumps(document), encoding="utf-8")
    told = person.done(
        *("deploy", "--unsafe-key", "--founder", developer.hospital, "--profile", str(file)),
        *("--key", KEY, "--out", str(out)),
        MEDACCORD_PRIVATE_KEY=developer.funded,
    )
    assert (told["record"], told["profileFile"], told["key"]) == (str(out), str(file), KEY)
    payer = address(developer.node.told["account"])
    deployed = developer.contracts(str(out)).deployment.contracts.values()
    assert {each.deployer for each in deployed} == {payer}
    assert developer.records() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "who pays? Name an account of the keystore with --account"),
        (("--unsafe-key",), "MEDACCORD_PRIVATE_KEY is not set"),
        (("--account", "HOSPITAL"), "which organisation? Give its --name"),
        (("--account", "HOSPITAL", "--name", "A", "--profile", "x"), "give either --profile, or"),
        (("--account", "HOSPITAL", "--profile", "x"), "the profile x cannot be read: No such file"),
        (("--account", "HOSPITAL", "--name", "A", "--key", "0x12"), "not 32 bytes in hexadecimal"),
        (("--account", "HOSPITAL", "--out", "/dev/null/x"), "no record can be written to"),
        (("--account", "0x12", "--name", "A"), "--account is '0x12': it should be 0x and 40 hex"),
    ],
)
def test_bad_input_gets_one_line_and_leaves_no_record(
    developer: Developer, arguments: tuple[str, ...], says: str
) -> None:
    given = [developer.hospital if each == "HOSPITAL" else each for each in arguments]
    assert says in developer.person.refused("deploy", *given, code=2)
    assert developer.records() == []


def test_profile_that_is_there_is_never_overwritten(developer: Developer) -> None:
    person, out = developer.person, developer.person.home / "record.json"
    profile = person.home / f"{developer.hospital}.profile.json"
    profile.write_text("{}", encoding="utf-8")
    asked = ("--account", developer.hospital, "--name", NAME, "--out", str(out))
    assert f"{profile} is another profile of it" in person.refused("deploy", *asked, code=2)
    assert profile.read_text(encoding="utf-8") == "{}"
    assert not out.exists()


def test_record_that_a_killed_deployment_left_empty_is_written(developer: Developer) -> None:
    out = developer.person.home / "record.json"
    out.touch()
    asked = ("--account", developer.hospital, "--name", NAME, "--key", KEY, "--out", str(out))
    told = developer.person.done("deploy", *asked)
    assert developer.contracts(told["record"]).address("Registry") == told["contracts"]["Registry"]


def test_record_that_another_deployment_writes_is_left_to_it(developer: Developer) -> None:
    out = developer.person.home / "record.json"
    asked = ("--account", developer.hospital, "--name", NAME, "--key", KEY, "--out", str(out))
    with out.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = developer.person.refused("deploy", *asked, code=2)
    assert said == f"another deployment writes {out}: name another with --out"
    assert out.exists()


@pytest.mark.parametrize(
    ("span", "says"),
    [
        ("--recovery-delay=0", "greater than or equal to 1"),
        ("--max-consent-span=0", "greater than or equal to 1"),
        ("--emergency-delay=4294967296", "less than or equal to 4294967295"),
        ("--max-emergency=99999999999999999999", "less than or equal to 4294967295"),
    ],
)
def test_span_that_no_contract_takes_is_bad_input(
    developer: Developer, span: str, says: str
) -> None:
    assert says in developer.person.refused("deploy", span, "--name", NAME, code=2)


def test_account_without_a_key_gets_one_line_and_leaves_no_record(developer: Developer) -> None:
    stranger = LocalSigner.create().address
    said = developer.person.refused("deploy", "--account", stranger, "--name", NAME)
    assert f"holds no key of {stranger}" in said
    assert developer.records() == []


def test_payer_without_money_gets_one_line_and_leaves_no_record(developer: Developer) -> None:
    poor = "0x" + LocalSigner.create().unsafe_key().hex()
    arguments = ("deploy", "--unsafe-key", "--name", NAME, "--key", KEY)
    said = developer.person.refused(*arguments, MEDACCORD_PRIVATE_KEY=poor)
    assert "insufficient funds" in said
    assert [each for each in developer.records() if not each.endswith(".profile.json")] == []


def test_other_chain_than_the_one_that_is_set_is_refused(developer: Developer) -> None:
    said = developer.person.refused("deploy", "--name", NAME, code=2, MEDACCORD_CHAIN_ID="1")
    assert said.startswith("the node is on chain 1337, and MEDACCORD_CHAIN_ID says 1")


# --- doctor ---


def findings(told: Any) -> dict[str, str]:
    return {each["part"]: each["outcome"] for each in told["checks"]}


def test_doctor_says_what_is_set_and_where_it_is_from(developer: Developer) -> None:
    person = developer.person
    (person.home / ".env").write_text("MEDACCORD_CONFIRMATIONS=3\n", encoding="utf-8")
    ended = person.run("doctor", "--json", "--account", developer.hospital)
    told = json.loads(ended.output)
    origins = {each["variable"]: (each["value"], each["origin"]) for each in told["settings"]}
    assert origins["MEDACCORD_RPC_URL"] == (developer.node.url, "environment")
    assert origins["MEDACCORD_CONFIRMATIONS"] == ("3", ".env")
    assert origins["MEDACCORD_ACCOUNT"] == (developer.hospital, "flag")
    assert origins["MEDACCORD_PORT"] == ("8080", "default")
    assert findings(told) == {
        "node": "ok",
        "deployment": "failed",
        "gatekeeper": "absent",
        "store": "absent",
        "keystore": "ok",
    }
    assert all(each["todo"] for each in told["checks"] if each["outcome"] != "ok")
    assert ended.code == 1
    assert list((person.program_folder).iterdir()) == [person.program_folder / "keystore"]


def test_doctor_says_what_fails_on_a_line_each(developer: Developer) -> None:
    person = developer.person
    junk = person.home / "junk.db"
    junk.write_bytes(b"no database" * 1000)
    ended = person.run(
        *("doctor", "--rpc-url", "http://127.0.0.1:9", "--gatekeeper", "http://127.0.0.1:9"),
        *("--database-url", f"sqlite:///{junk}", "--account", "0x" + 40 * "1"),
    )
    assert (ended.code, ended.errors) == (1, "")
    lines = ended.output.splitlines()
    found = {line.split()[1].rstrip(":"): line for line in lines[lines.index("") + 1 :]}
    assert found.keys() == {"node", "deployment", "gatekeeper", "store", "keystore"}
    assert found["node"].startswith(
        "failed    node: no Ethereum node answers at http://127.0.0.1:9"
    )
    assert found["deployment"].startswith("untested  deployment: the node does not answer")
    assert found["gatekeeper"].startswith(
        "failed    gatekeeper: none answers at http://127.0.0.1:9"
    )
    assert (
        found["store"].startswith(f"failed    store: the database {junk}")
        or junk.name in found["store"]
    )
    assert "holds no key of 0x1111" in found["keystore"]
    assert all(" -> " in line for line in found.values())


def test_doctor_shows_no_password(developer: Developer) -> None:
    url = "postgresql://records:secret@127.0.0.1:9/records"
    ended = developer.person.run("doctor", "--database-url", url, "--json")
    assert "secret" not in ended.output + ended.errors
    assert findings(json.loads(ended.output))["store"] == "failed"


def test_doctor_finds_a_passphrase_that_does_not_fit(developer: Developer) -> None:
    wrong = developer.person.secret_file("wrong", "something else")
    ended = developer.person.run(
        *("doctor", "--account", developer.hospital, "--json"), MEDACCORD_PASSPHRASE_FILE=wrong
    )
    (keystore,) = [
        each for each in json.loads(ended.output)["checks"] if each["part"] == "keystore"
    ]
    assert keystore["outcome"] == "failed"
    assert "the passphrase does not open" in keystore["told"]


# --- accounts ---


def test_account_is_backed_up_and_restored(developer: Developer) -> None:
    person, elsewhere = developer.person, str(developer.person.home / "elsewhere")
    copy = str(person.home / "copy.json")
    told = person.done("account", "backup", developer.hospital, copy)
    assert told == {"account": developer.hospital, "file": copy}
    assert Path(copy).stat().st_mode & 0o777 == 0o600
    restored = person.done("account", "restore", copy, "--keystore", elsewhere)
    assert restored["account"] == developer.hospital
    opened = Keystore(Path(elsewhere)).unlock(developer.hospital, Passphrase(WORDS.encode()))
    assert opened.address == developer.hospital
    assert "is there already" in person.refused(
        "account", "backup", developer.hospital, copy, code=2
    )


def test_account_is_not_backed_up_when_it_does_not_open(developer: Developer) -> None:
    wrong = developer.person.secret_file("wrong", "something else")
    copy = developer.person.home / "copy.json"
    arguments = ("account", "backup", developer.hospital, str(copy))
    said = developer.person.refused(*arguments, "--passphrase-file", wrong, code=2)
    assert said.startswith("the passphrase does not open")
    assert not copy.exists()


def test_account_is_shown_as_a_code_that_names_its_chain(developer: Developer) -> None:
    person = developer.person
    told = person.done("account", "show", developer.hospital, "--qr")
    assert told["qr"] == f"eip155:1337:{developer.hospital}"
    drawing = person.run("account", "show", developer.hospital, "--qr", "--chain-id", "5")
    assert (drawing.code, drawing.errors) == (0, "")
    assert f"eip155:5:{developer.hospital}\n" in drawing.output
    assert drawing.output.count("█") > 100
