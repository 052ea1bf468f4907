"""The command line: ``medaccord``."""

from medaccord.cli.app import app, main

__all__ = ["app", "main"]
