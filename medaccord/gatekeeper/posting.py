"""Posting to addresses that others name: to the public internet, and where the steward allows it.

Whoever registers a webhook must not reach, through the gatekeeper, what only the gatekeeper can
reach. So a name is looked up here, every address it has is checked, and the connection is made to
one of those and not to the name; nobody is followed to another place; no answer is read.

Source: OWASP, Server-Side Request Forgery Prevention; IANA special-purpose address registries.
"""

import asyncio
import re
import socket
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final, TypeAlias

import httpx

from medaccord.chain.trust import trusted
from medaccord.core.errors import InvalidRequest, TransportError

Network: TypeAlias = IPv4Network | IPv6Network
_Ip: TypeAlias = IPv4Address | IPv6Address

MAX_URL: Final = 2_000
"""Characters of the longest address taken, inclusive."""

TIMEOUT: Final = timedelta(seconds=10)
"""How long a post may take, the look-up of the name included."""

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f.:]+", re.ASCII)
_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out to anybody (IANA, IPv6 address space); the rest leads elsewhere."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOOK_AGAIN: Final = 0.1  # seconds


class Posting:
    """Posts to addresses, each checked as it is connected to. Any thread may use it."""

    def __init__(self, *, networks: Iterable[Network] = (), timeout: timedelta = TIMEOUT) -> None:
        """Allow the public internet by https, and besides what is named.

        Args:
            networks: of the steward's own, that may be posted to as well, also in clear.
            timeout: how long a post may take.
        """
        self._networks = tuple(networks)
        self._timeout = timeout.total_seconds()
        self._stopped = threading.Event()

    def check(self, url: str) -> None:
        """Refuse an address that can never be posted to; a name is looked up at each post only.

        Raises:
            InvalidRequest: it is malformed, too long, neither https nor of the steward's own
                networks, or holds a password.
        """
        parsed = _parsed(url)
        if parsed.scheme == "http" and not self._networks:
            raise InvalidRequest("a webhook is told by https")
        try:
            literal = ip_address(_host(parsed))
        except ValueError:
            return  # a name
        if not self._is_allowed(literal, parsed.scheme):
            raise InvalidRequest("this address is none that is posted to from here")

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Post, and give the status of the answer.

        Raises:
            TransportError: nobody answered in time, or may be posted to there.
        """
        return asyncio.run(self._limited(url, headers, body))

    def stop(self) -> None:
        """Break off what is under way, and post no more."""
        self._stopped.set()

    async def _limited(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        posting = asyncio.create_task(self._post(url, headers, body))
        try:
            async with asyncio.timeout(self._timeout):
                while not posting.done():
                    if self._stopped.is_set():
                        raise TransportError("the gatekeeper is being stopped")
                    await asyncio.wait({posting}, timeout=_LOOK_AGAIN)
            return posting.result()
        except TimeoutError as error:
            raise TransportError(f"no answer within {self._timeout:g} s") from error
        finally:
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        parsed = _parsed(url)
        host = _host(parsed)
        failure: Exception | None = None
        async with httpx.AsyncClient(
            verify=trusted(),
            trust_env=False,  # a proxy would look the name up again
            follow_redirects=False,
            timeout=self._timeout,
        ) as client:
            for address in await self._addresses(host, parsed):
                request = client.build_request(
                    "POST",
                    parsed.copy_with(host=str(address)),
                    headers={**headers, "Host": parsed.netloc.decode("ascii")},
                    content=body,
                    extensions={"sni_hostname": host},
                )
                try:
                    answer = await client.send(request, stream=True)
                except httpx.ConnectError as error:
                    failure = error
                    continue
                except httpx.HTTPError as error:
                    raise TransportError(f"no answer: {type(error).__name__}") from error
                await answer.aclose()  # what it says is not read
                return answer.status_code
        raise TransportError("nobody can be connected to there") from failure

    async def _addresses(self, host: str, url: httpx.URL) -> list[_Ip]:
        """Every address of a name, each of which may be posted to."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise TransportError("the name cannot be looked up") from error
        addresses = list(dict.fromkeys(ip_address(each[4][0]) for each in found))
        if not all(self._is_allowed(each, url.scheme) for each in addresses):
            raise TransportError("the name leads to an address that is not posted to from here")
        return addresses

    def _is_allowed(self, address: _Ip, scheme: str) -> bool:
        if any(address in each for each in self._networks):
            return True
        return scheme == "https" and _is_public(address)


def _parsed(url: str) -> httpx.URL:
    """Read an address.

    Raises:
        InvalidRequest: it is none that can be posted to.
    """
    if len(url) > MAX_URL:
        raise InvalidRequest(f"the address of a webhook has at most {MAX_URL} characters")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequest("this is no address of a webhook") from error
    in_range = parsed.port is None or 0 < parsed.port < 1 << 16
    if parsed.scheme not in ("https", "http") or not _HOST.fullmatch(_host(parsed)) or not in_range:
        raise InvalidRequest("a webhook has an address such as https://example.org/notices")
    if parsed.userinfo or parsed.fragment:
        raise InvalidRequest("the address of a webhook holds no password and no fragment")
    return parsed


def _host(url: httpx.URL) -> str:
    """The host as it is looked up, in ASCII and without brackets."""
    return url.raw_host.decode("ascii").strip("[]")


def _is_public(address: _Ip) -> bool:
    """Whether an address is everybody's, and so is the one that it may stand for."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return _is_public(inner)
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
