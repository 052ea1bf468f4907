"""For programs of patients, organisations and members: the chain, and gatekeepers by HTTP."""

from medaccord.client.consortium import Admission, Consortium
from medaccord.client.patient import Patient
from medaccord.client.provider import Provider

__all__ = ["Admission", "Consortium", "Patient", "Provider"]
