"""A data officer's commands, as separate processes beside a gatekeeper, on a real node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import medaccord
from medaccord.client import Patient
from medaccord.core.canonical import parse_object
from medaccord.core.identifiers import Address
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import Keystore, LocalSigner, Passphrase
from tests.e2e.commands import Person
from tests.integration.anvil import NEEDS_ANVIL, running
from tests.integration.ledger_on_anvil import deployed

pytestmark = NEEDS_ANVIL

WORDS = "four words are enough"
BUNDLE = Path(medaccord.__file__).parent / "demo" / "data" / "patient.json"
PATIENT_ID = "57b997b7-1e72-5ccc-82f6-ea3dd82eef2e"
LIGHT = 2**12
"""Work of scrypt: keys of a test need not last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The data officer's machine, and the one patient who has accepted the hospital.

    Attributes:
        home: where everything is.
        settings: the environment of the commands.
        patient: account of the patient.
    """

    home: Path
    settings: dict[str, str]
    patient: Address

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        ours = ("MEDACCORD_", "XDG_CONFIG_HOME")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        found = str(Path(medaccord.__file__).parents[1])
        return subprocess.run(
            [sys.executable, "-m", "medaccord", "records", *arguments],
            cwd=self.home,
            env=kept | self.settings | {"HOME": str(self.home), "PYTHONPATH": found},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def done(self, *arguments: str) -> Any:
        answer = self.run(*arguments, "--json")
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr
        return json.loads(answer.stdout)

    def refused(self, *arguments: str) -> tuple[int, str]:
        answer = self.run(*arguments)
        assert answer.stdout == ""
        assert answer.stderr.count("\n") == 1, answer.stderr
        return answer.returncode, answer.stderr

    def refused_here(self, *arguments: str) -> tuple[int, str]:
        """Refused before a database is opened, in this process, by the entry that a process has."""
        ended = Person(home=self.home, settings=self.settings).run("records", *arguments)
        assert ended.output == ""
        assert ended.errors.count("\n") == 1, ended.errors
        return ended.code, ended.errors

    def file(self, name: str, content: bytes) -> str:
        (self.home / name).write_bytes(content)
        return name

    def import_patient(self) -> Any:
        return self.done("import", str(BUNDLE))["files"][0]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    home = tmp_path_factory.mktemp("office")
    (home / "passphrase").write_text(WORDS, encoding="utf-8")
    (home / "passphrase").chmod(0o600)
    with running() as node:
        setting = deployed(node)
        hospital, patient = setting.hospital, LocalSigner.create()
        node.fund(hospital.address, 10**20)
        Keystore(home / "keystore", cost=LIGHT).add(
            hospital, Passphrase.from_file(home / "passphrase")
        )
        setting.deployment.save(home / "deployment.json")
        settings = {
            "MEDACCORD_RPC_URL": node.url,
            "MEDACCORD_RECORD": str(home / "deployment.json"),
            "MEDACCORD_DATABASE_URL": f"sqlite:///{home / 'records.db'}",
            "MEDACCORD_KEYS_FOLDER": str(home / "keys"),
            "MEDACCORD_KEYSTORE": str(home / "keystore"),
            "MEDACCORD_PASSPHRASE_FILE": str(home / "passphrase"),
            "MEDACCORD_ACCOUNT": hospital.address,
        }
        gatekeeper = Gatekeeper.open(
            steward=hospital.address,
            signer=hospital,
            network=setting.network,
            deployment=setting.deployment,
            database_url=settings["MEDACCORD_DATABASE_URL"],
            keys_folder=home / "keys",
        )
        try:  # it serves on, while the commands work on the same database
            server = gatekeeper.serve()
            with Patient(patient, setting.contracts, server.url) as client:
                client.relationships.enrol(gatekeeper.enrolment.issue_code(PATIENT_ID))
                client.relationships.accept()
            yield Office(home=home, settings=settings, patient=patient.address)
        finally:
            gatekeeper.close()


def test_import_anchors_once_and_skips_the_same_file_when_run_again(office: Office) -> None:
    first = office.import_patient()
    assert first["newVersions"] == first["records"] + first["directory"] > 0
    assert len(first["roots"]) == (2 if first["directory"] else 1)
    again = office.import_patient()
    assert (again["known"], again["newVersions"], again["roots"]) == (True, 0, [])
    looked = office.done("import", "--again", str(BUNDLE))["files"][0]
    assert (looked["newVersions"], looked["unchanged"]) == (0, first["newVersions"])


def test_import_leaves_out_whoever_has_not_accepted_when_a_file_is_of_another(
    office: Office,
) -> None:
    line = b'{"resourceType":"Patient","id":"somebody-else"}\n'
    report = office.done("import", office.file("other.ndjson", line))["files"][0]
    assert (report["patients"], report["leftOut"], report["newVersions"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("cut.json", b'{"resourceType":"Bundle","type":"collection","entry":[', "cut off"),
        ("empty.json", b"", "empty"),
        ("line.ndjson", b'{"resourceType":"Patient","id":"a"}\n{"resourceType":}\n', "line 2"),
    ],
)
def test_import_is_refused_in_one_line_when_a_file_is_damaged(
    office: Office, name: str, content: bytes, told: str
) -> None:
    code, line = office.refused_here("import", office.file(name, content))
    assert code == 2
    assert told in line


def test_export_holds_every_record_when_written_in_either_form(office: Office) -> None:
    office.import_patient()
    made = office.done("export", "out.json", "--patient", office.patient)
    bundle = parse_object((office.home / "out.json").read_bytes())
    assert isinstance(bundle["entry"], list)
    assert len(bundle["entry"]) == made["records"] + made["superseded"] + made["documents"]
    lines = office.done("export", "out.ndjson", "--form", "ndjson", "--patient", office.patient)
    assert lines["records"] == made["records"]
    text = (office.home / "out.ndjson").read_bytes()
    assert f'"id":"{PATIENT_ID}"'.encode() in text


def test_erasing_is_refused_under_a_hold_and_done_when_it_is_lifted(office: Office) -> None:
    office.import_patient()
    name = next(
        f"{kind}/{each['resource']['id']}"
        for each in json.loads(BUNDLE.read_bytes())["entry"]
        if (kind := each["resource"]["resourceType"]) == "Observation"
    )
    whose = ("--patient", office.patient)
    held = office.done("hold", name, "--reason", "the court has asked for it", *whose)["holds"][0]
    code, line = office.refused("erase", name, "--yes", *whose)
    assert code == 1
    assert "legal hold" in line
    assert office.done("holds")["holds"] == [held]
    office.done("lift", str(held["number"]))
    assert office.done("holds")["holds"] == []
    erased = office.done("erase", name, "--yes", *whose)
    assert (erased["versions"], erased["anchored"]) == (1, True)
    assert office.done("import", "--again", str(BUNDLE))["files"][0]["erased"] == 1


def test_key_is_renewed_and_every_row_wrapped_anew_when_rotated(office: Office) -> None:
    office.import_patient()
    before = office.done("rotate", "--patient", office.patient)
    after = office.done("rotate", "--patient-id", PATIENT_ID, "--destroy-old")
    assert after["generation"] == before["generation"] + 1
    assert after["rewrapped"] > 0
    assert office.done("export", "after.json", "--patient", office.patient)["records"] > 0
    assert office.done("rotate", "--own")["generation"] == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("erase", "--yes", "--patient-id", "x"), "--everything"),
        (("erase", "Observation/x", "--everything", "--yes"), "not both"),
        (("rotate",), "whose?"),
        (("erase", "Observation/none", "--yes", "--patient-id", PATIENT_ID), "there is no record"),
    ],
)
def test_command_is_refused_in_one_line_when_it_does_not_say_what_is_meant(
    office: Office, arguments: tuple[str, ...], told: str
) -> None:
    code, line = office.refused(*arguments)
    assert code == 2
    assert told in line


def test_command_says_which_setting_is_missing_when_there_is_no_account(office: Office) -> None:
    settings = {**office.settings, "MEDACCORD_ACCOUNT": ""}
    bare = Office(home=office.home, settings=settings, patient=office.patient)
    code, line = bare.refused_here("holds")
    assert code == 2
    assert "--account or MEDACCORD_ACCOUNT" in line


def test_command_is_refused_when_the_node_is_on_another_chain_than_is_set(office: Office) -> None:
    settings = {**office.settings, "MEDACCORD_CHAIN_ID": "1"}
    elsewhere = Office(home=office.home, settings=settings, patient=office.patient)
    code, line = elsewhere.refused("holds")
    assert code == 2
    assert "MEDACCORD_CHAIN_ID says 1" in line


def test_lifting_is_refused_in_one_line_when_no_hold_can_have_the_number(office: Office) -> None:
    code, line = office.refused("lift", 30 * "9")
    assert code == 2
    assert "there is no hold" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("erase", "--everything", "--yes", "--patient-id", "\udcff"),
        ("hold", "Observation/\udcff", "--reason", "a court", "--patient-id", PATIENT_ID),
        ("hold", "--reason", "\udcff", "--patient-id", PATIENT_ID),
    ],
)
def test_command_is_refused_in_one_line_when_what_is_given_is_no_text(
    office: Office, arguments: tuple[str, ...]
) -> None:
    code, line = office.refused_here(*arguments)
    assert code == 2
    assert "is not UTF-8 text" in line
