"""The demo installs its own part of the one lock, and no more."""

from __future__ import annotations

import pytest

from scripts.select_lock import LockError, demo_roots, read_lock, select

LOCK = """\
# made by `make lock`
Alpha_One==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via demo (pyproject.toml)
beta==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:bb
    # via alpha-one
gamma==3.0 ; python_full_version < '3.13' \\
    --hash=sha256:cc
    # via
    #   beta
    #   delta
gamma==4.0 ; python_full_version >= '3.13' \\
    --hash=sha256:cd
    # via
    #   beta
    #   delta
delta==5.0 \\
    --hash=sha256:dd
    # via demo (pyproject.toml:dev)
"""


def test_selection_follows_who_asked_for_whom_through_the_lock() -> None:
    chosen = select(read_lock(LOCK), {"alpha-one"})
    assert [entry.name for entry in chosen] == ["alpha-one", "beta", "gamma", "gamma"]


def test_selection_leaves_out_what_only_development_needs() -> None:
    assert "delta" not in {entry.name for entry in select(read_lock(LOCK), {"alpha-one"})}


def test_entry_keeps_marker_and_every_hash() -> None:
    texts = [entry.text for entry in read_lock(LOCK)]
    assert texts[0] == "Alpha_One==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
    assert texts[1] == "beta==2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\n"


def test_lock_is_refused_when_an_entry_has_no_hash() -> None:
    with pytest.raises(LockError, match=r"^no hash: naked==1\.0$"):
        read_lock("naked==1.0\n    # via demo\n")


def test_lock_is_refused_when_a_dependency_is_missing_from_it() -> None:
    with pytest.raises(LockError, match=r"^not in the lock: omega; run `make lock`$"):
        select(read_lock(LOCK), {"alpha-one", "omega"})


def test_roots_are_dependencies_embedded_chain_and_build() -> None:
    pyproject = {
        "project": {
            "dependencies": ["uvicorn[standard]>=0.3"],
            "optional-dependencies": {"embedded": ["eth-tester[py-evm]"], "other": ["no"]},
        },
        "dependency-groups": {"build": ["flit_core>=3.11"], "dev": ["mypy"]},
    }
    assert demo_roots(pyproject) == {"uvicorn", "eth-tester", "flit-core"}


def test_roots_are_refused_when_pyproject_lacks_a_part() -> None:
    with pytest.raises(LockError, match="lacks dependencies"):
        demo_roots({"project": {"dependencies": []}})
