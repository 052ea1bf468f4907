"""What a script is told by options, and asks for where they are missing: at a terminal alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click
from ape.cli import AccountAliasPromptChoice


class _AskedOption(click.Option):
    """An option that must be given where there is nobody to ask."""

    def prompt_for_value(self, ctx: click.Context) -> Any:
        """Ask for it."""
        if not at_terminal():
            raise click.MissingParameter(ctx=ctx, param=self)
        return super().prompt_for_value(ctx)


def at_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def asked_option(name: str, question: str, **more: Any) -> Callable[..., Any]:
    """An option that is asked for where it is missing."""
    return click.option(name, cls=_AskedOption, prompt=question, required=True, **more)


def key_option(name: str, whose: str) -> Callable[..., Any]:
    """An option that names an account of Ape, asked for where it is missing."""

    def found(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is not None:
            return value
        if not at_terminal():
            raise click.MissingParameter(ctx=context, param=parameter)
        return kind.select_account()

    kind = AccountAliasPromptChoice(prompt_message=f"The account of {whose}")
    about = f"Account of Ape: {whose}."
    return click.option(name, type=kind, callback=found, help=about)


def optional_key(name: str, about: str) -> Callable[..., Any]:
    """An option that may name an account of Ape."""
    return click.option(name, type=AccountAliasPromptChoice(), help=about)


def answer(question: str, *, option: str) -> str:
    """What a person types.

    Args:
        question: What is asked.
        option: What would have said it.

    Raises:
        UsageError: There is nobody to ask.
    """
    if not at_terminal():
        raise click.UsageError(f"Missing option {option}.")
    return str(click.prompt(question))


def choose(what: str, found: Mapping[str, str], *, option: str) -> str:
    """Which of several a person means.

    Args:
        what: What they are.
        found: Each, with words that say what it is.
        option: What would have said it.

    Raises:
        UsageError: There is none, or nobody to ask.
    """
    if not found:
        raise click.UsageError(f"There is no {what} to choose from.")
    if not at_terminal():
        raise click.UsageError(f"Missing option {option}: there are {', '.join(found)}.")
    for number, (each, words) in enumerate(found.items(), start=1):
        click.echo(f"{number}. {each}\n   {words}")
    number = int(click.prompt(f"Which {what}", type=click.IntRange(1, len(found))))
    names = tuple(found)
    return names[number - 1]
