"""Patients decide who reads their medical records; hospitals keep them; a chain holds the consent."""

__version__ = "0.1.0"

__all__ = ["__version__"]
