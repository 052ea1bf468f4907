"""For programs of patients, organisations and members: the chain, and gatekeepers by HTTP."""

from medaccord.client.access import AccessCheck, AccessQuestions
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.audit_log import VerifiedLog
from medaccord.client.believing import ReleasedRecord
from medaccord.client.breaking_glass import OpenedEmergency
from medaccord.client.connecting import connect
from medaccord.client.consortium import Admission, Consortium
from medaccord.client.delegates import Delegate
from medaccord.client.emergency import SeenEmergency
from medaccord.client.exporting import ExportedFile
from medaccord.client.given_consents import GivenConsent
from medaccord.client.matching import MatchedPatient
from medaccord.client.notices import AccountNotices, MadeWebhook, verify_webhook
from medaccord.client.organisations import Organisation
from medaccord.client.pages import Page, RecordPages
from medaccord.client.patient import Patient
from medaccord.client.provider import Provider
from medaccord.client.received import ReceivedRequest
from medaccord.client.recovery import RecoveryState, RunningRecovery
from medaccord.client.relationships import Relationship, RelationshipState
from medaccord.client.requests import SentRequest

__all__ = [
    "AccessCheck",
    "AccessQuestions",
    "AccountNotices",
    "ActionReceipt",
    "Admission",
    "Consortium",
    "Delegate",
    "ExportedFile",
    "GivenConsent",
    "MadeWebhook",
    "MatchedPatient",
    "OpenedEmergency",
    "Organisation",
    "Page",
    "Patient",
    "Provider",
    "ReceivedRequest",
    "RecordPages",
    "RecoveryState",
    "Relationship",
    "RelationshipState",
    "ReleasedRecord",
    "RunningRecovery",
    "SeenEmergency",
    "SentRequest",
    "VerifiedLog",
    "connect",
    "verify_webhook",
]
