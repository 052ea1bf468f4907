"""What a page shows of commands and their output, held to what they say when they are run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MARK: Final = "\x1e"
_END: Final = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A command, and the lines a page shows below it."""

    command: str
    lines: list[str]

    @property
    def fails(self) -> bool:
        return bool(self.lines) and self.lines[-1].startswith("medaccord: ")


def shown_in(text: str) -> list[Shown]:
    """The commands of a block, each with what is shown of it."""
    found: list[Shown] = []
    goes_on = False
    for line in text.splitlines():
        if goes_on:
            found[-1] = Shown(command=f"{found[-1].command}\n{line}", lines=[])
        elif line.startswith("$ "):
            found.append(Shown(command=line[2:], lines=[]))
        else:
            found[-1].lines.append(line)
        goes_on = line.endswith("\\") and not found[-1].lines
    return found


def script_of(shown: list[Shown]) -> str:
    """What runs the commands with a mark before what each says, and the code after it."""
    pieces = []
    for each in shown:
        lenient = ("set +e\n", "set -e\n") if each.fails else ("", "")
        pieces.append(
            f"printf '{_MARK}'\n{lenient[0]}{each.command}\nprintf '{_END}%s' $?\n{lenient[1]}"
        )
    return "".join(pieces)


def check_said(shown: list[Shown], said: str, where: str) -> None:
    """Hold what the commands said to what the page shows.

    Raises:
        AssertionError: one said something else, or ended another way.
    """
    answers = [each.rpartition(_END) for each in said.split(_MARK)[1:]]
    assert len(answers) == len(shown), f"{where}\n{said}"
    for each, (answer, _, code) in zip(shown, answers, strict=True):
        assert (code != "0") == each.fails, f"{where}: {each.command}\n{answer}"
        pattern = "".join(map(_pattern, each.lines))
        assert re.fullmatch(pattern, answer), f"{where}: {each.command}\n{answer}"


def _pattern(line: str) -> str:
    """What a line that a page shows stands for.

    A line of `…` alone stands for any lines, and `…` in a line for anything there. Every address
    and hash is another each time, and so are days and times.
    """
    if line.strip() == "…":
        return r"(?:.*\n)*"
    return r"\s+".join(map(_part, re.split(r"\t| {2,}", line))) + r"\n"


def _part(text: str) -> str:
    pattern = re.escape(text).replace("…", ".*")
    pattern = re.sub(r"0x(?:[0-9a-fA-F]+|\.\*)", "0x[0-9a-fA-F]+", pattern)
    pattern = re.sub(r"\d{4}\\-\d\d\\-\d\d", r"\\d{4}-\\d\\d-\\d\\d", pattern)
    return re.sub(r"\d\d:\d\d(?::\d\d)?", r"\\d\\d:\\d\\d(?::\\d\\d)?", pattern)
