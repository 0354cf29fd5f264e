"""Access tokens that must not be believed."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.e2e.stack import Stack


def bad_token(stack: Stack, token: str, name: str) -> str:
    """A token that is wrong in the way that `name` says, made from a valid one."""
    head, body, signature = token.split(".")
    header, claims = _decoded(head), _decoded(body)
    now = int(time.time())
    match name:
        case "none":
            return ""
        case "garbled":
            return token[:20]
        case "forged":
            return ".".join((head, _encoded({**claims, "scope": "everything"}), signature))
        case "unsigned":
            return f"{_encoded({**header, 'alg': 'none'})}.{body}."
        case "foreign":
            return _signed(f"{head}.{body}")
        case _:
            past = _encoded({**claims, "iat": now - 2000, "nbf": now - 2000, "exp": now - 1000})
            return _signed_by_the_issuer(stack, f"{head}.{past}")


def _signed(text: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return _with_signature(text, key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))


def _signed_by_the_issuer(stack: Stack, text: str) -> str:
    answer = stack.aws("kms").sign(
        KeyId="alias/paynexus-local-tokens",
        Message=text.encode(),
        MessageType="RAW",
        SigningAlgorithm="ECDSA_SHA_256",
    )
    return _with_signature(text, answer["Signature"])


def _with_signature(text: str, der: bytes) -> str:
    r, s = utils.decode_dss_signature(der)
    return f"{text}.{_base64(r.to_bytes(32) + s.to_bytes(32))}"


def _decoded(part: str) -> dict[str, object]:
    value: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


def _encoded(value: dict[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
