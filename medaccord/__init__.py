"""Patients decide who reads their medical records; hospitals keep them, and a chain the consent.

    from medaccord import Consortium, Patient, Provider, connect

The four are looked up when they are first asked for, so that `import medaccord` costs nothing.
Source: PEP 562.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medaccord.client import Consortium, Patient, Provider, connect

__version__ = "0.1.0"

__all__ = ["Consortium", "Patient", "Provider", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    """Look one of the four up."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module("medaccord.client"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Name them before they were looked up."""
    return sorted({*globals(), *__all__})
