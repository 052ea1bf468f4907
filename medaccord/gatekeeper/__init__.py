"""The gatekeeper: the HTTP service in front of one steward's records."""

from medaccord.gatekeeper.importing import ImportReport
from medaccord.gatekeeper.server import RunningServer
from medaccord.gatekeeper.service import BOUNDS, Gatekeeper

__all__ = ["BOUNDS", "Gatekeeper", "ImportReport", "RunningServer"]
