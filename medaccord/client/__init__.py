"""For programs of patients, organisations and members: the chain, and gatekeepers by HTTP."""

from medaccord.client.access import AccessCheck, AccessQuestions
from medaccord.client.audit_log import VerifiedLog
from medaccord.client.believing import ReleasedRecord
from medaccord.client.consortium import Admission, Consortium
from medaccord.client.history import GivenConsent, SeenEmergency
from medaccord.client.inbox import ReceivedRequest
from medaccord.client.matching import MatchedPatient
from medaccord.client.notices import AccountNotices, MadeWebhook, verify_webhook
from medaccord.client.patient import Enrolled, Patient
from medaccord.client.provider import OpenedEmergency, Provider
from medaccord.client.reading import Answer
from medaccord.client.relay import Relayed

__all__ = [
    "AccessCheck",
    "AccessQuestions",
    "AccountNotices",
    "Admission",
    "Answer",
    "Consortium",
    "Enrolled",
    "GivenConsent",
    "MadeWebhook",
    "MatchedPatient",
    "OpenedEmergency",
    "Patient",
    "Provider",
    "ReceivedRequest",
    "Relayed",
    "ReleasedRecord",
    "SeenEmergency",
    "VerifiedLog",
    "verify_webhook",
]
