"""Imports point one way, from what touches the world to the pure core."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import medaccord

PACKAGE = Path(medaccord.__file__).parent

# What each package may import of ours; the table of docs/architecture.md.
MAY_IMPORT: dict[str, set[str]] = {
    "": {"client"},  # medaccord itself, when one of its four names is first asked for
    "__main__": {"cli"},
    "core": set(),
    "settings": {"core"},
    "fhir": {"core"},
    "keys": {"core"},
    "chain": {"core", "keys"},
    "store": {"core"},
    "ledger": {"core", "chain", "store"},
    "records": {"core", "fhir", "keys", "store"},
    "gatekeeper": {"core", "fhir", "keys", "chain", "store", "ledger", "records"},
    "client": {"core", "fhir", "keys", "chain", "settings"},  # where the program's folder is
    "demo": {
        *("core", "fhir", "keys", "chain", "store", "ledger", "records", "gatekeeper", "client"),
    },
    "cli": {
        *("core", "fhir", "keys", "chain", "store", "ledger", "records", "gatekeeper", "client"),
        *("demo", "settings"),
    },
}

# What would let the pure packages reach the network, the disk, the clock or chance by themselves.
IMPURE = {
    *("asyncio", "fastapi", "http", "httpx", "multiprocessing", "pathlib", "random", "requests"),
    *("secrets", "shutil", "socket", "sqlalchemy", "sqlite3", "ssl", "subprocess", "tempfile"),
    *("threading", "time", "urllib.request", "uvicorn", "web3"),
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


class WithoutTypesOnly(ast.NodeTransformer):
    """Drops what only a type checker reads: it runs nothing, so it closes no circle."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        named = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if named else self.generic_visit(node)


def imports(module: str, path: Path, *, run: bool = False) -> Iterator[str]:
    """What the file imports, absolute; `from a import b` is `a.b` where that is ours.

    With `run`, only what is imported when the program runs.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(WithoutTypesOnly().visit(tree) if run else tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            yield from names & MODULES.keys()
            if not names <= MODULES.keys():
                yield base


def package_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "medaccord" and len(parts) > 1 else None


def test_every_package_stands_in_the_table() -> None:
    found = {package_of(module) for module in MODULES} - {None}
    assert found <= set(MAY_IMPORT)


def test_packages_import_only_what_the_table_allows() -> None:
    broken = []
    for module, path in MODULES.items():
        own = package_of(module)
        reached = {package_of(name) for name in imports(module, path)} - {None, own}
        listed = reached & MAY_IMPORT.keys()
        broken += [(module, name) for name in listed - MAY_IMPORT.get(own or "", set())]
    assert broken == []


def test_pure_packages_reach_nothing_outside() -> None:
    broken = []
    for module, path in MODULES.items():
        if package_of(module) in ("core", "fhir"):
            reached = set(imports(module, path))
            prefixes = {
                name[: end.start()] for name in reached for end in re.finditer(r"\.|$", name)
            }
            broken += [(module, name) for name in prefixes & IMPURE]
    assert broken == []


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {
        module: {name for name in imports(module, path, run=True) if name in MODULES} - {module}
        for module, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
