"""What is printed of an object, in a log or a traceback, holds nothing that must stay secret."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import pytest

from medaccord.chain import GuardianCircle
from medaccord.client import MadeWebhook
from medaccord.core.identifiers import address, digest
from medaccord.keys.wallet_state import Guardianship, KeptCircle, WalletState

WHO: Final = address("0x" + 40 * "1")
SECRET: Final = digest(b"\xab" * 32)
WORDS: Final = "legal winner thank year wave sausage worth useful legal winner thank yellow"
SALTS: Final = MappingProxyType({WHO: SECRET})

OBJECTS: Final = {
    "wallet": WalletState(words=WORDS, next_index=0, imported={WHO: SECRET}),
    "kept circle": KeptCircle(account=WHO, salts=SALTS, threshold=1),
    "circle": GuardianCircle(salts=SALTS, threshold=1),
    "guardianship": Guardianship(index=0, guardian=WHO, handout=SECRET.hex()),
    "webhook": MadeWebhook(id="1", url="https://a.example", secret=SECRET.hex()),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_secret_is_not_printed_when_its_object_is(name: str) -> None:
    shown = repr(OBJECTS[name])
    for secret in (WORDS, SECRET.hex(), repr(SECRET)):
        assert secret not in shown
