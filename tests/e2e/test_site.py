"""The pages and the reference become a site without a warning, and the reference is complete."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import medaccord
from medaccord import chain, client, fhir, gatekeeper, keys
from medaccord.chain import actions, events

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECONDS = 600

pytestmark = pytest.mark.compiler  # Sphinx is among what development needs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once, as `make docs` does."""
    made = tmp_path_factory.mktemp("site")
    asked = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *asked, str(ROOT / "docs"), str(made)],
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (0, "")
    return made


@pytest.fixture(scope="module")
def told(site: Path) -> set[str]:
    """The names that the reference tells of."""
    *_, packed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}


@pytest.mark.parametrize("package", [chain, actions, events, client, fhir, gatekeeper, keys])
def test_reference_tells_of_what_a_package_gives(package: ModuleType, told: set[str]) -> None:
    given = {name for name in package.__all__ if callable(getattr(package, name))}
    below = {each.rpartition(".")[2] for each in told if each.startswith(f"{package.__name__}.")}
    first = set(medaccord.__all__)  # told of as what `medaccord` gives
    assert given - below - first == set()


def test_reference_tells_of_the_names_of_the_package(told: set[str]) -> None:
    assert {f"medaccord.{name}" for name in medaccord.__all__ if name[0] != "_"} <= told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_reference_tells_of_what_a_page_imports(page: Path, told: set[str]) -> None:
    assert [name for name in sorted(imported(page)) if name not in told] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_leads_to_files_that_are_there(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    files = {each.split("#")[0] for each in re.findall(r"\]\(([^)\s]+)\)", text) if ":" not in each}
    assert [each for each in sorted(files - {""}) if not (page.parent / each).exists()] == []


def test_site_fetches_nothing_when_it_is_read(site: Path) -> None:
    loading = re.compile(r"""<(?:script|img|link)\b[^>]*(?:src|href)=["'](?:https?:)?//[^"']*""")
    pages = {page.name: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert [
        (name, loaded) for name, text in pages.items() for loaded in loading.findall(text)
    ] == []


def imported(page: Path) -> Iterator[str]:
    """What the Python on a page imports of ours."""
    for block in re.findall(r"(?ms)^```python\n(.*?)^```$", page.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medaccord"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
