"""What a command says of something that it did on the chain."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Any, TypeAlias

import typer

from medaccord.cli.output import say
from medaccord.cli.progress import spinner
from medaccord.client import ActionReceipt
from medaccord.core.identifiers import hex_digest

NoWaitOption: TypeAlias = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait until it is mined.")
]


def waiting() -> AbstractContextManager[object]:
    """Show on a terminal that the block waits for the chain; elsewhere show nothing."""
    return spinner("Waiting for the chain")


def say_done(receipt: ActionReceipt, what: str, *, as_json: bool, **more: Any) -> None:
    """Say what was done, and where it stands on the chain.

    Args:
        receipt: what came of it.
        what: one sentence.
        as_json: whether to print the receipt, as `ActionReceipt.document` has it.
        **more: members beside those of the receipt.
    """
    say({**receipt.document(), **more}, [what, _where(receipt)], as_json=as_json)


def _where(receipt: ActionReceipt) -> str:
    named = "" if receipt.transaction is None else f" {hex_digest(receipt.transaction)}"
    if receipt.block is not None:
        return f"Block {receipt.block.number}, transaction{named}."
    return f"Not mined yet; transaction{named or ' to come'}."
