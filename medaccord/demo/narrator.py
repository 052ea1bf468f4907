"""Telling the story: chapters, what went on chain, what the gatekeeper answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medaccord.chain.sender import Receipt
from medaccord.client import ActionReceipt
from medaccord.core.errors import AccessRefused, MedaccordError
from medaccord.core.identifiers import Digest


class Narrator:
    """Prints the story as it happens."""

    def __init__(self, console: Console) -> None:
        """Print to a console of rich."""
        self._console = console
        self._gas = 0
        self._chapter = 0

    @property
    def gas(self) -> int:
        """Gas of all transactions told so far."""
        return self._gas

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapter += 1
        self._console.print(f"\n[bold]{self._chapter}. {escape(title)}[/bold]")

    def say(self, text: str) -> None:
        """Tell something that needs no mark."""
        self._line("", text)

    def mined(self, what: str, done: Receipt | ActionReceipt) -> None:
        """Tell what went on chain, and its gas."""
        if done.gas_used is None or done.block is None:
            self._line("[yellow]chain  [/yellow]", f"{what} (sent, not mined yet)")
            return
        self.chain(what, gas=done.gas_used, where=f"block {done.block.number}")

    def chain(self, what: str, *, gas: int, where: str) -> None:
        """Tell what went on chain in one transaction or several."""
        self._gas += gas
        self._line("[yellow]chain  [/yellow]", f"{what} ({where}, {gas:,} gas)")

    def answered(self, text: str) -> None:
        """Tell what the gatekeeper answered."""
        self._line("[green]answer [/green]", text)

    def refused(self, what: str, refusal: MedaccordError) -> None:
        """Tell that somebody refused, and why."""
        why = (
            f"{refusal.reason.value}: {refusal.detail}"
            if isinstance(refusal, AccessRefused)
            else str(refusal)
        )
        self._line("[red]refused[/red]", f"{what}: {why}")

    def detected(self, what: str, error: MedaccordError) -> None:
        """Tell that something done behind the gatekeeper's back was found."""
        self._line("[magenta]found  [/magenta]", f"{what}: {error}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Show rows."""
        table = Table(*columns, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self._console.print(table)

    def _line(self, mark: str, text: str) -> None:
        self._console.print(f"   {mark or '       '} {escape(text)}", highlight=False)


def short(value: Digest | str) -> str:
    """The beginning of a hash or an address, enough to recognise it."""
    text = value if isinstance(value, str) else "0x" + value.hex()
    return f"{text[:10]}…"
