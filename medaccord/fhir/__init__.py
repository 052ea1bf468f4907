"""FHIR R4 in and out, losslessly: Bundles, searches and their answers, consents and the like."""

from medaccord.fhir.answers import (
    RECEIPT_EXTENSION,
    RECORD_PROOF_EXTENSION,
    AnswerEntry,
    SearchSet,
    parse_searchset,
    searchset,
)
from medaccord.fhir.bundle import PatientBundle, read_bundle
from medaccord.fhir.collecting import collection
from medaccord.fhir.consent import StatedConsent, consent_resource
from medaccord.fhir.consent_reading import read_consent, reopen_consent, terms_of
from medaccord.fhir.label_table import LabelTable
from medaccord.fhir.outcomes import Outcome, operation_outcome, parse_outcome
from medaccord.fhir.resource import DIRECTORY_TYPES, Resource
from medaccord.fhir.resources import UNLABELLED, describe
from medaccord.fhir.search import ACCOUNT_SYSTEM, SearchQuery
from medaccord.fhir.search_values import Searchable
from medaccord.fhir.source import Source

__all__ = [
    "ACCOUNT_SYSTEM",
    "DIRECTORY_TYPES",
    "RECEIPT_EXTENSION",
    "RECORD_PROOF_EXTENSION",
    "UNLABELLED",
    "AnswerEntry",
    "LabelTable",
    "Outcome",
    "PatientBundle",
    "Resource",
    "SearchQuery",
    "SearchSet",
    "Searchable",
    "Source",
    "StatedConsent",
    "collection",
    "consent_resource",
    "describe",
    "operation_outcome",
    "parse_outcome",
    "parse_searchset",
    "read_bundle",
    "read_consent",
    "reopen_consent",
    "searchset",
    "terms_of",
]
