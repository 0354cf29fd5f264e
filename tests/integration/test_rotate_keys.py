"""Signing keys move on by one place, and nothing that the former ones signed is refused."""

import datetime as dt
import secrets

import jwt
import pytest

from paynexus import ids, runtime
from paynexus.clock import system_clock
from paynexus.errors import Unauthenticated
from paynexus.identity.model import Client
from paynexus.identity.token_keys import aliases_of
from paynexus.ids import MerchantId
from tests.integration.conftest import Caller
from tools import rotate_keys

LATER = dt.timedelta(minutes=rotate_keys.MIN_AGE_MINUTES)


@pytest.fixture
def stage(deployed: pytest.MonkeyPatch) -> str:
    """An installation with its three aliases, of keys that were made just now."""
    name = f"s{secrets.token_hex(6)}"
    kms, aliases = runtime.aws("kms"), aliases_of(f"alias/paynexus-{name}-tokens")
    first, second = (
        kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        for _ in range(2)
    )
    for alias, key in zip(aliases, (first, second, first), strict=True):
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    runtime.aws("ssm").put_parameter(
        Name=f"/paynexus/{name}/keys/secret", Value=runtime.settings().keys_secret, Type="String"
    )
    deployed.setenv("PAYNEXUS_TOKEN_KEY_ALIAS", aliases[0])
    runtime.settings.cache_clear()
    return name


def at(monkeypatch: pytest.MonkeyPatch, moment: dt.datetime) -> None:
    """What time it is, to the product and to the tool."""
    monkeypatch.setattr(runtime, "clock", lambda: lambda: moment)
    monkeypatch.setattr(rotate_keys, "system_clock", lambda: moment)


def token() -> str:
    """A token that is issued now."""
    client = Client("pnx_test_1", MerchantId(ids.new_id()), "test", b"", ["admin"], None)
    now = runtime.clock()()
    return runtime.token_signer().sign(client, scopes=["admin"], token_id=ids.new_id(), now=now)


def verify(text: str) -> str:
    """The `kid` of a token that is valid now."""
    runtime.token_verifier().verify(text, now=runtime.clock()())
    kid: str = jwt.get_unverified_header(text)["kid"]
    return kid


def test_token_keys_rotate(
    stage: str, deployed: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The announced key signs within a minute; its predecessor's tokens are honoured."""
    start = system_clock()
    at(deployed, start)
    before = token()
    published = [key["kid"] for key in runtime.token_keys().jwks(now=start)["keys"]]
    at(deployed, start + LATER - dt.timedelta(seconds=60))
    young = token()

    at(deployed, start + LATER)
    assert rotate_keys.main(["tokens", "--stage", stage]) == 0
    assert verify(young) == published[0]
    at(deployed, start + LATER + dt.timedelta(seconds=60))
    after = token()

    assert verify(after) == published[1]
    assert verify(young) == published[0] == jwt.get_unverified_header(before)["kid"]
    at(deployed, start + LATER + dt.timedelta(seconds=400))
    now_published = [key["kid"] for key in runtime.token_keys().jwks(now=runtime.clock()())["keys"]]
    assert now_published[0] == published[1]
    assert len(now_published) == 3
    assert published[0] == now_published[2]


def test_a_key_that_was_published_too_lately_does_not_sign(
    stage: str, deployed: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever kept the published set would not know it: nothing changes, and the tool says when."""
    at(deployed, system_clock())
    first = token()

    assert rotate_keys.main(["tokens", "--stage", stage]) == 1
    assert "wait 20 minutes" in capsys.readouterr().err
    assert verify(token()) == verify(first)


def test_a_withdrawn_key_is_refused_within_five_minutes(
    stage: str, deployed: pytest.MonkeyPatch
) -> None:
    """After a second rotation the first key is nobody's."""
    start = system_clock()
    at(deployed, start)
    stolen = token()
    verify(stolen)
    # The second key is made by the tool, by a clock that nobody set.
    deployed.setattr(rotate_keys, "system_clock", lambda: start + LATER)
    rotate_keys.main(["tokens", "--stage", stage, "--min-age", "0"])
    rotate_keys.main(["tokens", "--stage", stage, "--min-age", "0"])
    at(deployed, start + dt.timedelta(seconds=300))

    with pytest.raises(Unauthenticated):
        verify(stolen)


def test_qr_keys_rotate(stage: str, deployed: pytest.MonkeyPatch, call: Caller) -> None:
    """First one is announced, then it signs; the former stays published."""
    start = system_clock()
    at(deployed, start)
    kids = [key["kid"] for key in runtime.qr_keys().jwks()["keys"]]
    assert rotate_keys.main(["qr", "--stage", stage]) == 0
    # The secret's own clock, which nobody set, is a little later than ours.
    later = start + LATER + dt.timedelta(minutes=1)
    at(deployed, later)
    announced = [key["kid"] for key in runtime.qr_keys().jwks()["keys"]]
    assert rotate_keys.main(["qr", "--stage", stage]) == 0
    at(deployed, later + dt.timedelta(seconds=runtime.KEYS_SECONDS))
    rotated = [key["kid"] for key in runtime.qr_keys().jwks()["keys"]]

    assert announced[0] == kids[0]
    assert rotated[0] == announced[1]
    assert kids[0] in rotated
    assert len(rotated) == 3
