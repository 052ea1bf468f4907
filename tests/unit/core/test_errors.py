"""The tree at the top of errors.py is the whole truth about what the package raises."""

import importlib
import inspect
import pkgutil
import re
import warnings

import pytest

import medaccord
from medaccord.core import errors
from medaccord.core.errors import AccessRefused, ContractReverted, InvalidDocument, MedaccordError
from medaccord.core.refusals import Refusal

# What an optional dependency of a module may be called; without it the module cannot be looked at.
OPTIONAL = {"eth", "eth_tester"}


def exceptions() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(medaccord.__path__, "medaccord."):
        if module.name.rpartition(".")[2] in ("__main__", "env"):  # running them is their purpose
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what other packages warn of when imported
                loaded = importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in OPTIONAL:
                raise
            continue
        found |= {
            value
            for _, value in inspect.getmembers(loaded, inspect.isclass)
            if issubclass(value, BaseException)
            and value.__module__ == module.name
            and not value.__name__.startswith("_")  # a signal that never leaves its module
        }
    return found


def drawn() -> dict[str, str]:
    """Parent of every class of the tree, read from its drawing."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└ ]*)([A-Z]\w+)\b", line)
        if not match:
            continue
        depth = len(match[1]) // 2
        path[depth:] = [match[2]]
        if depth:
            parents[match[2]] = path[depth - 1]
    return parents


def test_every_exception_is_a_medaccord_error_when_the_package_is_walked() -> None:
    strangers = {error for error in exceptions() if not issubclass(error, MedaccordError)}
    assert strangers == set()


def test_tree_names_every_exception_under_its_parent_when_the_package_is_walked() -> None:
    classes = {
        error.__name__: error.__bases__[0].__name__
        for error in exceptions()
        if error is not MedaccordError
        # One class per ABI error is made from the ABIs; the tree names their root.
        and not (issubclass(error, ContractReverted) and error is not ContractReverted)
    }
    assert drawn() == classes


def test_all_lists_every_error_when_the_module_is_read() -> None:
    own = {error.__name__ for error in exceptions() if error.__module__ == errors.__name__}
    assert set(errors.__all__) == own


def test_invalid_document_says_where_when_the_place_is_known() -> None:
    error = InvalidDocument("not JSON", line=3, column=7)
    assert (error.problem, error.line, error.column) == ("not JSON (line 3, column 7)", 3, 7)


def test_access_refused_carries_reason_and_detail_when_raised() -> None:
    error = AccessRefused(Refusal.NO_CONSENT, "no consent names you")
    assert (error.reason, error.detail) == (Refusal.NO_CONSENT, "no consent names you")
    assert str(error) == "no-consent: no consent names you"


@pytest.mark.parametrize("refusal", Refusal)
def test_refusal_travels_as_its_name_in_lower_case_when_written(refusal: Refusal) -> None:
    assert refusal.value == refusal.name.lower().replace("_", "-")
