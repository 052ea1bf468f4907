"""What users import stays where it is: a name that moves or goes is a decision, not an accident."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import get_type_hints

import pytest

import medaccord
from medaccord import client
from medaccord.client import (
    ActionReceipt,
    Consortium,
    OpenedEmergency,
    Provider,
    breaking_glass,
    consents,
    delegates,
    emergency,
    recovery,
    relationships,
)

OF_THE_PACKAGE = ["Consortium", "Patient", "Provider", "__version__", "connect"]

OF_THE_CLIENT = [
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

# What hangs on a patient, a provider and a seat in the consortium.
OF_A_PATIENT = {
    "relationships": {"accept", "decline", "end", "enrol", "list", "propose"},
    "inbox": {"as_fhir", "deny", "list", "receive"},
    "consents": {
        *("as_fhir", "from_fhir", "get", "grant", "history", "offer", "revoke", "revoke_all"),
        *("terms", "terms_of"),
    },
    "records": {"everything", "pointer", "provenance", "read", "search", "vread"},
    "audit": {"as_fhir", "check_receipt", "list", "verify"},
    "delegates": {"add", "list", "remove"},
    "emergency": {"allow", "close", "forbid", "is_forbidden", "list", "reason_of"},
    "recovery": {"cancel", "protect", "rotate", "state"},
}
OF_A_PROVIDER = {
    "relationships": {"accept", "decline", "end", "list", "propose"},
    "requests": {"as_fhir", "cancel", "draft", "from_fhir", "leave", "list", "send", "terms"},
    "consents": {"history"},
    "records": {"everything", "pointer", "provenance", "read", "search", "vread"},
    "emergency": {"disclose", "match", "open", "undisclosed"},
}
OF_BOTH = {"access", "account", "close", "directory", "notices", "purpose", "steward"}
OF_A_SEAT = {
    "account",
    "approve",
    "approvers",
    "execute",
    "has_majority",
    "motions",
    "organisations",
    "propose",
    "withdraw",
}

# What changes the chain, of each of the classes behind those: nothing else waits for a block.
CHANGING: dict[type, set[str]] = {
    relationships.PatientRelationships: {"accept", "decline", "end", "enrol", "propose"},
    relationships.StewardRelationships: {"accept", "decline", "end", "propose"},
    consents.PatientConsents: {"grant", "offer", "revoke", "revoke_all"},
    delegates.Delegates: {"add", "remove"},
    emergency.PatientEmergency: {"allow", "close", "forbid"},
    breaking_glass.ProviderEmergency: {"open"},
    recovery.Recovery: {"cancel", "protect", "rotate"},
    Provider: {"publish"},
    Consortium: {"approve", "execute", "withdraw"},
}


@pytest.mark.parametrize("kind", CHANGING, ids=lambda kind: kind.__name__)
def test_what_changes_the_chain_can_be_waited_for_and_gives_a_receipt(kind: type) -> None:
    functions = inspect.getmembers(kind, inspect.isfunction)
    methods = {name: get_type_hints(each) for name, each in functions if name[0] != "_"}
    given = {name: hints["return"] for name, hints in methods.items() if "wait" in hints}
    assert given.keys() == CHANGING[kind]
    assert set(given.values()) <= {ActionReceipt, OpenedEmergency}
    assert get_type_hints(OpenedEmergency)["receipt"] is ActionReceipt
    sent = {name for name, hints in methods.items() if ActionReceipt in hints.values()}
    assert sent <= CHANGING[kind]


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_package_gives_these_names_and_no_others() -> None:
    assert medaccord.__all__ == OF_THE_PACKAGE
    assert {name: getattr(medaccord, name) for name in OF_THE_PACKAGE if name[0] != "_"} == {
        name: getattr(client, name) for name in OF_THE_PACKAGE if name[0] != "_"
    }


def test_client_gives_these_names_and_no_others() -> None:
    assert client.__all__ == OF_THE_CLIENT
    assert [name for name in OF_THE_CLIENT if not hasattr(client, name)] == []


def test_package_says_what_it_has_not() -> None:
    with pytest.raises(AttributeError) as refused:
        medaccord.Doctor  # noqa: B018  # asking for it is the fault
    assert str(refused.value) == "module 'medaccord' has no attribute 'Doctor'"


def test_package_names_what_it_has_before_it_was_asked_for() -> None:
    assert set(OF_THE_PACKAGE) <= set(dir(medaccord))


def test_importing_the_package_alone_loads_nothing_else() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, medaccord; print(*sys.modules)"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout.split()
    assert [name for name in told if name.startswith(("medaccord.", "web3", "httpx"))] == []
