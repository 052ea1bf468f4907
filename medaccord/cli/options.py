"""Options that several commands have: each a setting, by the flag that comes before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

RpcOption: TypeAlias = Annotated[
    str | None, typer.Option("--rpc-url", metavar="URL", help="The node; MEDACCORD_RPC_URL.")
]
RecordOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--record", metavar="FILE", help="Record of the deployment; MEDACCORD_RECORD."),
]
DatabaseOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--database-url", metavar="URL", help="The database; MEDACCORD_DATABASE_URL."),
]
KeysOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--keys-folder", metavar="FOLDER", help="The key store; MEDACCORD_KEYS_FOLDER."),
]
StewardOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--steward",
        metavar="ADDRESS",
        help="The organisation whose records these are; MEDACCORD_STEWARD, or the account.",
    ),
]
AccountOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="ADDRESS",
        help="The key that signs, from the keystore; MEDACCORD_ACCOUNT.",
    ),
]
