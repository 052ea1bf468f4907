"""What `medaccord serve` refuses before it opens anything."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medaccord.cli.serve import serve
from medaccord.core.errors import InvalidSetting

PUBLIC = "http://records.example.org"


@pytest.fixture(autouse=True)
def _own_settings_and_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [each for each in os.environ if each.upper().startswith("MEDACCORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"workers": 2}, "--workers 2 needs PostgreSQL"),
        (
            {"workers": 2, "database_url": "postgresql://nobody@127.0.0.1:1/none"},
            "several workers cannot ask for the passphrase",
        ),
        ({"workers": 0}, "--workers is '0'"),
        ({"public_url": PUBLIC}, f"people would sign in at {PUBLIC} without TLS"),
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"public_url": "https://a.example/path"}, "it should be scheme and host alone"),
        ({"public_url": "https://me@a.example"}, "it should be scheme and host alone"),
        ({"public_url": "https://klinik-ä.example"}, "its host should be ASCII"),
        ({"public_url": "ftp://a.example"}, "it should be an address that begins with https://"),
        ({"heads_url": "http://a.example"}, "it should be an address that begins with ws://"),
        ({"log_level": "loud"}, "--log-level is 'loud'"),
        ({}, "which key signs?"),
        ({"public_url": PUBLIC, "unsafe_http": True}, "which key signs?"),
        ({"public_url": "http://localhost:8080"}, "which key signs?"),
    ],
)
def test_start_is_refused_when_a_setting_does_not_do(flags: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        serve(**{"port": 0, "metrics_port": 0} | flags)
    assert says in str(refused.value)
