"""The command as a person runs it: what it prints, how it ends, and what it leaves behind."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import medaccord
from medaccord.demo import sample_bundle
from tests.e2e.commands import Ended, Person
from tests.unit.fhir import samples

WITHOUT_EMBEDDED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = ["medaccord", *sys.argv[1:]]
from medaccord.cli import main
main()
"""


@dataclass(frozen=True, slots=True)
class Place:
    """An empty folder that is home, working and temporary folder at once."""

    folder: Path

    def run(self, *command: str | bytes) -> Ended:
        """Run Python in it, with this package, as a process."""
        home = str(self.folder)
        settings = {"HOME": home, "TMPDIR": home, "COLUMNS": "200", "PYTHONUTF8": "1"}
        found = str(Path(medaccord.__file__).parents[1])
        ended = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", *command],
            cwd=self.folder,
            env=os.environ | settings | {"PYTHONPATH": found},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        return Ended(code=ended.returncode, output=ended.stdout, errors=ended.stderr)

    def medaccord(self, *arguments: str | bytes) -> Ended:
        return self.run("-m", "medaccord", *arguments)

    def here(self, *arguments: str) -> Ended:
        """Run a command in this process, by the entry that a process has."""
        return Person(home=self.folder).run(*arguments, COLUMNS="200")

    @property
    def left_behind(self) -> list[Path]:
        return sorted(self.folder.rglob("*"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))  # of what runs in this process
    return Place(folder)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Where files to play on lie."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def assert_one_line(done: Ended, place: Place, *, code: int, says: str) -> None:
    assert (done.code, done.output) == (code, ""), done.errors
    assert done.errors.endswith("\n")
    (line,) = done.errors.splitlines()
    assert line.startswith("medaccord: ")
    assert says in line
    assert place.left_behind == []


WHOLE = samples.data()
NAMELESS = {key: value for key, value in samples.observation().items() if key != "fullUrl"}

BAD = {
    "no Bundle": (b'{"resourceType": "Patient", "id": "1"}', "no FHIR Bundle, but one resource"),
    "a list": (b"[]", "no FHIR Bundle"),
    "empty": (b"", "the file is empty"),
    "blank": (b" \n", "the file is empty"),
    "no entries": (b'{"resourceType": "Bundle", "type": "collection"}', "has no entries"),
    "two patients": (
        samples.data(samples.patient(), {"resource": {"resourceType": "Patient", "id": "2"}}),
        "holds 2 patients",
    ),
    "no patient": (samples.data(samples.observation()), "its subject is no patient of the file"),
    "neither id nor urn:uuid": (
        samples.data(samples.patient(), NAMELESS),
        "entry 2 (Observation) has neither an id nor a urn:uuid fullUrl",
    ),
    "duplicate key": (
        WHOLE.replace(b'"type":', b'"type": "batch", "type":', 1),
        "the member 'type' stands twice",
    ),
    "cut off": (WHOLE[: len(WHOLE) // 2], "cut off"),
    "not JSON": (b"<Bundle xmlns='http://hl7.org/fhir'/>", "the file cannot be read"),
    "NaN": (WHOLE[:-1] + b', "total": NaN}', "the file cannot be read"),
    "invalid UTF-8": (WHOLE.replace(b"final", b"fin\xff\xfe"), "the file cannot be read"),
    "a byte order mark": (b"\xef\xbb\xbf" + WHOLE, "the file cannot be read"),
    "huge nesting": (b"[" * 1_000_000, "the file cannot be read"),
    "huge nesting of objects": (b'{"a":' * 1_000_000, "the file cannot be read"),
    "a line break in what is quoted": (
        b'{"resourceType": "Patient\\n\\u001b[31mred\\u2028"}',
        "Patient\\n\\x1b[31mred\\u2028",
    ),
    "half a megabyte in what is quoted": (
        b'{"resourceType": "' + b"x" * 500_000 + b'"}',
        "xxx…",
    ),
}


AS_PROCESSES = ("no Bundle", "invalid UTF-8", "huge nesting of objects")
"""Where the streams and the stack of a process may matter."""


@pytest.mark.parametrize("name", BAD)
def test_bad_bundle_gets_one_line_and_nothing_is_written(
    place: Place, elsewhere: Path, name: str
) -> None:
    data, says = BAD[name]
    file = elsewhere / "bundle.json"
    file.write_bytes(data)
    as_it_is = place.medaccord if name in AS_PROCESSES else place.here
    assert_one_line(as_it_is("demo", "--bundle", str(file)), place, code=2, says=says)


def test_missing_file_gets_one_line(place: Place, elsewhere: Path) -> None:
    missing = elsewhere / "missing.json"
    done = place.here("demo", "--bundle", str(missing))
    assert_one_line(done, place, code=2, says=f"{missing} cannot be read: No such file")


def test_folder_gets_one_line(place: Place, elsewhere: Path) -> None:
    done = place.here("demo", "--bundle", str(elsewhere))
    assert_one_line(done, place, code=2, says=f"{elsewhere} cannot be read: Is a directory")


def test_name_that_is_no_text_gets_one_line(place: Place, elsewhere: Path) -> None:
    done = place.medaccord("demo", "--bundle", os.fsencode(elsewhere) + b"/\xff\n.json")
    assert_one_line(done, place, code=2, says="cannot be read: No such file")


@pytest.mark.parametrize("missing", ["eth_tester", "eth"])
def test_missing_chain_is_named_with_what_installs_it(place: Place, missing: str) -> None:
    done = place.run("-c", WITHOUT_EMBEDDED.format(missing=missing), "demo")
    assert_one_line(done, place, code=1, says="pip install 'medaccord[embedded]'")


def test_missing_chain_does_not_keep_a_bad_bundle_from_being_named(
    place: Place, elsewhere: Path
) -> None:
    (elsewhere / "bundle.json").write_bytes(b"")
    script = WITHOUT_EMBEDDED.format(missing="eth_tester")
    done = place.run("-c", script, "demo", "--bundle", str(elsewhere / "bundle.json"))
    assert_one_line(done, place, code=2, says="the file is empty")


def test_demo_plays_a_bundle_and_leaves_nothing_behind(place: Place, elsewhere: Path) -> None:
    file = elsewhere / "patient.json"
    file.write_bytes(sample_bundle())
    done = place.medaccord("demo", "--bundle", str(file))
    assert (done.code, done.errors) == (0, "")
    assert "The patient's balance is 0." in done.output
    assert place.left_behind == []
    assert sorted(elsewhere.iterdir()) == [file]


def test_demo_says_so_in_one_line_when_there_is_no_room_for_its_files(
    place: Place, elsewhere: Path
) -> None:
    script = "import tempfile; tempfile.tempdir = '/nowhere'; from medaccord.cli import main; "
    done = place.run("-c", script + "import sys; sys.argv = ['medaccord', 'demo']; main()")
    assert done.code == 1
    (line,) = done.errors.splitlines()
    assert line.startswith("medaccord: ")
    assert "/nowhere" in line
    assert place.left_behind == []


def test_version_is_said(place: Place) -> None:
    done = place.medaccord("--version")
    assert (done.code, done.errors) == (0, "")
    assert done.output == f"medaccord {medaccord.__version__}\n"
    assert place.left_behind == []


@pytest.mark.parametrize("arguments", [("--help",), ("demo", "--help")])
def test_help_names_what_can_be_done(place: Place, arguments: tuple[str, ...]) -> None:
    done = place.here(*arguments)
    assert (done.code, done.errors) == (0, "")
    assert ("--bundle" if "demo" in arguments else "demo") in done.output
    assert place.left_behind == []


@pytest.mark.parametrize("arguments", [("nonsense",), ("demo", "--bundle"), ("--nonsense",)])
def test_command_that_does_not_exist_is_refused(place: Place, arguments: tuple[str, ...]) -> None:
    done = place.here(*arguments)
    assert (done.code, done.output) == (2, "")
    assert arguments[-1] in done.errors
    assert place.left_behind == []


def test_installed_command_is_this_one() -> None:
    try:
        distribution = importlib.metadata.distribution("medaccord")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("medaccord runs from the checkout and is not installed")
    commands = distribution.entry_points.select(group="console_scripts", name="medaccord")
    assert [command.value for command in commands] == ["medaccord.cli:main"]
