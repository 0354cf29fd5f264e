"""Fetching and keeping foreign keys: from a server that answers in every way but the right one."""

import datetime as dt
import gzip
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paynexus.identity.issuers.fetching import DOCUMENT_BYTES_MAX, fetch
from paynexus.identity.issuers.keys import (
    FETCH_INTERVAL,
    FRESH_FOR,
    KEPT_FOR,
    KEY_SETS_MAX,
    FetchFailed,
    KeyCache,
)
from paynexus.identity.unverified import Refused
from tests.integration.issuer_world import Behaviour, IssuerServer, Signer, new_key, reply, set_of

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
ONE, TWO = (Signer("ES256", name, new_key("ES256")) for name in ("one", "two"))
KEYS = set_of(ONE.jwk)
quick = partial(fetch, deadline_seconds=0.3)


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    """An issuer that serves one key at /keys."""
    server = IssuerServer({"/keys": KEYS})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(server: IssuerServer) -> str:
    """Where the keys are; the query could be a secret."""
    return f"{server.url}/keys?token=canary"


def redirecting(handler: BaseHTTPRequestHandler) -> None:
    """The keys are elsewhere, it says."""
    reply(handler, 302, Location="/elsewhere")


def failing(handler: BaseHTTPRequestHandler) -> None:
    """The right document, under the wrong status."""
    reply(handler, 500, KEYS)


def created(handler: BaseHTTPRequestHandler) -> None:
    """Not even another success is a 200."""
    reply(handler, 201, KEYS)


def html(handler: BaseHTTPRequestHandler) -> None:
    """A page that asks for a login."""
    reply(handler, 200, b"<html>Sign in</html>")


def large(handler: BaseHTTPRequestHandler) -> None:
    """A megabyte of a good set."""
    reply(handler, 200, KEYS[:-1] + b" " * 1_000_000 + b"}")


def packed(handler: BaseHTTPRequestHandler) -> None:
    """Compressed though nobody asked: what it unpacks to is not looked at."""
    reply(handler, 200, gzip.compress(KEYS), **{"Content-Encoding": "gzip"})


def torn(handler: BaseHTTPRequestHandler) -> None:
    """Half of what was promised."""
    reply(handler, 200, KEYS[:20], **{"Content-Length": str(len(KEYS))})


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    """No answer at all."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    """No HTTP."""
    handler.wfile.write(b"\0\1\2\3")


def many(handler: BaseHTTPRequestHandler) -> None:
    """Fifty-one keys."""
    reply(handler, 200, set_of(*({**ONE.jwk, "kid": str(n)} for n in range(51))))


def twice(handler: BaseHTTPRequestHandler) -> None:
    """A member stands twice."""
    reply(handler, 200, KEYS.replace(b'"kid":', b'"kid": "a", "kid":'))


BROKEN: dict[str, Callable[[IssuerServer], Behaviour]] = {
    **{
        behave.__name__: lambda _, behave=behave: behave  # type: ignore[misc]
        for behave in (redirecting, failing, created, html, large, packed, torn)
    },
    **{
        behave.__name__: lambda _, behave=behave: behave  # type: ignore[misc]
        for behave in (hanging_up, nonsense, many, twice)
    },
    "hang": lambda server: server.hang,
    "drip": lambda server: server.drip,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_a_refusal(
    server: IssuerServer, url: str, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It says so without the address's query, asks no second time, and recovers by itself."""
    server.answers |= {"/keys": BROKEN[name](server), "/elsewhere": KEYS}
    keys = KeyCache(quick)
    for attempt in range(50):
        with pytest.raises(Refused):
            keys.find(url, "one", now=NOW + attempt * FETCH_INTERVAL / 50)
    printed = "".join(capfd.readouterr())
    asked = sum(server.asked.values())
    server.answers["/keys"] = KEYS

    assert asked == 1
    assert "IssuerKeysUnavailable" in printed
    assert "canary" not in printed
    assert keys.find(url, "one", now=NOW + FETCH_INTERVAL).kid == "one"


@pytest.mark.parametrize("name", BROKEN)
def test_former_keys_are_kept_for_an_hour_while_fetching_fails(
    server: IssuerServer, url: str, name: str
) -> None:
    """And not a second longer."""
    keys = KeyCache(quick)
    keys.find(url, "one", now=NOW)
    server.answers |= {"/keys": BROKEN[name](server), "/elsewhere": KEYS}

    assert keys.find(url, "one", now=NOW + FRESH_FOR).kid == "one"
    assert keys.find(url, "one", now=NOW + KEPT_FOR - SECOND).kid == "one"
    with pytest.raises(Refused):
        keys.find(url, "one", now=NOW + KEPT_FOR)
    assert server.asked["/keys?token=canary"] == 3


def test_a_withdrawn_key_verifies_for_five_minutes_at_most(server: IssuerServer, url: str) -> None:
    """Known keys are not asked about before; a new one is, once thirty seconds have passed."""
    keys = KeyCache(fetch)
    keys.find(url, "one", now=NOW)
    server.answers["/keys"] = set_of(TWO.jwk)
    with pytest.raises(Refused):
        keys.find(url, "two", now=NOW + SECOND)

    assert keys.find(url, "one", now=NOW + FRESH_FOR - SECOND).kid == "one"
    assert sum(server.asked.values()) == 1
    with pytest.raises(Refused):
        keys.find(url, "one", now=NOW + FRESH_FOR)
    assert keys.find(url, "two", now=NOW + FRESH_FOR).kid == "two"
    assert sum(server.asked.values()) == 2


def test_a_new_key_is_found_as_soon_as_a_fetch_is_due(server: IssuerServer, url: str) -> None:
    """An issuer that rotates its keys waits for half a minute at most."""
    keys = KeyCache(fetch)
    keys.find(url, "one", now=NOW)
    server.answers["/keys"] = set_of(ONE.jwk, TWO.jwk)

    assert keys.find(url, "two", now=NOW + FETCH_INTERVAL).kid == "two"


def test_a_flood_of_issuers_can_not_buy_more_fetches(server: IssuerServer) -> None:
    """A full cache forgets only what may be fetched again anyway."""
    urls = [f"{server.url}/keys?{number}" for number in range(KEY_SETS_MAX + 1)]
    keys = KeyCache(fetch)
    for one in urls[:-1]:
        keys.find(one, "one", now=NOW)
    with pytest.raises(Refused):
        keys.find(urls[-1], "one", now=NOW + FETCH_INTERVAL - SECOND)

    assert keys.find(urls[-1], "one", now=NOW + FETCH_INTERVAL).kid == "one"
    assert max(server.asked.values()) == 1


def test_the_largest_document_is_read_whole(server: IssuerServer, url: str) -> None:
    """Sent in small pieces, as some servers do; a byte more is too much."""
    whole = KEYS[:-1] + b" " * (DOCUMENT_BYTES_MAX - len(KEYS)) + b"}"
    server.answers["/keys"] = partial(_in_pieces, body=whole)

    assert fetch(url) == whole
    server.answers["/keys"] = partial(_in_pieces, body=whole + b" ")
    with pytest.raises(FetchFailed):
        fetch(url)


def _in_pieces(handler: BaseHTTPRequestHandler, *, body: bytes) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for at in range(0, len(body), 1_000):
        piece = body[at : at + 1_000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def test_nobody_there() -> None:
    """A closed port, and a name that no resolver may answer (RFC 6761)."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "https://issuer.invalid/keys"):
        with pytest.raises(FetchFailed):
            fetch(url)


@pytest.mark.parametrize(
    ("name", "is_trusted", "is_read"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)],
)
def test_certificates_are_checked(  # noqa: PLR0917 - fixtures and cases
    server: IssuerServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    is_trusted: bool,  # noqa: FBT001
    is_read: bool,  # noqa: FBT001
) -> None:
    """By who signed them, and by the host that they name."""
    certificate = _certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = f"{server.url.replace('http', 'https')}/keys"

    if is_read:
        assert fetch(url) == KEYS
    else:
        with pytest.raises(FetchFailed):
            fetch(url)


def _certificate(folder: Path, address: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - TLS asks the machine's clock
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
