"""Progress on standard error: shown on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is while the block runs.

    Args:
        what: one word or a name, in front of the bar.

    Yields:
        To be told how many are done, of how many.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def spinner(what: str) -> AbstractContextManager[object]:
    """Show that something runs which cannot say how far it is, while the block runs.

    Args:
        what: is being done.
    """
    console = Console(stderr=True)
    return console.status(what) if console.is_terminal else nullcontext()
