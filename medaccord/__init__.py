"""Patients decide who reads their medical records; hospitals keep them, and a chain the consent."""

__version__ = "0.1.0"

__all__ = ["__version__"]
