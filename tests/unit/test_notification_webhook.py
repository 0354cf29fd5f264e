"""Webhooks are signed as Standard Webhooks 1.0 says; an independent verifier agrees."""

import datetime as dt

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from paynexus.notification import webhook
from paynexus.notification.webhook import Verdict

EVENT = {"id": "evt_1", "data": {"name": "Café Müller", "amount": {"amount": 1250}}}


def _sent(now: dt.datetime, *secrets: str) -> tuple[bytes, dict[str, str]]:
    body = webhook.canonical_json(EVENT)
    headers = webhook.headers(message_id="evt_1", timestamp=now, body=body, secrets_=secrets)
    return body, headers


def test_independent_verifier_accepts_what_we_sign(now: dt.datetime) -> None:
    """The `standardwebhooks` package verifies our signature and reads the event back."""
    secret = webhook.new_secret()
    body, headers = _sent(now, secret)

    assert Webhook(secret).verify(body, headers) == EVENT


def test_our_signature_is_theirs(now: dt.datetime) -> None:
    """Byte for byte what the package itself would sign."""
    secret = webhook.new_secret()
    body, headers = _sent(now, secret)
    theirs = Webhook(secret).sign("evt_1", now, body.decode())

    assert theirs == headers["webhook-signature"]


def test_both_secrets_verify_while_one_is_rotated(now: dt.datetime) -> None:
    """A receiver may change over before or after, and misses nothing."""
    old, new = webhook.new_secret(), webhook.new_secret()
    body, headers = _sent(now, new, old)

    assert Webhook(old).verify(body, headers) == EVENT
    assert Webhook(new).verify(body, headers) == EVENT


@pytest.mark.parametrize("field", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_no_signed_part_can_be_changed(now: dt.datetime, field: str) -> None:
    """Id, time and signature are each bound by the signature."""
    secret = webhook.new_secret()
    body, headers = _sent(now, secret)
    headers[field] = headers[field][:-1] + ("2" if headers[field][-1] != "2" else "3")

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_body_is_bound(now: dt.datetime) -> None:
    """Flipping any one byte of the body is noticed."""
    secret = webhook.new_secret()
    body, headers = _sent(now, secret)

    for place in range(len(body)):
        forged = bytearray(body)
        forged[place] ^= 1
        with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
            Webhook(secret).verify(bytes(forged), headers)


def test_secret_is_long_and_marked() -> None:
    """32 random bytes behind `whsec_`, never the same twice."""
    one, other = webhook.new_secret(), webhook.new_secret()

    assert one.startswith("whsec_")
    assert len(one) == len("whsec_") + 44
    assert one != other


def test_json_is_written_one_way() -> None:
    """The order in which a dictionary was filled does not show."""
    assert webhook.canonical_json({"a": 1, "b": "ü"}) == webhook.canonical_json({"b": "ü", "a": 1})
    assert webhook.canonical_json({"b": "ü", "a": 1}) == b'{"a":1,"b":"\xc3\xbc"}'


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.ACCEPTED),
        (204, Verdict.ACCEPTED),
        (299, Verdict.ACCEPTED),
        (103, Verdict.FAILED),
        (301, Verdict.FAILED),
        (308, Verdict.FAILED),
        (400, Verdict.FAILED),
        (410, Verdict.GONE),
        (429, Verdict.FAILED),
        (500, Verdict.FAILED),
        (None, Verdict.FAILED),
    ],
)
def test_only_2xx_is_success(status: int | None, verdict: Verdict) -> None:
    """Redirects fail, 410 asks for no more, silence fails."""
    assert verdict is webhook.verdict(status)
