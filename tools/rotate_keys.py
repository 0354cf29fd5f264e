"""Move signing keys on by one place: the announced key signs, its predecessor is honoured still.

    python -m tools.rotate_keys tokens|qr --stage STAGE [--min-age MINUTES]

No request fails and nothing is deployed: functions look their keys up again within a minute. A key
signs only once it has been published for `--min-age` minutes: whoever keeps the published set for
five, as its answer allows, knows it by then, and no token is left of the key before the last. Where
no key is announced yet, one is, and a second call rotates. AWS's address and credentials are the
environment's, as boto3 reads them.
"""

import argparse
import base64
import datetime as dt
import json
import secrets
import sys
from dataclasses import dataclass
from typing import Any

import boto3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from paynexus.clock import system_clock
from paynexus.errors import PayNexusError
from paynexus.identity.token_keys import aliases_of

MIN_AGE_MINUTES = 20
"""Tokens live for fifteen, signers keep a key for one: they are over before their key is gone."""
SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be rotated, and how long its successor must have been published."""

    stage: str
    min_age: dt.timedelta


def main(arguments: list[str] | None = None) -> int:
    """Rotate and say so; an exit status other than 0 says why not."""
    asked = _parser().parse_args(arguments)
    rotate = {"tokens": rotate_tokens, "qr": rotate_qr}[asked.keys]
    try:
        print(rotate(Asked(asked.stage, dt.timedelta(minutes=asked.min_age))))
    except PayNexusError as error:
        print(error.detail, file=sys.stderr)
        return 1
    return 0


def rotate_tokens(asked: Asked) -> str:
    """The announced KMS key signs tokens, another is announced; what was done, in words.

    The predecessor is named first, then the successor signs: at no moment is a key unpublished
    whose tokens are about.
    """
    kms = boto3.client("kms")
    current, following, former = aliases_of(f"alias/paynexus-{asked.stage}-tokens")
    signing, announced = _key_of(kms, current), _key_of(kms, following)
    _require_age(announced["CreationDate"], asked)
    fresh = kms.create_key(
        Description="Will sign access tokens after the next rotation.",
        KeySpec="ECC_NIST_P256",
        KeyUsage="SIGN_VERIFY",
        Policy=kms.get_key_policy(KeyId=signing["KeyId"], PolicyName="default")["Policy"],
    )["KeyMetadata"]["KeyId"]
    for alias, key_id in ((former, signing["KeyId"]), (current, announced["KeyId"])):
        kms.update_alias(AliasName=alias, TargetKeyId=key_id)
    kms.update_alias(AliasName=following, TargetKeyId=fresh)
    return f"tokens: {announced['KeyId']} signs, {signing['KeyId']} is honoured, {fresh} follows"


def rotate_qr(asked: Asked) -> str:
    """The announced key signs QR codes, another is announced; what was done, in words."""
    manager = boto3.client("secretsmanager")
    parameter = f"/paynexus/{asked.stage}/keys/secret"
    name = boto3.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    stored = manager.get_secret_value(SecretId=name)
    keys: dict[str, str] = json.loads(stored["SecretString"])
    fresh = base64.b64encode(secrets.token_bytes(SEED_BYTES)).decode()
    if announced := keys.get("qr_next_key"):
        _require_age(stored["CreatedDate"], asked)
        former = f"{keys.get('qr_former_keys', '')} {_public(keys['qr_signing_key'])}".strip()
        keys |= {"qr_signing_key": announced, "qr_former_keys": former}
    keys["qr_next_key"] = fresh
    manager.put_secret_value(SecretId=name, SecretString=json.dumps(keys))
    done = "the announced key signs, another follows" if announced else "a key is announced"
    return f"qr: {done}"


def _key_of(kms: Any, alias: str) -> dict[str, Any]:  # noqa: ANN401 - boto3's client
    metadata: dict[str, Any] = kms.describe_key(KeyId=alias)["KeyMetadata"]
    return metadata


def _require_age(since: dt.datetime, asked: Asked) -> None:
    age = system_clock() - since
    if age < asked.min_age:
        missing = -(-(asked.min_age - age).total_seconds() // 60)
        raise PayNexusError(f"The next key was published too lately: wait {missing:.0f} minutes.")


def _public(seed: str) -> str:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed)).public_key()
    return base64.b64encode(key.public_bytes_raw()).decode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keys", choices=["tokens", "qr"])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--min-age", type=float, default=MIN_AGE_MINUTES, help="minutes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
