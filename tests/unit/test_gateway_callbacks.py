"""Whose a callback is, what it says, and what that comes to."""

import datetime as dt
import hashlib
import hmac
import itertools
import json
from dataclasses import replace
from uuid import UUID

import pytest

from paynexus.errors import SignatureRefused
from paynexus.gateways import sandbox_callbacks
from paynexus.gateways.callbacks import DIALECTS
from paynexus.gateways.port import Operation, Outcome, Word
from paynexus.gateways.sandbox_callbacks import TOLERANCE, id_of, read, signature_of, verify
from paynexus.ids import PaymentId
from paynexus.payments.verdicts import Asked, State, Verdict, judge, state_of
from tools.sandbox_acquirer import callbacks as acquirer

KEY = "the-key"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
BODY = json.dumps({"id": "cb_1", "note": "Café"}, ensure_ascii=False)
SIGNED = signature_of(BODY, key=KEY, at=NOW)
TIMELESS = hmac.new(KEY.encode(), BODY.encode(), hashlib.sha256).hexdigest()

OPERATION = {
    "operation": "charge",
    "reference": "chg_1",
    "status": "approved",
    "amount": 1250,
    "currency": "EUR",
}
WORD = Word("charge", "chg_1", Outcome.APPROVED, 1250, "EUR")
ASKED = Asked(UUID(int=1), PaymentId(UUID(int=2)), Operation.CHARGE, UUID(int=2), 1250, "EUR", None)


def refused(
    header: str | None, body: str = BODY, *, key: str = KEY, now: dt.datetime = NOW
) -> bool:
    """Whether the callback is taken for a forgery."""
    headers = {} if header is None else {"acquirer-signature": header}
    try:
        verify(headers, body, key=key, now=now)
    except SignatureRefused:
        return True
    return False


def test_the_signature_is_an_hmac_of_time_and_body() -> None:
    """As the standard library makes it, and as the acquirer does."""
    signed = f"{int(NOW.timestamp())}.{BODY}".encode()
    digest = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()

    assert f"t={int(NOW.timestamp())},v1={digest}" == SIGNED
    assert acquirer.signature_of(BODY.encode(), key=KEY, at=NOW) == SIGNED
    assert acquirer.SIGNATURE_HEADER.lower() == sandbox_callbacks.SIGNATURE_HEADER
    assert not refused(SIGNED)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        SIGNED.upper(),
        SIGNED[:-1],
        SIGNED + "0",
        SIGNED.partition(",")[2],
        SIGNED.partition(",")[0],
        "t=,v1=" + "0" * 64,
        "t=1e9,v1=" + "0" * 64,
        "t=٣,v1=" + "0" * 64,
        SIGNED + "\n",
        f"{SIGNED},{SIGNED}",
        f"t={int(NOW.timestamp()) + 1},v1={SIGNED.partition('v1=')[2]}",
        f"t={int(NOW.timestamp())},v1={TIMELESS}",
    ],
)
def test_any_other_signature_is_refused(header: str | None) -> None:
    """Missing, cut, of another form, of another time, not over the time."""
    assert refused(header)


def test_any_other_body_or_key_is_refused() -> None:
    """One character is enough."""
    assert refused(SIGNED, BODY + " ")
    assert refused(SIGNED, BODY.replace("cb_1", "cb_2"))
    assert refused(SIGNED, key=KEY + "x")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_signature_lives_five_minutes_either_way(sign: int) -> None:
    """To the second: what was overheard yesterday is of no use."""
    assert not refused(SIGNED, now=NOW + sign * TOLERANCE)
    assert refused(SIGNED, now=NOW + sign * (TOLERANCE + dt.timedelta(seconds=1)))


def test_the_acquirers_words_are_read() -> None:
    """Reference, operation, outcome, money."""
    body = json.dumps({"id": "cb_1", "operation": OPERATION})

    assert (id_of(body), read(body)) == ("cb_1", WORD)
    assert all(DIALECTS[name].read(body) == WORD for name in ("sandbox", "sandbox_two"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation": "chargeback"},
        {"operation": None},
        {"reference": ""},
        {"reference": "x" * 201},
        {"reference": 1},
        {"reference": "a\x00b"},
        {"status": "done"},
        {"status": ["approved"]},
        {"amount": "1250"},
        {"amount": 12.5},
        {"amount": True},
        {"currency": 978},
    ],
)
def test_what_is_not_put_so_is_not_read(wrong: dict[str, object]) -> None:
    """No guesses."""
    assert read(json.dumps({"id": "cb_1", "operation": OPERATION | wrong})) is None


@pytest.mark.parametrize(
    "body",
    ["", "{", "null", "[]", '"text"', "{}", '{"operation": []}', '{"operation": "{}"}', "[" * 99],
)
def test_what_is_no_callback_is_not_read(body: str) -> None:
    """Nor does it have an id."""
    assert read(body) is None
    assert id_of(body) is None


@pytest.mark.parametrize("own_id", ["", 1, None, "x" * 201, "a\nb"])
def test_an_id_is_a_short_printable_text(own_id: object) -> None:
    """Or there is none."""
    assert id_of(json.dumps({"id": own_id})) is None


def test_each_word_about_each_knowledge() -> None:
    """All twelve plus three: news are asked about, what is known agrees or contradicts."""
    confirmed, contradicts = Verdict.CONFIRMED, Verdict.CONTRADICTS
    expected = {
        Outcome.APPROVED: (Verdict.ASK, Verdict.ASK, confirmed, contradicts, contradicts),
        Outcome.DECLINED: (Verdict.ASK, Verdict.ASK, contradicts, confirmed, confirmed),
        Outcome.UNKNOWN: (Verdict.WITHOUT_NEWS,) * 5,
    }
    known = (None, Outcome.UNKNOWN, Outcome.APPROVED, Outcome.DECLINED, Outcome.NOT_SENT)
    for said, outcome in itertools.product(expected, known):
        verdict = judge(replace(WORD, outcome=said), replace(ASKED, outcome=outcome))
        assert verdict is expected[said][known.index(outcome)], (said, outcome)


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        (replace(WORD, operation="capture"), Verdict.WRONG_OPERATION),
        (replace(WORD, amount=1251), Verdict.WRONG_AMOUNT),
        (replace(WORD, amount=None), Verdict.WRONG_AMOUNT),
        (replace(WORD, currency="USD"), Verdict.WRONG_CURRENCY),
        (replace(WORD, currency=None), Verdict.WRONG_CURRENCY),
        (None, Verdict.UNREADABLE),
    ],
)
@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_what_differs_is_refused_whatever_is_known(
    word: Word | None, verdict: Verdict, outcome: Outcome | None
) -> None:
    """It never makes anybody ask."""
    assert judge(word, replace(ASKED, outcome=outcome)) is verdict
    assert state_of(verdict) is State.REFUSED


def test_only_a_cancel_may_keep_silent_about_money() -> None:
    """It releases what there is. With half of it, it is wrong."""
    asked = replace(ASKED, operation=Operation.CANCEL)
    silent = replace(WORD, operation="cancel", amount=None, currency=None)

    assert judge(silent, asked) is Verdict.ASK
    assert judge(replace(silent, currency="EUR"), asked) is Verdict.WRONG_AMOUNT
    assert judge(WORD, None) is Verdict.UNKNOWN_REFERENCE


def test_each_verdict_has_a_state() -> None:
    """Only what is to be asked about stays open."""
    applied = {Verdict.CONFIRMED, Verdict.WITHOUT_NEWS}

    assert {verdict for verdict in Verdict if state_of(verdict) is State.PENDING} == {Verdict.ASK}
    assert {verdict for verdict in Verdict if state_of(verdict) is State.APPLIED} == applied
