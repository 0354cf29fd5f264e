"""An OpenID Connect issuer of this process: a server that counts, and keys that sign anything."""

import base64
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

DISCOVERY = "/.well-known/openid-configuration"
type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
type Behaviour = Callable[[BaseHTTPRequestHandler], None]


def segment(value: object) -> str:
    """A base64url segment of a JWT."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def new_key(algorithm: str) -> PrivateKey:
    """A fresh key of the kind that the algorithm takes."""
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def signature_of(key: PrivateKey, message: bytes) -> bytes:
    """As JWS writes it: RS256, ES256 or EdDSA, by the key's kind."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    return key.sign(message)


def jwk_of(key: PrivateKey, kid: str, **members: object) -> dict[str, Any]:
    """The public half as a JSON Web Key."""
    public: Any = key.public_key()
    kinds: Any = {rsa.RSAPublicKey: RSAAlgorithm, ec.EllipticCurvePublicKey: ECAlgorithm}
    kind = next((of for one, of in kinds.items() if isinstance(public, one)), OKPAlgorithm)
    written = kind.to_jwk(public, as_dict=True)
    written.pop("key_ops", None)
    return {**written, "kid": kid, "use": "sig", **members}


def set_of(*keys: object) -> bytes:
    """A JSON Web Key Set."""
    return json.dumps({"keys": keys}).encode()


@dataclass(frozen=True)
class Signer:
    """An issuer's key: signs whatever it is given."""

    algorithm: str
    kid: str
    key: PrivateKey

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half."""
        return jwk_of(self.key, self.kid)

    @property
    def header(self) -> dict[str, Any]:
        """An honest header."""
        return {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}

    def token(self, claims: object, header: object = None) -> str:
        """A token with these claims, and with any header."""
        message = f"{segment(self.header if header is None else header)}.{segment(claims)}"
        return f"{message}.{segment(signature_of(self.key, message.encode()))}"

    def public_forms(self) -> Mapping[str, bytes]:
        """The public key in every form that an HMAC could be fooled with."""
        public, form = self.key.public_key(), serialization.PublicFormat.SubjectPublicKeyInfo
        return {
            "PEM": public.public_bytes(serialization.Encoding.PEM, form),
            "PEM, stripped": public.public_bytes(serialization.Encoding.PEM, form).strip(),
            "DER": public.public_bytes(serialization.Encoding.DER, form),
            "JWK": json.dumps(self.jwk).encode(),
        }


@dataclass
class IssuerServer:
    """Serves documents, or behaves as told, on loopback; counts what each path was asked."""

    answers: dict[str, bytes | Behaviour] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """It answers."""
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                world.asked[self.path] += 1
                answer = world.answers.get(self.path.partition("?")[0])
                with contextlib.suppress(OSError):
                    if callable(answer):
                        answer(self)
                    else:
                        reply(self, 404 if answer is None else 200, answer or b"")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self) -> None:
        """It is gone, and whoever hung in it with it."""
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        """Never answers."""
        self.stopping.wait(30)

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers a header at a time, for ever."""
        handler.send_response(200)
        while not self.stopping.wait(0.02):
            handler.send_header("X-Drip", "1")
            handler.flush_headers()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """One whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
