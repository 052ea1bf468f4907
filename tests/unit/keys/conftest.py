"""What the tests of keys share: cheap passphrases and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from medaccord.keys.key_folder import KeyFolder
from medaccord.keys.keystore import Keystore
from medaccord.keys.passphrase import Passphrase

CHEAP = 2**4
"""scrypt's n for tests: what it costs is shown once, by the test of the standard."""


@pytest.fixture
def passphrase() -> Passphrase:
    return Passphrase("gehört dem Krankenhaus".encode())


@pytest.fixture
def another() -> Passphrase:
    return Passphrase(b"another one")


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keystore", cost=CHEAP)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def plain(folder: Path) -> KeyFolder:
    return KeyFolder.create(folder)


@pytest.fixture
def encrypted(folder: Path, passphrase: Passphrase) -> KeyFolder:
    return KeyFolder.create(folder, passphrase, cost=CHEAP)
