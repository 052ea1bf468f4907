"""The story as it was told, by chapters."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from medaccord.demo import play

_CHAPTER = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)
_GAS = re.compile(r"^ +chain .*\((?P<where>[^()]+), (?P<gas>[\d,]+) gas\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tale:
    """What a person reads who plays the story."""

    text: str

    def chapter(self, number: int) -> str:
        """The text of a chapter without its title."""
        titles = {int(title[1]): title for title in _CHAPTER.finditer(self.text)}
        following = titles.get(number + 1)
        return self.text[titles[number].end() : following.start() if following else None]

    @property
    def chapters(self) -> list[int]:
        return [int(title[1]) for title in _CHAPTER.finditer(self.text)]

    def lines(self, number: int, mark: str) -> list[str]:
        """The lines of a chapter with a mark such as ``refused``, without it."""
        found = (line.strip() for line in self.chapter(number).splitlines())
        return [line.removeprefix(mark).strip() for line in found if line.startswith(mark)]

    def gas(self, number: int | None = None) -> list[int]:
        """Gas of each transaction told, of a chapter or of all."""
        text = self.text if number is None else self.chapter(number)
        return [int(found["gas"].replace(",", "")) for found in _GAS.finditer(text)]


def tell(bundle: bytes, *, folder: Path | None = None) -> Tale:
    """Play the story, and keep what was said."""
    told = io.StringIO()
    play(bundle, Console(file=told, width=10_000), folder=folder)
    return Tale(told.getvalue())
