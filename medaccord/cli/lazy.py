"""A group of commands that imports a command when it is called, and none to tell which there are.

A gatekeeper and a chain take seconds to import; whoever asks for help, or mistypes, waits for none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["Lazy", "LazyGroup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lazy:
    """A command, or a group of some, that is not imported yet.

    Attributes:
        place: ``module:name`` of a function or a `typer.Typer`.
        help: its first sentence, as it says it itself.
    """

    place: str
    help: str

    def load(self, name: str) -> Any:
        """Import it.

        Args:
            name: what it is called by.
        """
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            return get_command(alone)
        # Only the root offers completion.
        found._add_completion = False
        command = get_command(found)
        command.name = name
        return command


class LazyGroup(TyperGroup):
    """The group of what stands in `table`, in its order.

    Attributes:
        table: what there is, by what it is called.
    """

    table: ClassVar[Mapping[str, Lazy]] = {}

    def __init__(self, **attrs: Any) -> None:
        """Take what typer hands over."""
        super().__init__(**attrs)
        self.commands = _Loaded(self.table)
        self._is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """What there is."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command; while all are listed only what is said of it there."""
        if self._is_listing and cmd_name in self.table:
            return TyperCommand(cmd_name, help=self.table[cmd_name].help)
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Tell what there is."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Tell what begins so."""
        self._is_listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._is_listing = False


class _Loaded(MutableMapping[str, Any]):
    """Commands by name, each imported when it is first looked up."""

    def __init__(self, table: Mapping[str, Lazy]) -> None:
        self._table = table
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._table[name].load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)
