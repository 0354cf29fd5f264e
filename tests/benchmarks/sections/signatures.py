"""What tokens and QR codes cost of our own CPU, beside the one signature in each of them."""

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from statistics import median
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from payments_api.schemas import PaymentOrder
from paynexus import idempotency, ids, jsontext
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.identity import service as identity
from paynexus.identity.authorization import OwnTokens
from paynexus.identity.issuers.fetching import fetch
from paynexus.identity.issuers.keys import KeyCache
from paynexus.identity.issuers.service import BearerVerifier
from paynexus.identity.model import Mode
from paynexus.identity.token_keys import KeySet
from paynexus.identity.tokens import TokenSigner, TokenVerifier
from paynexus.ids import MerchantId
from paynexus.merchants import service as merchants
from paynexus.merchants.model import Place
from paynexus.qr import image, service
from paynexus.qr import payload as payloads
from paynexus.qr.keys import key_ring_from
from paynexus.qr.model import Order
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run

ISSUER = "https://benchmark.example"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
RING = key_ring_from(b"k" * 32, following=None, former=[])
MESSAGE = b"m" * 200
SIGNATURE = KEY.sign(MESSAGE)
ES256_KEY = ec.generate_private_key(ec.SECP256R1())
ES256_SIGNATURE = ES256_KEY.sign(MESSAGE, ec.ECDSA(SHA256()))
ORDER = (
    '{"amount":1250,"currency":"EUR","payment_method":"tok_visa","reference":"order-4711",'
    '"customer":{"id":"ada","email":"ada@example.com"},"metadata":{"table":"4"}}'
)
BARE = "bare Ed25519 verification"
MICROSECONDS = 1_000_000
BATCH = 20
"""How often each is done before the next has its turn."""

type Act = Callable[[], object]


def measured(run: Run) -> Iterator[Part]:
    """Own CPU in microseconds, and as a multiple of one bare verification in the same rounds."""
    with closing(Database(lambda: run.servers.payments_url)) as database:
        merchant = _merchant(database)
        acts = _acts(database, merchant)
        spent = _spent(acts, seconds=run.settings.seconds * run.settings.rounds)
    yield Part("Tokens and QR codes: own CPU", _figures(spent))


def _acts(database: Database, merchant: MerchantId) -> Mapping[str, Act]:
    verifier = TokenVerifier(KeySet(_Kms(), ["key"]), issuer=ISSUER)
    own = OwnTokens(verifier, database)
    bearer = BearerVerifier(own, issuer=ISSUER, db=database, keys=KeyCache(fetch))
    token = _token(database, merchant)
    shown = _issued(database, merchant)
    said = payloads.verify(shown, RING)
    public = KEY.public_key()
    style = image.Style()
    return {
        BARE: lambda: public.verify(SIGNATURE, MESSAGE),
        "bare ES256 verification": lambda: ES256_KEY.public_key().verify(
            ES256_SIGNATURE, MESSAGE, ec.ECDSA(SHA256())
        ),
        "token verified": lambda: verifier.verify(token, now=system_clock()),
        "authorizer, its look at Postgres included": lambda: bearer.verify(
            token, now=system_clock()
        ),
        "payment's body read and validated": lambda: PaymentOrder.model_validate(
            jsontext.parse(ORDER)
        ),
        "QR code signed": lambda: payloads.sign(said, RING.signing),
        "QR code verified": lambda: payloads.verify(shown, RING),
        "QR code drawn as SVG": lambda: image.svg(shown, style),
        "QR code drawn as PNG": lambda: image.png_picture(shown, style),
        "QR code scanned, its row included": lambda: service.scan(
            database, RING, shown, merchant_id=merchant, mode="test", now=system_clock()
        ),
    }


def _spent(acts: Mapping[str, Act], *, seconds: float) -> dict[str, list[float]]:
    """Microseconds of own CPU, by act and round; all acts take their turns in each round."""
    spent: dict[str, list[float]] = {name: [] for name in acts}
    until = time.perf_counter() + seconds
    while not spent[BARE] or time.perf_counter() < until:
        for name, act in acts.items():
            began = time.process_time()
            for _ in range(BATCH):
                act()
            spent[name].append((time.process_time() - began) / BATCH * MICROSECONDS)
    return spent


def _figures(spent: Mapping[str, list[float]]) -> list[Figure]:
    figures = [Figure(f"{name}: own CPU", median(each), "µs") for name, each in spent.items()]
    for name, each in spent.items():
        ratios = [one / bare for one, bare in zip(each, spent[BARE], strict=True)]
        if name != BARE:
            figures.append(
                Figure(f"{name} / {BARE}", median(ratios), "", extent=(min(ratios), max(ratios)))
            )
    return figures


def _merchant(database: Database) -> MerchantId:
    # Other sections have made theirs in this database.
    return merchants.onboard(
        database,
        name="Signatures",
        email=f"{ids.new_id()}@example.com",
        place=Place("DE", "Berlin", "5999"),
        fees=[],
        payout_accounts=[],
    )


def _token(database: Database, merchant: MerchantId) -> str:
    credentials = identity.register_client(database, merchant, mode=Mode.TEST)
    signer = TokenSigner(_Kms(), "key", issuer=ISSUER)
    issued = identity.issue_token(
        database, signer, credentials.client_id, credentials.client_secret, now=system_clock()
    )
    return issued.text


def _issued(database: Database, merchant: MerchantId) -> str:
    answer = service.issue(
        database,
        RING,
        Order("static", None, "EUR", "Table 4", None),
        scope=idempotency.Scope(merchant, "test", "POST /qr-codes", str(ids.new_id())),
        fingerprint=hashlib.sha256(b"benchmark").digest(),
        now=system_clock() - dt.timedelta(seconds=1),
    )
    payload: str = jsontext.parse(answer.body)["payload"]
    return payload


class _Kms:
    """One key of this process, as KMS would answer about it: what KMS costs is not ours."""

    exceptions = SimpleNamespace(NotFoundException=KeyError)

    def sign(self, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as boto3's client
        """The DER signature of a digest."""
        signature = ES256_KEY.sign(request["Message"], ec.ECDSA(Prehashed(SHA256())))
        return {"Signature": signature}

    def get_public_key(self, **request: str) -> Mapping[str, Any]:
        """The public key in DER."""
        encoding = serialization.Encoding.DER
        shape = serialization.PublicFormat.SubjectPublicKeyInfo
        key = ES256_KEY.public_key().public_bytes(encoding, shape)
        return {"KeyId": request["KeyId"], "PublicKey": key}
