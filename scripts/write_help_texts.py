"""Write what `--help` says into README.md and docs/commands.md.

The words are those of the command line itself; they are set plainly, 96 columns wide, with no
colour and no frames, whatever the terminal. README.md has the root and what each group has;
docs/commands.md has every command whole.

    make commands
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from medaccord.cli.app import app

ROOT: Final = Path(__file__).resolve().parents[1]
README: Final = ROOT / "README.md"
COMMANDS: Final = ROOT / "docs" / "commands.md"
NAME: Final = "medaccord"
WIDTH: Final = 96

_PART: Final = re.compile(r"(<!-- help: (\w+) -->\n).*?(<!-- end of help -->\n)", re.DOTALL)
_PAGE: Final = """\
# Commands

What `--help` says of each command. [Running a gatekeeper](running.md) and `.env.example` explain
the settings, such as `MEDACCORD_RPC_URL`; `medaccord doctor` shows where each of them is from. A
command ends with 0 when it is done, with 1 when it was refused or failed, and with 2 when what was
typed or handed in was wrong.

"""


def main() -> None:
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")


def texts() -> dict[Path, str]:
    """What the two files should be."""
    helps = dict(_helps(get_command(app), NAME, None))
    groups = [text for name, text in helps.items() if "\nCommands:\n" in text and name != NAME]
    parts = {"root": _block(helps[NAME]), "groups": "\n".join(_block(_list(g)) for g in groups)}
    readme = _PART.sub(
        lambda found: f"{found[1]}\n{parts[found[2]]}\n{found[3]}", README.read_text("utf-8")
    )
    sections = (
        f"{'#' * (name.count(' ') + 2)} {name}\n\n{_block(text)}" for name, text in helps.items()
    )
    return {README: readme, COMMANDS: _PAGE + "\n".join(sections)}


def _block(text: str) -> str:
    return f"```text\n{text}```\n"


def _list(text: str) -> str:
    """Of the help of a group, all but the options, which a command has too."""
    return re.sub(r"Options:\n.*?\n\n", "", text, flags=re.DOTALL)


def _helps(command: Any, path: str, above: Any) -> Iterator[tuple[str, str]]:
    """Each command with what is in it, by what is typed for it."""
    command.rich_markup_mode = None
    context = command.make_context(
        path.rpartition(" ")[2], [], parent=above, resilient_parsing=True, terminal_width=WIDTH
    )
    formatter = context.make_formatter()
    below: Mapping[str, Any] = getattr(command, "commands", {})
    for each in below.values():
        each.short_help = each.help.split("\n\n")[0]  # whole, where it would be cut
    # Past `LazyGroup`, which tells of commands that it has not loaded.
    (TyperGroup if below else TyperCommand).format_help(command, context, formatter)
    yield path, formatter.getvalue().rstrip("\n") + "\n"
    for name, each in below.items():
        yield from _helps(each, f"{path} {name}", context)


if __name__ == "__main__":
    main()
