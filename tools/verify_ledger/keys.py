"""The public keys that a verifier pins."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from paynexus.ledger.seals.signing import PublicKeys, public_key_from
from tools.verify_ledger.check import CanNotCheck


def read(paths: Sequence[Path]) -> PublicKeys:
    """The keys in these PEM files; CanNotCheck for anything else."""
    return PublicKeys([_one(path) for path in paths])


def fetch(key_id: str) -> str:
    """The public half of KMS's key, as PEM. AWS_ENDPOINT_URL leads to a local stack."""
    import boto3  # noqa: PLC0415 - checking needs no AWS

    der = boto3.client("kms").get_public_key(KeyId=key_id)["PublicKey"]
    key = public_key_from(der)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _one(path: Path) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError as error:
        raise CanNotCheck(f"{path} holds no public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CanNotCheck(f"{path} holds a key of another kind")
    return key
