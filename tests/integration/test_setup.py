"""What a newcomer's first command does before the project itself runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.select_lock import demo_roots, normalise, read_lock, select

ROOT = Path(__file__).resolve().parents[2]


def executable(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def python(folder: Path, name: str, version: str, *, venv: bool = True) -> Path:
    """A stand-in for an interpreter of some other version, which no test machine has all of."""
    path = folder / name
    answer = f'case "$2" in *version_info*) echo {version};; *) exit {0 if venv else 1};; esac'
    executable(path, answer)
    return path


def find_python(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "find-python"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (("3.11", "3.12", "3.13"), "3.12"),
        (("3.11", "3.13"), "3.11"),
        (("3.13", "3.14"), "3.13"),
    ],
)
def test_python_is_chosen_in_the_order_12_11_13(
    tmp_path: Path, present: tuple[str, ...], chosen: str
) -> None:
    for version in present:
        python(tmp_path, f"python{version}", version)
    assert find_python(tmp_path).stdout == f"{tmp_path}/python{chosen}\n"


def test_python_shim_is_passed_over_when_running_it_fails(tmp_path: Path) -> None:
    executable(tmp_path / "python3.12", "echo 'python3.12: command not found' >&2; exit 127")
    python(tmp_path, "python3.11", "3.11")
    assert find_python(tmp_path).stdout == f"{tmp_path}/python3.11\n"


def test_plain_python3_is_taken_when_its_version_fits_best(tmp_path: Path) -> None:
    python(tmp_path, "python3.11", "3.11")
    python(tmp_path, "python3", "3.12")
    assert find_python(tmp_path).stdout == f"{tmp_path}/python3\n"


def test_python_without_venv_is_passed_over_when_another_has_it(tmp_path: Path) -> None:
    python(tmp_path, "python3.12", "3.12", venv=False)
    python(tmp_path, "python3.13", "3.13")
    assert find_python(tmp_path).stdout == f"{tmp_path}/python3.13\n"


@pytest.mark.parametrize(
    ("name", "version", "package"),
    [("python3.11", "3.11", "python3.11-venv"), ("python3", "3.10", "python3.12-venv")],
)
def test_missing_package_is_named_in_one_line(
    tmp_path: Path, name: str, version: str, package: str
) -> None:
    python(tmp_path, name, version, venv=False)
    answer = find_python(tmp_path)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.endswith(f": install {package}\n")
    assert answer.stderr.count("\n") == 1


def wheel(folder: Path) -> Path:
    """The smallest wheel that pip installs."""
    path = folder / "tampered-1.0-py3-none-any.whl"
    info = "tampered-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tampered.py", "")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tampered\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def install(folder: Path, hashed: str) -> subprocess.CompletedProcess[str]:
    """Installs the wheel by the options of the Makefile, from a lock that names `hashed`."""
    lock = folder / "lock.txt"
    lock.write_text(f"tampered==1.0 \\\n    --hash=sha256:{hashed}\n", encoding="utf-8")
    (recipe,) = (
        line.partition("$(PIP) ")[2]
        for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
        if line.startswith("INSTALL :=")
    )
    offline = ["--no-index", "--find-links", str(folder), "--target", str(folder / "installed")]
    return subprocess.run(
        [sys.executable, "-m", "pip", *recipe.split(), *offline, "-r", str(lock)],
        env={key: value for key, value in os.environ.items() if not key.startswith("PIP_")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_package_is_installed_when_its_hash_is_the_locked_one(tmp_path: Path) -> None:
    right = hashlib.sha256(wheel(tmp_path).read_bytes()).hexdigest()
    assert install(tmp_path, right).returncode == 0
    assert (tmp_path / "installed" / "tampered.py").exists()


def test_package_is_refused_when_it_was_changed_after_locking(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("payload.py", "")
    answer = install(tmp_path, right)
    assert answer.returncode != 0
    assert "DO NOT MATCH THE HASHES" in answer.stderr
    assert not (tmp_path / "installed").exists()


def requirements_of(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """What the installed version of a package asks for on this machine."""
    for text in requires(name) or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield requirement


@pytest.mark.compiler
def test_demo_installs_everything_that_its_packages_ask_for() -> None:
    lock = read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    roots = demo_roots(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    picked = {entry.name for entry in select(lock, roots)}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [("medaccord", frozenset({"embedded"}))]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) not in seen:
            seen.add((name, extras))
            asked = requirements_of(name, extras)
            waiting += [(normalise(each.name), frozenset(each.extras)) for each in asked]
    assert {name for name, _ in seen} - {"medaccord"} - picked == set()
    assert len(seen) > 50


def test_lock_names_no_registry_and_hashes_every_package() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert read_lock(text)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_npm_lock_names_no_registry_and_hashes_every_package() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert text.count('"integrity"') == text.count('"node_modules/')
