"""Over TLS the checked address is dialled, and the name is what the certificate must show."""

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paynexus import ids
from paynexus.ids import EndpointId
from paynexus.notification import webhook
from paynexus.notification.addresses import parse_networks
from paynexus.notification.channel import RESPONSE_BYTES_MAX, WebhookChannel
from paynexus.notification.port import Message
from paynexus.sealing import Vault

NAME = "hooks.merchant.example"
VAULT = Vault(bytes(32))


class Merchant(BaseHTTPRequestHandler):
    """Answers with the Host it was asked for, and a long body."""

    def do_POST(self) -> None:
        """Read all, answer at length."""
        self.rfile.read(int(self.headers["content-length"]))
        body = (self.headers["host"] + "\0" + "x" * 100_000).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Nothing is logged."""


class TlsServer(ThreadingHTTPServer):
    """A server whose refused handshakes are nobody's error."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """The client hung up."""


@pytest.fixture
def certificate(tmp_path: Path, now: dt.datetime) -> Path:
    """A certificate of NAME and its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """The port of a server with this certificate, on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = TlsServer(("127.0.0.1", 0), Merchant)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def message(url: str, now: dt.datetime) -> Message:
    """Something to post to `url`."""
    endpoint_id = EndpointId(ids.new_id())
    sealed = VAULT.seal(webhook.new_secret(), owner=endpoint_id)
    return Message(endpoint_id, url, "evt_1", b"{}", (sealed,), now)


def channel(trusted: ssl.SSLContext | None) -> WebhookChannel:
    """A channel for which every name leads to loopback."""
    networks = parse_networks(["127.0.0.0/8"])
    return WebhookChannel(VAULT, networks, resolve=lambda *_: ["127.0.0.1"], tls=trusted)


def test_name_is_shown_and_verified(certificate: Path, port: int, now: dt.datetime) -> None:
    """The address came from the resolver, Host and certificate are the name's."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    receipt = channel(trusted).send(message(f"https://{NAME}:{port}/hook", now))

    assert (receipt.status_code, receipt.error) == (200, None)
    assert receipt.response.startswith(f"{NAME}:{port}x")
    assert len(receipt.response) < RESPONSE_BYTES_MAX


def test_certificate_of_another_name_is_refused(
    certificate: Path, port: int, now: dt.datetime
) -> None:
    """Nothing is posted to whoever answers at the address."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    receipt = channel(trusted).send(message(f"https://other.example:{port}/hook", now))

    assert receipt.status_code is None
    assert receipt.error is not None
    assert "Hostname mismatch" in receipt.error


def test_untrusted_certificate_is_refused(port: int, now: dt.datetime) -> None:
    """A name alone proves nothing."""
    receipt = channel(None).send(message(f"https://{NAME}:{port}/hook", now))

    assert receipt.status_code is None
    assert receipt.error is not None
    assert receipt.error.startswith("SSLCertVerificationError")


def test_unknown_name_is_a_failure_in_words(now: dt.datetime) -> None:
    """A name that can't be resolved is no exception."""

    def resolve(host: str, port: int) -> list[str]:
        raise OSError(f"no address for {host}:{port}")

    unresolved = WebhookChannel(VAULT, (), resolve=resolve)
    receipt = unresolved.send(message(f"https://{NAME}/", now))

    assert receipt.error == f"OSError: no address for {NAME}:443"
