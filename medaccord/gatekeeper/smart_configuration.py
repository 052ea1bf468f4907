"""How to sign in, for clients that ask: what works here, and nothing that does not.

There is no authorization endpoint, since no person signs in through a browser, and so no PKCE.

Source: SMART App Launch 2.2, "Using .well-known".
"""

from fastapi import APIRouter
from pydantic import BaseModel

from medaccord.core.key_sets import ALGORITHMS
from medaccord.gatekeeper.backend_services import GRANT_TYPE, TOKEN_PATH
from medaccord.gatekeeper.openapi import REFUSALS, Tag
from medaccord.gatekeeper.tokens import SCOPE

_PATH = ".well-known/smart-configuration"


class SmartConfiguration(BaseModel):
    """What a SMART client is told."""

    token_endpoint: str
    grant_types_supported: tuple[str, ...] = (GRANT_TYPE,)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    scopes_supported: tuple[str, ...] = (SCOPE,)
    capabilities: tuple[str, ...] = ("client-confidential-asymmetric", "permission-v2")


def routes(url: str) -> APIRouter:
    """GET /.well-known/smart-configuration, and the same under /fhir."""
    router = APIRouter(tags=[Tag.SIGN_IN])

    @router.get(f"/{_PATH}", summary="How SMART clients sign in", responses=REFUSALS)
    @router.get(f"/fhir/{_PATH}", summary="How SMART clients sign in", responses=REFUSALS)
    def configuration() -> SmartConfiguration:
        return SmartConfiguration(token_endpoint=url + TOKEN_PATH)

    return router
