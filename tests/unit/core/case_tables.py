"""Tables of cases in Markdown, which people read and tests put to the program."""

from collections.abc import Sequence
from pathlib import Path


def rows_of(path: Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """The rows of every table with just these columns, each with the number of its line."""
    rows: list[tuple[int, list[str]]] = []
    head: list[str] | None = None
    for line, text in enumerate(path.read_text().splitlines(), start=1):
        if not text.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        if head is None:
            head = cells
        elif head == list(columns) and not set(text) <= set("|-"):
            rows.append((line, cells))
    return rows
