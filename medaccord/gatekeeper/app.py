"""The HTTP application: every router of a gatekeeper behind one boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from medaccord import __version__
from medaccord.gatekeeper import (
    access_api,
    audit,
    backend_services,
    consents,
    directory,
    enrolment,
    everything_api,
    fhir_api,
    health,
    inbox_api,
    match_api,
    notice_api,
    openings,
    refusals,
    relay,
    sign_in,
    smart_configuration,
    webhook_api,
)
from medaccord.gatekeeper.boundary import Boundary
from medaccord.gatekeeper.fhir_answers import FhirAnswers
from medaccord.gatekeeper.observing import Observed
from medaccord.gatekeeper.openapi import PATH, Documented

if TYPE_CHECKING:
    from medaccord.gatekeeper.service import Gatekeeper


def create_app(gatekeeper: Gatekeeper, url: str) -> ASGIApp:
    """Make the application of a gatekeeper.

    Args:
        gatekeeper: what it serves.
        url: where it is reached from outside, without a slash at the end. People sign in to this
            address and no other, whatever a request says its host is.
    """
    app = Documented(
        title="medaccord gatekeeper",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=PATH,
        redirect_slashes=False,
    )
    refusals.install(app)
    desk = gatekeeper.sign_in(url)
    asking, answers = gatekeeper.fhir_requests(desk), FhirAnswers(url)
    for router in (
        sign_in.routes(desk),
        backend_services.routes(gatekeeper.backend_services(url)),
        smart_configuration.routes(url),
        enrolment.routes(gatekeeper.enrolment, gatekeeper.steward),
        relay.routes(gatekeeper.relay),
        openings.routes(gatekeeper.openings, desk),
        consents.routes(gatekeeper.consents, desk),
        inbox_api.routes(gatekeeper.inbox, desk),
        notice_api.routes(gatekeeper.telling, desk),
        webhook_api.routes(gatekeeper.webhooks, desk),
        match_api.routes(gatekeeper.matching, asking, answers, gatekeeper.network.chain_id),
        everything_api.routes(gatekeeper.questions, asking, answers),
        fhir_api.routes(gatekeeper.questions, asking, answers, url),
        access_api.routes(gatekeeper.access, gatekeeper.watching, desk),
        audit.routes(gatekeeper.audit, desk, url),
        directory.routes(gatekeeper.directory),
        health.routes(gatekeeper.readying),
    ):
        app.include_router(router)
    return Observed(Boundary(app), gatekeeper.metrics)
