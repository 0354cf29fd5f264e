"""What the cloud's base stack hands over by SSM and Secrets Manager, filled in the same way."""

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from tools.local_stack.layout import CREDENTIALS, REGION, STAGE, Layout

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

DATABASE_SECRET = f"paynexus/{STAGE}/database"
KEYS_SECRET = f"paynexus/{STAGE}/keys"
LOOPBACK = "127.0.0.0/8"
PRODUCT_KEYS = (
    "sealing_key",
    "qr_signing_key",
    "qr_next_key",
    "sandbox_acquirer_key",
    "sandbox_two_key",
    "stripe_test_key",
)


def session() -> boto3.Session:
    """Sign as nobody in particular, whoever the user is elsewhere."""
    return boto3.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


def config(*, read_seconds: int = 60) -> Config:
    """Wait so long for an answer, and ask once: MiniStack is a neighbour, not a network."""
    return Config(read_timeout=read_seconds, connect_timeout=5, retries={"total_max_attempts": 1})


def parameters(layout: Layout, redis_url: str) -> dict[str, str]:
    """SSM's parameters by name."""
    return {
        f"/paynexus/{STAGE}/database/secret": DATABASE_SECRET,
        f"/paynexus/{STAGE}/keys/secret": KEYS_SECRET,
        f"/paynexus/{STAGE}/cache/url": redis_url,
        f"/paynexus/{STAGE}/sandbox-acquirer/url": layout.url("sandbox_acquirer"),
        # Webhooks may reach only public addresses in the cloud; here the sink is a neighbour.
        f"/paynexus/{STAGE}/webhooks/networks": LOOPBACK,
    }


def secrets_of(database_url: str, keys: dict[str, str]) -> dict[str, str]:
    """Secrets Manager's secrets by name."""
    url = urlsplit(database_url)
    database = {
        "host": url.hostname,
        "port": url.port,
        "username": url.username,
        "password": url.password,
        "dbname": url.path.lstrip("/"),
    }
    return {
        DATABASE_SECRET: json.dumps(database),
        KEYS_SECRET: json.dumps({name: keys[name] for name in PRODUCT_KEYS}),
    }


def hand_over(layout: Layout, *, parameters: dict[str, str], secrets: dict[str, str]) -> None:
    """The parameters and secrets have these values."""
    ssm = session().client("ssm", endpoint_url=layout.endpoint_url, config=config())
    for name, value in parameters.items():
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    manager = session().client("secretsmanager", endpoint_url=layout.endpoint_url, config=config())
    for name, value in secrets.items():
        _put_secret(manager, name, value)


def _put_secret(manager: "SecretsManagerClient", name: str, value: str) -> None:
    try:
        manager.create_secret(Name=name, SecretString=value)
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId=name, SecretString=value)
