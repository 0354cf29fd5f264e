"""Principals, client ids and secrets."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus import ids
from paynexus.errors import Unauthenticated
from paynexus.identity.model import (
    ALL_SCOPES,
    Mode,
    Principal,
    Scope,
    client_id_of,
    context_of,
    is_client_id,
    is_secret,
    principal_from,
    secret_of,
)

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
PRINCIPAL = Principal(
    ids.MerchantId(ids.new_id()), "pnx_test_x", "test", frozenset({"payments:read", "qr:*"})
)


def test_principal_survives_the_authorizer() -> None:
    """What the authorizer hands on is read back as the same principal."""
    context = context_of(PRINCIPAL, expires_at=int(NOW.timestamp()) + 1)

    assert principal_from(context, now=NOW) == PRINCIPAL


def test_cached_principal_ends_with_its_token() -> None:
    """An answer that API Gateway kept too long is refused."""
    context = context_of(PRINCIPAL, expires_at=int(NOW.timestamp()))

    with pytest.raises(Unauthenticated):
        principal_from(context, now=NOW)


@pytest.mark.parametrize("missing", ["merchant_id", "client_id", "mode", "scope", "expires_at"])
def test_half_a_principal_is_none(missing: str) -> None:
    """Each member of the context is needed."""
    context = context_of(PRINCIPAL, expires_at=int(NOW.timestamp()) + 1)
    del context[missing]

    with pytest.raises(Unauthenticated):
        principal_from(context, now=NOW)


def test_admin_has_every_scope() -> None:
    """`admin` stands for all."""
    admin = Principal(PRINCIPAL.merchant_id, "c", "test", frozenset({"admin"}))

    assert all(admin.has(scope) for scope in Scope)
    assert not PRINCIPAL.has(Scope.REFUNDS_WRITE)
    assert set(ALL_SCOPES) == {scope.value for scope in Scope}


@given(number=st.binary(min_size=32, max_size=32), mode=st.sampled_from(Mode))
def test_secret_is_recognised_and_no_misspelling_is(number: bytes, mode: Mode) -> None:
    """The checksum lets a scanner tell a secret from any text with one digit changed."""
    secret = secret_of(mode, number)
    changed = secret[:-10] + ("0" if secret[-10] != "0" else "1") + secret[-9:]

    assert is_secret(secret)
    assert not is_secret(changed)
    assert len(secret) == len(f"pnx_secret_{mode.value}_") + 49


@given(number=st.binary(min_size=16, max_size=16), mode=st.sampled_from(Mode))
def test_client_id_shows_its_mode(number: bytes, mode: Mode) -> None:
    """Everyone can see which money a client moves."""
    client_id = client_id_of(mode, number)

    assert client_id.startswith(f"pnx_{mode.value}_")
    assert is_client_id(client_id)
    assert not is_client_id(client_id + "\n")
