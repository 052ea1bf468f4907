"""Posting: to checked addresses alone, under the name's own certificate, within a time."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from medaccord.chain.trust import trusted
from medaccord.core.errors import InvalidRequest, TransportError
from medaccord.gatekeeper.posting import Posting
from tests.integration.gatekeeper.receiver import Receiver, receiving

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
BODY = b"{}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[fec0::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::7f00:1]/",
        "https://[64:ff9b:1::a00:1]/",
        "http://example.org/",
        "ftp://example.org/",
        "https://user:secret@example.org/",
        "https://example.org/#part",
        "https:///",
        "https://example.org:0/",
        "https://example.org:99999/",
        "example.org",
        "",
        "https://example.org/" + "a" * 2000,
        "https://exa mple.org/",
        "https://example.org/\n",
    ],
)
def test_address_is_refused_when_it_can_never_be_posted_to(url: str) -> None:
    with pytest.raises(InvalidRequest):
        Posting().check(url)


@pytest.mark.parametrize(
    "url", ["https://example.org/", "https://example.org:8443/a?b=c", "https://[2001:4860::1]/"]
)
def test_address_is_taken_when_it_is_public(url: str) -> None:
    Posting().check(url)


def test_address_is_taken_when_it_is_in_a_network_of_the_stewards() -> None:
    inside = Posting(networks=(ip_network("10.0.0.0/8"),))
    inside.check("http://10.1.2.3/")
    with pytest.raises(InvalidRequest):
        inside.check("http://11.1.2.3/")


# What a system's resolver takes for 127.0.0.1, whatever it looks like.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433"])
def test_nobody_is_connected_to_when_the_name_leads_inside(receiver: Receiver, host: str) -> None:
    with pytest.raises(TransportError, match=r"not posted to from here|cannot be looked up"):
        Posting().post(f"https://{host}:{receiver.port}/", {}, BODY)
    assert receiver.posted == []


def test_nobody_is_connected_to_in_clear_when_the_network_is_another(receiver: Receiver) -> None:
    posting = Posting(networks=(ip_network("10.0.0.0/8"),))
    with pytest.raises(TransportError, match="not posted to from here"):
        posting.post(f"http://localhost:{receiver.port}/", {}, BODY)
    assert receiver.posted == []


def test_host_is_told_by_name_when_it_is_connected_to_by_address(receiver: Receiver) -> None:
    posting = Posting(networks=LOOPBACK)
    assert posting.post(f"http://localhost:{receiver.port}/x", {"a": "b"}, BODY) == 204
    (posted,) = receiver.posted
    assert posted.headers["host"] == f"localhost:{receiver.port}"
    assert (posted.path, posted.headers["a"], posted.body) == ("/x", "b", BODY)


def test_post_is_given_up_when_the_answer_takes_too_long(receiver: Receiver) -> None:
    let_go = threading.Event()
    receiver.answer = lambda _: 204 if let_go.wait(10) else 500
    posting = Posting(networks=LOOPBACK, timeout=timedelta(seconds=0.3))
    with pytest.raises(TransportError, match=r"no answer within 0\.3 s"):
        posting.post(receiver.url, {}, BODY)
    let_go.set()


def test_post_is_broken_off_when_posting_is_stopped(receiver: Receiver) -> None:
    let_go = threading.Event()
    receiver.answer = lambda _: 204 if let_go.wait(10) else 500
    posting = Posting(networks=LOOPBACK)
    threading.Timer(0.2, posting.stop).start()
    with pytest.raises(TransportError, match="being stopped"):
        posting.post(receiver.url, {}, BODY)
    let_go.set()


# --- TLS ---


@contextmanager
def over_tls(receiver: Receiver, folder: Path, name: str) -> Iterator[None]:
    """Have a receiver speak TLS, with a certificate for a name, and have that trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "receiver.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    receiver.speak_tls(context)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(pem))
        trusted.cache_clear()
        yield
    trusted.cache_clear()


def test_post_is_taken_when_the_certificate_is_the_names(
    receiver: Receiver, tmp_path: Path
) -> None:
    with over_tls(receiver, tmp_path, "localhost"):
        posting = Posting(networks=LOOPBACK)
        assert posting.post(f"https://localhost:{receiver.port}/", {}, BODY) == 204


def test_nothing_is_posted_when_the_certificate_is_anothers(
    receiver: Receiver, tmp_path: Path
) -> None:
    with over_tls(receiver, tmp_path, "elsewhere.example"):
        posting = Posting(networks=LOOPBACK)
        with pytest.raises(TransportError, match="nobody can be connected to there"):
            posting.post(f"https://localhost:{receiver.port}/", {}, BODY)
    assert receiver.posted == []
