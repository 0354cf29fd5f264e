"""Forged, stale and misdirected tokens of foreign issuers: each is refused, and alike."""

import datetime as dt
import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from psycopg.conninfo import make_conninfo

from paynexus import db, ids
from paynexus.db import Database
from paynexus.errors import Unauthenticated
from paynexus.identity import store as clients
from paynexus.identity.authorization import OwnTokens
from paynexus.identity.issuers import store
from paynexus.identity.issuers.fetching import fetch
from paynexus.identity.issuers.keys import FETCH_INTERVAL, KeyCache
from paynexus.identity.issuers.model import TokenIssuer
from paynexus.identity.issuers.rules import LIFETIME_SECONDS_MAX
from paynexus.identity.issuers.service import BearerVerifier
from paynexus.identity.model import Client
from paynexus.identity.token_keys import KeySet
from paynexus.identity.tokens import TokenSigner, TokenVerifier, VerifiedToken
from paynexus.identity.unverified import TOKEN_CHARACTERS_MAX
from paynexus.ids import MerchantId
from tests.conftest import MIGRATIONS
from tests.integration.issuer_world import IssuerServer, Signer, new_key, segment, set_of
from tests.unit.test_identity_tokens import LocalKms
from tools.local_stack import postgres

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
IAT = int(NOW.timestamp())
OURS = "https://paynexus.test"
KMS = LocalKms("one")
OUR_KEYS = KeySet(KMS, ["one"])
OUR_KID = OUR_KEYS.jwks(now=NOW)["keys"][0]["kid"]
ALGORITHMS = ("RS256", "ES256", "EdDSA")
SIGNERS = {name: Signer(name, f"{name}-key", new_key(name)) for name in ALGORITHMS}
EVIL = {name: Signer(name, f"{name}-key", new_key(name)) for name in ALGORITHMS}
"""The same names, other keys."""
ALSO_OUR_KID = {name: Signer(name, OUR_KID, SIGNERS[name].key) for name in ALGORITHMS}
FIRST, SECOND = MerchantId(ids.new_id()), MerchantId(ids.new_id())
AUDIENCE, ANOTHER = "https://api.paynexus.test/first", "second"
SCOPES = ["payments:read", "payments:write"]


def issuer_of(algorithm: str) -> str:
    """The issuer that signs so."""
    return f"https://{algorithm.lower()}.issuer.test/tenant"


@dataclass(frozen=True)
class Foe:
    """Who has an issuer's key, or everything but."""

    algorithm: str

    @property
    def signer(self) -> Signer:
        """The issuer's own."""
        return SIGNERS[self.algorithm]

    @property
    def claims(self) -> dict[str, Any]:
        """What an honest token says."""
        return {
            "iss": issuer_of(self.algorithm),
            "aud": AUDIENCE,
            "sub": "ada@example.com",
            "iat": IAT,
            "exp": IAT + 600,
            "scope": "payments:read openid",
        }

    def says(self, **changes: Any) -> str:  # noqa: ANN401 - any JSON value
        """A rightly signed token with other claims; None leaves one out."""
        claims = {**self.claims, **changes}
        return self.signer.token({name: one for name, one in claims.items() if one is not None})

    def writes(self, old: str, new: str) -> str:
        """A rightly signed token whose claims' text is changed."""
        text = json.dumps(self.claims)
        assert old in text
        return self.signer.token(text.replace(old, new).encode())

    def heads(self, **changes: Any) -> str:  # noqa: ANN401 - any JSON value
        """A rightly signed token with another header; None leaves a member out."""
        header = {**self.signer.header, **changes}
        kept = {name: one for name, one in header.items() if one is not None}
        return self.signer.token(self.claims, kept)

    def macs(self, key: bytes, algorithm: str = "HS256") -> str:
        """A token whose HMAC key is something public: the classic confusion."""
        header = {**self.signer.header, "alg": algorithm}
        message = f"{segment(header)}.{segment(self.claims)}"
        digest = f"sha{algorithm.removeprefix('HS')}"
        return f"{message}.{segment(hmac.digest(key, message.encode(), digest))}"

    def otherwise(self) -> dict[str, str]:
        """Other algorithms of the same key, really signed so."""
        key = self.signer.key
        message: dict[str, Callable[[bytes], bytes]] = {}
        if isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            message["PS256"] = lambda text: key.sign(text, pss, hashes.SHA256())
            message["RS384"] = lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA384())
            message["RS512"] = lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA512())
        if isinstance(key, ec.EllipticCurvePrivateKey):
            message["ES384"] = lambda text: key.sign(text, ec.ECDSA(hashes.SHA384()))
            message["ES256"] = lambda text: key.sign(text, ec.ECDSA(hashes.SHA256()))
        found = {}
        for name, sign in message.items():
            text = f"{segment({**self.signer.header, 'alg': name})}.{segment(self.claims)}"
            found[f"really signed {name}, in DER or whole"] = (
                f"{text}.{segment(sign(text.encode()))}"
            )
        return found


def signatures(foe: Foe) -> dict[str, str]:
    """The signature is another's, another algorithm's, or none."""
    token = foe.says()
    head, body, signature = token.split(".")
    none = {**foe.signer.header, "alg": "none"}
    other = next(name for name in ALGORITHMS if name != foe.algorithm)
    live = {**foe.claims, "scope": "payments:write"}
    return {
        "alg none": f"{segment({'alg': 'none'})}.{body}.",
        "alg none with kid": f"{segment(none)}.{body}.",
        "alg nOnE": f"{segment({**none, 'alg': 'nOnE'})}.{body}.",
        "alg none keeps the signature": f"{segment(none)}.{body}.{signature}",
        **{
            f"HS256 with the {form}": foe.macs(key)
            for form, key in foe.signer.public_forms().items()
        },
        "HS384 with the PEM": foe.macs(foe.signer.public_forms()["PEM"], "HS384"),
        "HS512 with the PEM": foe.macs(foe.signer.public_forms()["PEM"], "HS512"),
        "HS256 with nothing": foe.macs(b""),
        **{
            f"alg {name}": foe.heads(alg=name)
            for name in ("RS256", "RS384", "PS256", "ES256", "ES384", "ES256K", "EdDSA", "Ed448")
            if name != foe.algorithm
        },
        **foe.otherwise(),
        "alg in lower case": foe.heads(alg=foe.algorithm.lower()),
        "alg absent": foe.heads(alg=None),
        "alg is a list": foe.heads(alg=[foe.algorithm]),
        "signed by another key of this name": EVIL[foe.algorithm].token(foe.claims),
        "kid of another issuer's key": SIGNERS[other].token(foe.claims),
        "another issuer's key under this kid": SIGNERS[other].token(
            foe.claims, {**SIGNERS[other].header, "kid": foe.signer.kid}
        ),
        "presented as another issuer's": foe.says(iss=issuer_of(other)),
        "our own issuer by a foreign key": foe.says(iss=OURS),
        "our own issuer and kid by a foreign key": foe.signer.token(
            {**foe.claims, "iss": OURS}, {**foe.signer.header, "kid": OUR_KID}
        ),
        "signature of another token": f"{head}.{segment(live)}.{signature}",
        "signature empty": f"{head}.{body}.",
        "signature zero": f"{head}.{body}.{segment(bytes(64))}",
        "signature short": f"{head}.{body}.{signature[:40]}",
        "signature too long": f"{token}AAAA",
        "signature padded": f"{token}==",
        "trailing newline": f"{token}\n",
        "trailing zero": f"{token}\0",
        "trailing dot": f"{token}.",
        "leading space": f" {token}",
        "four parts": f"{token}.AA",
        "five parts, a JWE": f"{token}.AA.AA",
        "two parts": f"{head}.{body}",
        "dots": "..",
        "empty": "",
        "no ASCII": "é.é.é",
        "a lone surrogate": "\ud800.a.b",
        "standard base64": f"{head}.{body}.+{signature[1:]}",
        "a megabyte": token + "A" * 1_000_000,
        "a megabyte of dots": "." * 1_000_000,
        "longer than any may be": foe.says(jti="j" * TOKEN_CHARACTERS_MAX),
    }


def headers(foe: Foe) -> dict[str, str]:
    """The header leads elsewhere, or says what is not understood."""
    body, signature = foe.says().split(".")[1:]
    twice = f'{{"alg":"none","alg":"{foe.algorithm}","kid":"{foe.signer.kid}"}}'.encode()
    return {
        "kid absent": foe.heads(kid=None),
        "kid unknown": foe.heads(kid="unknown"),
        "kid empty": foe.heads(kid=""),
        "kid walks up": foe.heads(kid="../../../../dev/null"),
        "kid asks SQL": foe.heads(kid="' OR 1=1 --"),
        "kid is a number": foe.heads(kid=1),
        "kid is a list": foe.heads(kid=[foe.signer.kid]),
        "kid has a zero": foe.heads(kid=foe.signer.kid + "\0"),
        "kid is long": foe.heads(kid="k" * 300),
        "jku": foe.heads(jku="https://attacker.example/jwks.json"),
        "x5u": foe.heads(x5u="https://attacker.example/cert.pem"),
        "x5c": foe.heads(x5c=["AA=="]),
        "jwk": EVIL[foe.algorithm].token(
            foe.claims, {**foe.signer.header, "jwk": EVIL[foe.algorithm].jwk}
        ),
        "crit unknown": foe.heads(crit=["exp"]),
        "crit empty": foe.heads(crit=[]),
        "crit b64": foe.heads(crit=["b64"], b64=False),
        "b64 false": foe.heads(b64=False),
        "zip": foe.heads(zip="DEF"),
        "a member nobody knows": foe.heads(nonsense="1"),
        "typ of a logout token": foe.heads(typ="logout+jwt"),
        "typ of an introspection": foe.heads(typ="token-introspection+jwt"),
        "typ empty": foe.heads(typ=""),
        "typ is a number": foe.heads(typ=1),
        "x5t is a list": foe.heads(x5t=["AA"]),
        "header is a list": foe.signer.token(foe.claims, [foe.signer.header]),
        "header is a text": foe.signer.token(foe.claims, foe.algorithm),
        "header is no JSON": f"{segment(b'{')}.{body}.{signature}",
        "header says alg twice": foe.signer.token(foe.claims, twice),
        "header nests deeply": foe.signer.token(foe.claims, b"[" * 500),
    }


def times(foe: Foe) -> dict[str, str]:
    """The token is not for now."""
    end = str(IAT + 600)
    return {
        "exp absent": foe.says(exp=None),
        "iat absent": foe.says(iat=None),
        "expired": foe.says(iat=IAT - 700, exp=IAT - 1),
        "expires this very second": foe.says(iat=IAT - 10, exp=IAT),
        "exp as a text": foe.says(exp=end),
        "exp as a fraction": foe.says(exp=IAT + 600.5),
        "exp as a whole float": foe.says(exp=float(IAT + 600)),
        "exp is true": foe.says(exp=True),
        "exp is null": foe.writes(end, "null"),
        "exp is a list": foe.says(exp=[IAT + 600]),
        "exp is huge": foe.says(exp=10**400),
        "exp overflows": foe.writes(end, "1e999"),
        "exp is infinite": foe.writes(end, "Infinity"),
        "exp is NaN": foe.writes(end, "NaN"),
        "exp has more digits than are read": foe.writes(end, "9" * 5_000),
        "lives a second too long": foe.says(exp=IAT + LIFETIME_SECONDS_MAX + 1),
        "iat true": foe.says(iat=True),
        "iat a text": foe.says(iat=str(IAT)),
        "iat in the future": foe.says(iat=IAT + 61),
        "iat long ago": foe.says(iat=0),
        "iat negative": foe.says(iat=-1),
        "iat after exp": foe.says(iat=IAT + 50, exp=IAT + 40),
        "nbf in the future": foe.says(nbf=IAT + 61),
        "nbf a text": foe.says(nbf="0"),
        "nbf null": foe.signer.token({**foe.claims, "nbf": None}),
        "nbf true": foe.says(nbf=True),
    }


def parties(foe: Foe) -> dict[str, str]:
    """The token is of another, for another, about nobody, or for nothing."""
    return {
        "iss absent": foe.says(iss=None),
        "iss unknown": foe.says(iss="https://attacker.example"),
        "iss with a slash": foe.says(iss=foe.claims["iss"] + "/"),
        "iss in capitals": foe.says(iss=foe.claims["iss"].upper()),
        "iss without scheme": foe.says(iss="issuer.test"),
        "iss is a list": foe.says(iss=[foe.claims["iss"]]),
        "iss is an object": foe.says(iss={"a": 1}),
        "iss empty": foe.says(iss=""),
        "iss with a zero": foe.says(iss=foe.claims["iss"] + "\0"),
        "iss with a surrogate": foe.says(iss="https://\ud800.test"),
        "iss is a pattern": foe.says(iss="https://%"),
        "aud absent": foe.says(aud=None),
        "aud of another": foe.says(aud="another-api"),
        "aud of our own tokens": foe.says(aud="paynexus-api"),
        "aud empty": foe.says(aud=""),
        "aud an empty list": foe.says(aud=[]),
        "aud a list without ours": foe.says(aud=["a", "b"]),
        "aud a list within a list": foe.says(aud=[[AUDIENCE]]),
        "aud a list with a number": foe.says(aud=[AUDIENCE, 1]),
        "aud of two rows": foe.says(aud=[AUDIENCE, ANOTHER]),
        "aud of a hundred": foe.says(aud=[AUDIENCE, *map(str, range(100))]),
        "aud an object": foe.says(aud={AUDIENCE: 1}),
        "aud a prefix": foe.says(aud=AUDIENCE[:-1]),
        "aud a pattern": foe.says(aud="%"),
        "aud with a zero": foe.says(aud=[AUDIENCE, "a\0"]),
        "sub absent": foe.says(sub=None),
        "sub empty": foe.says(sub=""),
        "sub a number": foe.says(sub=7),
        "sub true": foe.says(sub=True),
        "sub a list": foe.says(sub=["ada"]),
        "sub long": foe.says(sub="a" * 256),
        "scope beyond the row's": foe.says(scope="refunds:write"),
        "scope admin": foe.says(scope="admin"),
        "scope of nothing": foe.says(scope=""),
        "scope unknown": foe.says(scope="openid profile"),
        "scope a list": foe.says(scope=["payments:read"]),
        "scope null": foe.signer.token({**foe.claims, "scope": None}),
        "scope in capitals": foe.says(scope="PAYMENTS:READ"),
        "scope joined by a tab": foe.says(scope="payments:read\tadmin"),
        "scp beyond the row's": foe.says(scope=None, scp=["admin"]),
        "scp an empty list": foe.says(scope=None, scp=[]),
        "scp a list with a number": foe.says(scope=None, scp=["payments:read", 1]),
        "scp an object": foe.says(scope=None, scp={"payments:read": True}),
        "scope and scp that share nothing": foe.says(scp=["payments:write"]),
    }


def texts(foe: Foe) -> dict[str, str]:
    """The claims are read differently by different parsers, or can't be read."""
    return {
        "sub twice": foe.writes('"sub": ', '"sub": "eve", "sub": '),
        "iss twice": foe.writes('"iss": ', f'"iss": "{OURS}", "iss": '),
        "iss twice, ours last": foe.writes('"aud": ', f'"iss": "{OURS}", "aud": '),
        "aud twice": foe.writes('"aud": ', '"aud": "x", "aud": '),
        "exp twice, once in disguise": foe.writes('"exp": ', '"\\u0065xp": 1, "exp": '),
        "a key twice deep inside": foe.writes('"sub": ', '"x": {"a": 1, "a": 2}, "sub": '),
        "claims are a list": foe.signer.token([foe.claims]),
        "claims are a text": foe.signer.token("x"),
        "claims are null": foe.signer.token(b"null"),
        "claims are empty": foe.signer.token(b""),
        "claims are no JSON": foe.signer.token(b"{"),
        "claims nest deeply": foe.signer.token(b"[" * 2_000),
        "a claim nests deeply": foe.says(x=json.loads("[" * 60 + "]" * 60)),
        "claims are no UTF-8": foe.signer.token(b"\xff\xfe"),
        "claims begin with a mark": foe.signer.token(
            b"\xef\xbb\xbf" + json.dumps(foe.claims).encode()
        ),
        "claims are UTF-16": foe.signer.token(json.dumps(foe.claims).encode("utf-16")),
        "claims go on": foe.signer.token(json.dumps(foe.claims).encode() + b"{}"),
        "claims with a comment": foe.signer.token(json.dumps(foe.claims).encode() + b"//"),
        "claims are a token": foe.signer.token(foe.says().encode()),
    }


@cache
def attacks_of(algorithm: str) -> dict[str, str]:
    """Every attack on the issuer that signs so, by its name."""
    foe = Foe(algorithm)
    return {
        name: token
        for kind in (signatures, headers, times, parties, texts)
        for name, token in kind(foe).items()
    }


ATTACKS = [(algorithm, name) for algorithm in ALGORITHMS for name in attacks_of(algorithm)]


@pytest.fixture(scope="module")
def issuers_database(postgres_server: postgres.Server) -> Iterator[Database]:
    """A database of this module: attacks change nothing in it."""
    name = f"issuers_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        url = make_conninfo(postgres_server.url, dbname=name)
        with psycopg.connect(url, autocommit=True) as connection:
            db.migrate(connection, MIGRATIONS)
        database = Database(lambda: url)
        yield database
        database.close()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def server() -> Iterator[IssuerServer]:
    """Serves each issuer's keys; one of them stands under a name of ours too."""
    server = IssuerServer()
    for name in ALGORITHMS:
        server.answers[f"/{name}"] = set_of(SIGNERS[name].jwk, ALSO_OUR_KID[name].jwk)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def verifier(issuers_database: Database, server: IssuerServer) -> BearerVerifier:
    """Three issuers, each serving two merchants; and a row that claims to be us."""
    with issuers_database.transaction() as tx:
        for merchant in (FIRST, SECOND):
            tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Shop')", (merchant,))
        for name in ALGORITHMS:
            url, issuer = f"{server.url}/{name}", issuer_of(name)
            for row in (
                TokenIssuer(issuer, AUDIENCE, FIRST, "test", url, SCOPES),
                TokenIssuer(issuer, ANOTHER, SECOND, "live", url, SCOPES),
            ):
                store.insert_issuer(tx, row)
        ours = TokenIssuer(OURS, AUDIENCE, FIRST, "test", f"{server.url}/RS256", SCOPES)
        store.insert_issuer(tx, ours)
    return bearer_verifier(issuers_database)


def bearer_verifier(database: Database) -> BearerVerifier:
    """A verifier as an environment makes it, with no key fetched yet."""
    own = OwnTokens(TokenVerifier(OUR_KEYS, issuer=OURS), database)
    return BearerVerifier(own, issuer=OURS, db=database, keys=KeyCache(fetch))


def accepted(verifier: BearerVerifier, token: str) -> VerifiedToken:
    """What the token proves at the tests' moment."""
    return verifier.verify(token, now=NOW)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_honest_tokens_are_accepted(verifier: BearerVerifier, algorithm: str) -> None:
    """Merchant and mode are the row's; scopes are what both sides grant; the subject is silent."""
    foe = Foe(algorithm)
    token = accepted(verifier, foe.says())

    assert token.principal.merchant_id == FIRST
    assert token.principal.mode == "test"
    assert token.principal.scopes == {"payments:read"}
    assert token.principal.client_id.startswith("oidc_")
    assert "ada" not in token.principal.client_id
    assert token.expires_at == IAT + 600
    assert accepted(verifier, foe.says(sub="eve")).principal.client_id != token.principal.client_id


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_honest_issuers_differ_in(verifier: BearerVerifier, algorithm: str) -> None:
    """Each form is accepted, so that each attack is refused for its own change alone."""
    foe = Foe(algorithm)
    plain = accepted(verifier, foe.says())
    same = [
        foe.heads(typ=None),
        foe.heads(typ="at+JWT"),
        foe.heads(typ="jwt"),
        foe.heads(x5t="AA", **{"x5t#S256": "AA"}),
        foe.says(aud=["another", AUDIENCE]),
        foe.says(aud=[AUDIENCE, AUDIENCE]),
        foe.says(iat=IAT + 60),
        foe.says(nbf=IAT + 60),
        foe.says(scope="payments:read refunds:write admin"),
        foe.says(scope=None, scp=["payments:read", "openid"]),
        foe.says(scope=None, scp="payments:read"),
        foe.says(scope="payments:read payments:write", scp=["payments:read"]),
        foe.writes('"sub"', ' "sub"'),
    ]
    whole = accepted(verifier, foe.says(scope=None))

    assert [accepted(verifier, token) for token in same] == [plain] * len(same)
    assert whole.principal.scopes == set(SCOPES)
    assert accepted(verifier, foe.says(exp=IAT + 3_600)).expires_at == IAT + 3_600
    assert accepted(verifier, foe.says(aud=ANOTHER)).principal.merchant_id == SECOND
    assert accepted(verifier, foe.says(aud=ANOTHER)).principal.mode == "live"


def test_there_are_enough_attacks() -> None:
    """At least sixty on each kind of issuer."""
    assert all(len(attacks_of(algorithm)) >= 60 for algorithm in ALGORITHMS)


@pytest.mark.parametrize(("algorithm", "attack"), ATTACKS)
def test_attack_is_refused(verifier: BearerVerifier, algorithm: str, attack: str) -> None:
    """Every one is the same Unauthenticated and nothing else."""
    with pytest.raises(Unauthenticated) as refusal:
        accepted(verifier, attacks_of(algorithm)[attack])

    assert refusal.value.detail == "The token is not valid: ask for another."


def test_our_own_tokens_are_verified_by_our_own_key_alone(
    verifier: BearerVerifier, issuers_database: Database
) -> None:
    """Though a row claims our name: what our key signed passes, and never a foreign audience."""
    client = Client("pnx_test_1", FIRST, "test", b"", ["payments:read"], None)
    with issuers_database.transaction() as tx:
        clients.insert_client(tx, client)
    signer = TokenSigner(KMS, "one", issuer=OURS)
    token = signer.sign(client, scopes=["payments:read"], token_id=ids.new_id(), now=NOW)

    assert accepted(verifier, token).principal.client_id == "pnx_test_1"


@pytest.mark.long
def test_a_flood_of_unknown_kids_costs_one_fetch_in_thirty_seconds(
    verifier: BearerVerifier, issuers_database: Database, server: IssuerServer
) -> None:
    """Ten thousand tokens over thirty seconds; honest ones pass all the while."""
    foe, flooded = Foe("ES256"), bearer_verifier(issuers_database)
    body, signature = foe.says().split(".")[1:]
    before = server.asked["/ES256"]
    for attempt in range(10_000):
        header = {**foe.signer.header, "kid": f"kid {attempt}"}
        moment = NOW + FETCH_INTERVAL * attempt / 10_000
        with pytest.raises(Unauthenticated):
            flooded.verify(f"{segment(header)}.{body}.{signature}", now=moment)
        if attempt % 1_000 == 0:
            assert flooded.verify(foe.says(), now=moment).principal.merchant_id == FIRST
    within = server.asked["/ES256"] - before
    with pytest.raises(Unauthenticated):
        flooded.verify(foe.heads(kid="one more"), now=NOW + FETCH_INTERVAL)

    assert within == 1
    assert server.asked["/ES256"] - before == 2
