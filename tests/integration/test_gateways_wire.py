"""Toxic lines: each moment at which an exchange can fail, made with real sockets."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paynexus.gateways.outcomes import Failure, Kind, Moment
from paynexus.gateways.port import Instruction, Operation, Outcome
from paynexus.gateways.sandbox import SandboxGateway
from paynexus.gateways.wire import Answer, exchange
from paynexus.money import Money

HEADERS: dict[str, str] = {}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Behaviour = Callable[[socket.socket], None]


@contextlib.contextmanager
def _far_side(behave: Behaviour) -> Iterator[str]:
    """A server that treats its one connection as told; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as line:
                behave(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _heard(line: socket.socket) -> None:
    """The request has been read whole."""
    heard = b""
    while not heard.endswith(b"}"):
        heard += line.recv(65536)


def _until_gone(line: socket.socket) -> None:
    while line.recv(65536):
        pass


def _call(url: str, *, seconds: float = 0.3, body: object = None) -> Answer | Failure:
    content = {"reference": "a"} if body is None else body
    return exchange("POST", f"{url}/x", headers=HEADERS, body=content, deadline_seconds=seconds)


def test_nobody_listens() -> None:
    """Before a connection stands nothing can have happened."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    assert _call(url) == Failure(Moment.CONNECT, Kind.REFUSED)


def test_the_name_is_unknown() -> None:
    """A name that no resolver may answer (RFC 6761)."""
    assert _call("http://gateway.invalid", seconds=10) == Failure(Moment.CONNECT, Kind.NAME_UNKNOWN)


def test_nobody_takes_the_connection() -> None:
    """A server whose waiting line is full drops the knock."""
    with socket.socket() as server, contextlib.ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        for _ in range(4):
            line = waiting.enter_context(socket.socket())
            line.setblocking(False)  # noqa: FBT003 - the library's own
            line.connect_ex(address)

        assert _call(f"http://127.0.0.1:{address[1]}") == Failure(Moment.CONNECT, Kind.TIMED_OUT)


def test_the_far_side_does_not_speak_tls() -> None:
    """The handshake is part of connecting."""

    def answer_in_plain(line: socket.socket) -> None:
        line.recv(100)
        line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        _until_gone(line)

    with _far_side(answer_in_plain) as url:
        assert _call(url.replace("http:", "https:"), seconds=5) == Failure(
            Moment.CONNECT, Kind.TLS_FAILED
        )


def test_a_request_that_is_not_read_was_not_sent() -> None:
    """A body larger than the line's buffers, of which the far side reads only the beginning."""

    def read_a_little(line: socket.socket) -> None:
        line.recv(100)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with _far_side(read_a_little) as url:
        answer = _call(url, seconds=10, body={"filler": "x" * 30_000_000})

    assert isinstance(answer, Failure)
    assert answer.moment is Moment.SEND


def test_a_request_that_stalls_was_not_sent() -> None:
    """The same, but the far side just stops reading."""
    stop = threading.Event()

    def wait(_: socket.socket) -> None:
        stop.wait()

    with _far_side(wait) as url:
        answer = _call(url, body={"filler": "x" * 30_000_000})
        stop.set()

    assert answer == Failure(Moment.SEND, Kind.TIMED_OUT)


def _hang_up(line: socket.socket) -> None:
    _heard(line)


def _reset(line: socket.socket) -> None:
    _heard(line)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _half_a_head(line: socket.socket) -> None:
    _heard(line)
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def _half_a_refusal(line: socket.socket) -> None:
    _heard(line)
    line.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Le")


def _half_a_body(line: socket.socket) -> None:
    _heard(line)
    line.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{"status": "approved"}')


def _another_protocol(line: socket.socket) -> None:
    _heard(line)
    line.sendall(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize(
    "behave", [_hang_up, _reset, _half_a_head, _half_a_refusal, _half_a_body, _another_protocol]
)
def test_a_line_that_breaks_after_the_request_leaves_the_outcome_open(behave: Behaviour) -> None:
    """Even half an answer that says approved proves nothing."""
    with _far_side(behave) as url:
        assert _call(url, seconds=10) == Failure(Moment.ANSWER, Kind.BROKEN)


def _silence(line: socket.socket) -> None:
    _heard(line)
    _until_gone(line)


def _drip(piece: bytes) -> Behaviour:
    def behave(line: socket.socket) -> None:
        _heard(line)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n")
        gone = threading.Event()
        while not gone.wait(0.02):
            line.sendall(piece)

    return behave


@pytest.mark.parametrize("behave", [_silence, _drip(b"X-A: b\r\n"), _drip(b"\r\n" + b"x" * 9)])
def test_the_deadline_holds_against_silence_and_against_dripping(behave: Behaviour) -> None:
    """A socket's own time-out starts anew with each byte; ours doesn't."""
    with _far_side(behave) as url:
        assert _call(url) == Failure(Moment.ANSWER, Kind.TIMED_OUT)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    """Nor believed."""

    def flood(line: socket.socket) -> None:
        _heard(line)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                line.sendall(b"x" * 65536)

    with _far_side(flood) as url:
        assert _call(url, seconds=10) == Failure(Moment.ANSWER, Kind.UNREADABLE)


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (OK, Outcome.UNKNOWN, "answer_unreadable"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Outcome.UNKNOWN, "gateway_status_204"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /v1/charges\r\nContent-Length: 0\r\n\r\n",
            Outcome.UNKNOWN,
            "gateway_status_302",
        ),
        (
            b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
            Outcome.UNKNOWN,
            "gateway_status_503",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
            Outcome.NOT_SENT,
            "gateway_status_404",
        ),
        (
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n"
                b'{"status": "approved", "reference": "other"}'
            ),
            Outcome.UNKNOWN,
            "answer_unreadable",
        ),
    ],
)
def test_an_answer_that_is_not_about_the_request_proves_nothing(
    answer: bytes, outcome: Outcome, code: str
) -> None:
    """As the adapter reads it; an inquiry answered so never says "never seen"."""

    def behave(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(answer)
        _until_gone(line)

    instruction = Instruction(
        Operation.CHARGE, "a", Money(100, "EUR"), payment_method="tok_approve"
    )
    with _far_side(behave) as url:
        sent = SandboxGateway(url, api_key="k").send(instruction, deadline_seconds=10)
    with _far_side(behave) as url:
        inquired = SandboxGateway(url, api_key="k").inquire("a", deadline_seconds=10)

    assert (sent.outcome, sent.code) == (outcome, code)
    assert inquired is not None
    assert inquired.outcome is Outcome.UNKNOWN


def test_an_unreachable_gateway_leaves_an_inquiry_unknown_and_is_not_healthy() -> None:
    """A question that wasn't heard is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    gateway = SandboxGateway(url, api_key="k")
    inquired = gateway.inquire("a", deadline_seconds=10)

    assert inquired is not None
    assert (inquired.outcome, inquired.code) == (Outcome.UNKNOWN, "connect_refused")
    assert not gateway.is_healthy()


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Nothing was said to whoever that was."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    said: list[bytes] = []

    def behave(line: socket.socket) -> None:
        with context.wrap_socket(line, server_side=True) as secure:
            said.append(secure.recv(100))

    with _far_side(behave) as url:
        answer = _call(url.replace("http:", "https:"), seconds=10)

    assert answer == Failure(Moment.CONNECT, Kind.TLS_FAILED)
    assert said == []


def _self_signed(directory: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = directory / "server.pem"
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path
