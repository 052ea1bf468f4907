"""Whom connections by TLS trust: the system's certificate authorities, or those the user names."""

import ssl
from functools import cache

import httpx

__all__ = ["trusted"]


@cache
def trusted() -> ssl.SSLContext:
    """The authorities as they are when first asked for; reading them takes a tenth of a second.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name others, as everywhere with OpenSSL.
    """
    return httpx.create_ssl_context()
