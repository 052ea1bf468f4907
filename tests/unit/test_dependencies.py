"""The package asks for what it imports, and for no more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import medaccord

PACKAGE = Path(medaccord.__file__).parent
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

# Asked for though nothing of the package imports it, and why.
UNIMPORTED = {
    "coincurve": "eth-keys looks for it",
    "python-dotenv": "pydantic-settings reads .env with it",
}


def names(requirements: Iterable[str]) -> set[str]:
    return {
        re.split(r"[^A-Za-z0-9._-]", each)[0].lower().replace("_", "-") for each in requirements
    }


def declared() -> set[str]:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return names([*project["dependencies"], *project["optional-dependencies"]["embedded"]])


@cache
def imported() -> frozenset[str]:
    """Distributions that the package imports, the standard library and itself aside."""
    modules: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    foreign = modules - sys.stdlib_module_names - {"medaccord"}
    distributions = packages_distributions()
    return frozenset(names(distributions[module][0] for module in foreign))


def test_package_declares_what_it_imports() -> None:
    assert imported() - declared() == set()


def test_package_imports_what_it_declares() -> None:
    assert declared() - imported() == set(UNIMPORTED)
