"""Canaries: invented texts that must be found nowhere they do not belong, in no writing of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from eth_utils.crypto import keccak

_PREFIX = 12
"""Bytes of a hash that are looked for: a hash cut short would be found, too."""


def writings(text: str) -> dict[str, bytes]:
    """Every way a text could have been written, by the name of the way."""
    raw = text.encode()
    found = {
        "UTF-8": raw,
        "UTF-8 in upper case": text.upper().encode(),
        "UTF-8 in lower case": text.lower().encode(),
        "UTF-16, little end first": text.encode("utf-16-le"),
        "UTF-16, big end first": text.encode("utf-16-be"),
    }
    for name, data in list(found.items()):
        found[f"hex of {name}"] = data.hex().encode()
        found[f"HEX of {name}"] = data.hex().upper().encode()
    for offset in range(3):
        # Within a longer text, base64 depends on where in a group of three bytes it starts.
        whole = base64.b64encode(bytes(offset) + raw)
        core = whole[4 if offset else 0 : -4]
        found[f"base64 at {offset}"] = core
        found[f"base64url at {offset}"] = core.replace(b"+", b"-").replace(b"/", b"_")
    return found | hashes(raw)


def hashes(data: bytes) -> dict[str, bytes]:
    """Hashes without salt, as bytes and as hex text."""
    made = {
        "keccak256": keccak(data),
        "SHA-256": hashlib.sha256(data).digest(),
        "SHA3-256": hashlib.sha3_256(data).digest(),
        "SHA-1": hashlib.sha1(data, usedforsecurity=False).digest(),
        "MD5": hashlib.md5(data, usedforsecurity=False).digest(),
    }
    found = {}
    for name, value in made.items():
        found[name] = value[:_PREFIX]
        found[f"hex of {name}"] = value[:_PREFIX].hex().encode()
        found[f"base64 of {name}"] = base64.b64encode(value[:_PREFIX])
    return found


@dataclass(frozen=True, slots=True)
class Sighting:
    """A canary that was found."""

    canary: str
    writing: str
    place: str


class Watch:
    """Looks for canaries in whatever it is shown."""

    def __init__(self, texts: Iterable[str], contents: Mapping[str, bytes]) -> None:
        """Look for texts in every writing, and for contents by their bytes and hashes."""
        self._wanted = [
            (text, writing, data)
            for text in texts
            for writing, data in writings(text).items()
            if len(data) >= _PREFIX - 4
        ] + [
            (name, writing, data)
            for name, content in contents.items()
            for writing, data in ({"itself": content} | hashes(content)).items()
        ]

    def look(self, places: Iterable[tuple[str, bytes]]) -> Iterator[Sighting]:
        """Every canary found, and where."""
        for place, content in places:
            for canary, writing, data in self._wanted:
                if data in content:
                    yield Sighting(canary, writing, place)
