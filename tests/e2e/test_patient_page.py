"""The blocks of docs/patient.md run as they stand there, at a hospital that is there already."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from medaccord.core.identifiers import Address, address
from medaccord.core.profiles import OrganisationProfile
from tests.e2e.pages import ROOT, Reader, blocks_of
from tests.e2e.ward import BUNDLE, PATIENT_ID, Ward, ward

PAGE = ROOT / "docs" / "patient.md"


class World:
    """What others do while a patient reads the page."""

    def __init__(self, ward: Ward, home: Path) -> None:
        self._ward = ward
        self._home = home
        account = ward.contracts.account_id(ward.b.account)
        with ward.provider() as provider:
            profile = OrganisationProfile(account=account, name="Hospital B", serial=1)
            provider.directory.publish(profile)

    @property
    def _account(self) -> Address:
        return address((self._home / "paper").read_text(encoding="utf-8").splitlines()[0])

    def bring_records_in(self) -> None:
        self._ward.gatekeeper.import_bundle(BUNDLE.read_bytes(), self._account)

    def ask(self) -> None:
        with self._ward.provider() as provider:
            terms = provider.requests.terms("patient/*.rs")
            until = self._ward.now() + timedelta(days=30)
            provider.requests.send(self._account, terms, valid_until=until)

    def read(self) -> None:
        with self._ward.provider() as provider:
            assert list(provider.records.search("Observation", self._account))


def test_page_is_run_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "hospitals").mkdir()
    with ward(tmp_path / "hospitals") as hospitals:
        reader = Reader(folder=tmp_path, you="patient")
        world = World(hospitals, reader.home())
        reader.settings = {
            "NODE": hospitals.node.url,
            "RECORD": hospitals.patient.person.settings["MEDACCORD_RECORD"],
            "GATEKEEPER": hospitals.url,
            "CODE": hospitals.gatekeeper.enrolment.issue_code(PATIENT_ID),
        }
        reader.meanwhile = {
            "the hospital brings records in": world.bring_records_in,
            "Hospital B asks": world.ask,
            "Hospital B reads": world.read,
        }
        blocks = blocks_of(PAGE)
        said = reader.run(blocks)
    assert len(said) == len(blocks)
