"""Picks from the lock what the demo needs, so that one lock serves demo and development.

Usage: ``python scripts/select_lock.py requirements.lock > selection.txt``, to be installed with
``pip install --require-hashes --no-deps``. A package is picked when ``pyproject.toml`` names it
among the dependencies, the embedded extra or what builds the project, or when the lock says that a
picked package asked for it. Hashes and markers are passed on as they stand. Standard library only:
this runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ENTRY = re.compile(r"(?m)^(?=[A-Za-z0-9])")


class LockError(Exception):
    """The lock does not hold what ``pyproject.toml`` asks for, or an entry has no hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One pinned package of the lock; a package may have several, told apart by their markers.

    Attributes:
        name: Normalised name.
        text: Pin, marker and hashes, as they stand in the lock.
        wanted_by: Normalised names of the packages that asked for it.
    """

    name: str
    text: str
    wanted_by: frozenset[str]


def normalise(requirement: str) -> str:
    """Returns the normalised name that a requirement starts with. Source: PEP 503."""
    match = _NAME.match(requirement)
    if match is None:
        raise LockError(f"not a requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def read_lock(text: str) -> list[Entry]:
    """Splits a lock made by ``uv pip compile --generate-hashes``.

    Raises:
        LockError: if an entry has no hash.
    """
    entries = []
    for block in _ENTRY.split(text)[1:]:
        lines = block.splitlines(keepends=True)
        pin = "".join(line for line in lines if not line.lstrip().startswith("#"))
        if "--hash=sha256:" not in pin:
            raise LockError(f"no hash: {lines[0].strip()}")
        comments = (line.strip(" #\n").removeprefix("via").strip() for line in lines[1:])
        asking = frozenset(normalise(word) for word in comments if _NAME.match(word))
        entries.append(Entry(name=normalise(block), text=pin, wanted_by=asking))
    return entries


def demo_roots(pyproject: Mapping[str, object]) -> set[str]:
    """Returns the names that ``pyproject.toml`` gives for running and building the project."""
    match pyproject:
        case {
            "project": {
                "dependencies": [*dependencies],
                "optional-dependencies": {"embedded": [*embedded]},
            },
            "dependency-groups": {"build": [*build]},
        }:
            return {normalise(str(item)) for item in (*dependencies, *embedded, *build)}
    raise LockError("pyproject.toml lacks dependencies, the embedded extra or the build group")


def select(entries: Iterable[Entry], roots: set[str]) -> list[Entry]:
    """Returns the entries of the roots and of all they ask for, in the order of the lock.

    Raises:
        LockError: if the lock lacks a root: it is older than ``pyproject.toml``.
    """
    entries = list(entries)
    picked = set(roots)
    if missing := sorted(picked - {entry.name for entry in entries}):
        raise LockError(f"not in the lock: {', '.join(missing)}; run `make lock`")
    grown = True
    while grown:
        new = {entry.name for entry in entries if entry.wanted_by & picked} - picked
        picked |= new
        grown = bool(new)
    return [entry for entry in entries if entry.name in picked]


def main(arguments: list[str]) -> int:
    """Prints the selection from the lock named by the one argument; returns the exit code."""
    (lock,) = arguments
    try:
        roots = demo_roots(tomllib.loads(PYPROJECT.read_text(encoding="utf-8")))
        entries = select(read_lock(Path(lock).read_text(encoding="utf-8")), roots)
    except LockError as error:
        print(f"{lock}: {error}", file=sys.stderr)
        return 1
    sys.stdout.write("".join(entry.text for entry in entries))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
