"""The composition root: the only place that builds clients, each once an environment.

Every function imports this module, so each client's code is imported where it is built: a
function pays at its start for what it uses, and for nothing else.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cache as once
from typing import TYPE_CHECKING, Any

from paynexus.clock import Clock, Renewed, system_clock
from paynexus.config import Settings
from paynexus.db import Database
from paynexus.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

    from paynexus.cache import Cache
    from paynexus.changefeed.port import Bus
    from paynexus.changefeed.replication import Source
    from paynexus.fraud.engine import Engine
    from paynexus.gateways.port import Gateway
    from paynexus.gateways.service import Gateways, GuardedGateway
    from paynexus.http import Resolver
    from paynexus.identity.issuers.service import BearerVerifier
    from paynexus.identity.model import Principal
    from paynexus.identity.rate_limit import RateLimiter
    from paynexus.identity.token_keys import KeySet
    from paynexus.identity.tokens import TokenSigner, TokenVerifier
    from paynexus.ledger.seals.signing import Signer
    from paynexus.notification.addresses import Network
    from paynexus.notification.port import Channel, Queue
    from paynexus.notification.service import Means
    from paynexus.payments.workflow import Workflow
    from paynexus.qr.keys import KeyRing
    from paynexus.sealing import Vault
    from paynexus.settlement.bank.port import Bank


KEYS_SECONDS = 60
"""How long an environment believes what it read of keys that may be replaced."""
SANDBOX_URLS = {"sandbox": "sandbox_acquirer_url", "sandbox_two": "sandbox_two_url"}
"""Sandbox acquirers, and the settings that say where each is."""


@once
def settings() -> Settings:
    """The environment's settings."""
    return Settings.from_env()


def clock() -> Clock:
    """The clock that use cases are given `now` from."""
    return system_clock


@once
def aws(service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    """A boto3 client."""
    import boto3

    return boto3.client(service)  # type: ignore[call-overload]  # any service, by its name


@once
def database() -> Database:
    """The ledger's Postgres; the secret is read again at each connect, so it may rotate."""
    return Database(_conninfo)


@once
def cache() -> Cache:
    """Redis, or an always absent cache where none is configured."""
    from paynexus.cache import Cache

    return Cache(settings().redis_url)


@once
def keys() -> dict[str, str]:
    """The keys that the product itself holds, from Secrets Manager."""
    return _secret(settings().require("keys_secret"))


def key_bytes(name: str) -> bytes:
    """The 32-byte key called `name`."""
    import base64

    return base64.b64decode(keys()[name])


@once
def token_signer() -> TokenSigner:
    """Signs access tokens with the KMS key."""
    from paynexus.identity.tokens import TokenSigner

    alias, issuer = settings().require("token_key_alias"), settings().require("issuer")
    return TokenSigner(aws("kms"), alias, issuer=issuer)


@once
def token_keys() -> KeySet:
    """The public keys of access tokens."""
    from paynexus.identity.token_keys import KeySet, aliases_of

    return KeySet(aws("kms"), aliases_of(settings().require("token_key_alias")))


@once
def token_verifier() -> TokenVerifier:
    """Verifies access tokens."""
    from paynexus.identity.tokens import TokenVerifier

    return TokenVerifier(token_keys(), issuer=settings().require("issuer"))


@once
def bearer_verifier() -> BearerVerifier:
    """Verifies access tokens of our own and of the issuers that merchants bring."""
    from paynexus.identity.authorization import OwnTokens
    from paynexus.identity.issuers.fetching import fetch
    from paynexus.identity.issuers.keys import KeyCache
    from paynexus.identity.issuers.service import BearerVerifier

    issuer = settings().require("issuer")
    own = OwnTokens(token_verifier(), database())
    return BearerVerifier(own, issuer=issuer, db=database(), keys=KeyCache(fetch))


@once
def ledger_signer() -> Signer:
    """Signs the ledger's seals with the first of the KMS keys, and believes them all."""
    from paynexus.ledger.seals.signing import Signer

    return Signer(aws("kms"), settings().require("ledger_key_ids").split(","))


@once
def rate_limiter() -> RateLimiter:
    """Counts the requests of each client, and its money."""
    from paynexus.identity import allowance
    from paynexus.identity.rate_limit import RateLimiter

    number = settings().whole_number
    allowances = allowance.Allowances(
        requests_per_minute=number(
            "requests_per_minute", at_most=allowance.REQUESTS_PER_MINUTE_MAX
        ),
        value_per_minute=number("value_per_minute", at_most=allowance.VALUE_PER_MINUTE_MAX),
    )
    return RateLimiter(cache(), allowances)


def merchant_api() -> Resolver:
    """A resolver for authorized clients, within their rate."""
    from paynexus.identity import edge

    return edge.merchant_api(
        limiter=rate_limiter, clock=clock(), cors_origin=lambda: settings().cors_origin
    )


def principal(app: BaseRouter) -> Principal:
    """The caller of the present request."""
    from paynexus.identity import edge

    return edge.principal_of(app, clock())


def qr_keys() -> KeyRing:
    """The keys that sign and verify QR codes, as the secret named them a minute ago at most."""
    return _qr_keys()(now=clock()())


@once
def _qr_keys() -> Renewed[KeyRing]:
    from paynexus.identity.token_keys import tell_unavailable
    from paynexus.qr.keys import key_ring_of

    def read() -> KeyRing:
        return key_ring_of(_secret(settings().require("keys_secret")))

    return Renewed(read, seconds=KEYS_SECONDS, tell=tell_unavailable)


@once
def fraud_engine() -> Engine:
    """Decides about payments; it keeps rules and models from one decision to the next."""
    from paynexus.fraud.engine import Engine, warm

    warm()
    return Engine(database(), cache())


@once
def gateways() -> Gateways:
    """The gateways that are configured for each mode, each behind its circuit."""
    from paynexus.gateways.service import Gateways

    named = settings().gateways()
    by_mode = {
        mode: [_guarded(mode, _gateway(mode, one)) for one in of] for mode, of in named.items()
    }
    return Gateways(cache(), by_mode)


def _guarded(mode: str, gateway: Gateway) -> GuardedGateway:
    from paynexus.gateways.announcing import announcing
    from paynexus.gateways.breaker import Breaker
    from paynexus.gateways.circuit import Policy
    from paynexus.gateways.service import GuardedGateway

    announce = announcing(database(), mode=mode)
    breaker = Breaker(cache(), gateway=gateway.name, policy=Policy(), announce=announce)
    return GuardedGateway(gateway, breaker=breaker)


def _gateway(mode: str, name: str) -> Gateway:
    if name == "stripe":
        return _stripe(mode)
    if mode == "test" and name in SANDBOX_URLS:
        from paynexus.gateways.sandbox import SandboxGateway
        from paynexus.payments.callbacks import dialect_of

        url, key = settings().require(SANDBOX_URLS[name]), keys()[dialect_of(name).key_name]
        return SandboxGateway(url, api_key=key, name=name)
    raise ConfigurationError(f"PAYNEXUS_{mode.upper()}_GATEWAYS: {name!r} takes no {mode} payments")


def _stripe(mode: str) -> Gateway:
    """Stripe under the key of the mode, which says in itself whether it moves real money."""
    from paynexus.gateways.stripe.adapter import StripeGateway

    key = keys().get(f"stripe_{mode}_key", "")
    if f"_{mode}_" not in key:
        raise ConfigurationError(f"the keys' secret needs stripe_{mode}_key, a key for {mode} mode")
    name = "stripe" if mode == "live" else f"stripe_{mode}"
    return StripeGateway(settings().stripe_url, name=name, api_key=key, clock=clock())


def callback_key(gateway: str) -> str:
    """What the gateway signs its callbacks with; NotFound for one that sends none."""
    from paynexus.payments.callbacks import dialect_of

    key = keys().get(dialect_of(gateway).key_name, "")
    if not key:
        raise NotFound("There is no such gateway.")
    return key


@once
def workflow() -> Workflow:
    """Runs a payment's steps in Step Functions."""
    from paynexus.payments.workflow import Workflow

    return Workflow(aws("stepfunctions"), settings().require("workflow_arn"))


@once
def bank() -> Bank:
    """The bank's boxes."""
    from paynexus.settlement.bank.s3 import S3Bank

    return S3Bank(aws("s3"), settings().require("bank_bucket"))


@contextmanager
def changefeed_source() -> Iterator[Source]:
    """The database's log and tables, over the changefeed's own connections, to the instance."""
    from paynexus.changefeed.replication import Source

    source = Source(_conninfo)
    try:
        yield source
    finally:
        source.close()


@once
def bus() -> Bus:
    """The event bus. Its client does not retry: the changefeed knows what is behind a failure."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from paynexus.changefeed.eventbridge import EventBridge

    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
    client = boto3.client("events", config=config)
    name = settings().require("bus_name")
    return EventBridge(client, name=name, failures=(BotoCoreError, ClientError))


@once
def vault() -> Vault:
    """Seals what must not be read in the database."""
    from paynexus.sealing import Vault

    return Vault(key_bytes("sealing_key"))


@once
def webhook_networks() -> tuple[Network, ...]:
    """Networks that webhooks may reach besides public addresses."""
    from paynexus.notification.addresses import parse_networks

    return parse_networks(settings().networks())


@once
def webhook_channel() -> Channel:
    """Posts webhooks."""
    from paynexus.notification.channel import WebhookChannel

    return WebhookChannel(vault(), webhook_networks())


@once
def notification_queue() -> Queue:
    """Where deliveries wait for a worker."""
    from paynexus.notification.queue import SqsQueue

    return SqsQueue(aws("sqs"), settings().require("notification_queue_url"))


def notification_means() -> Means:
    """What delivering notifications takes."""
    from paynexus.notification.service import Means

    return Means(database(), webhook_channel(), notification_queue(), clock())


def _conninfo() -> str:
    from psycopg.conninfo import make_conninfo

    secret = _secret(settings().require("database_secret"))
    named = {name: str(secret[name]) for name in ("host", "port", "password", "dbname")}
    return make_conninfo(**named, user=secret["username"])


def _secret(name: str) -> dict[str, str]:
    answer = aws("secretsmanager").get_secret_value(SecretId=name)
    value: dict[str, str] = json.loads(answer["SecretString"])
    return value
