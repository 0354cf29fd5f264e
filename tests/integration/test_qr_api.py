"""QR codes over HTTP: issued, drawn, scanned; then spent by a payment, once."""

import datetime as dt
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import png  # type: ignore[import-untyped]  # pypng has no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.errors import QrRefused
from paynexus.idempotency import Scope
from paynexus.ids import MerchantId
from paynexus.money import Money
from paynexus.payments import service as payments
from paynexus.payments.service import PaymentRequest
from paynexus.qr import payload as payloads
from qr_api.handler import handler
from tests.integration.conftest import Answer, Caller

ORDER = {"amount": 1250, "currency": "EUR", "reference": "Table 4"}
EUROS = Money(1250, "EUR")


def issue(call: Caller, order: object = ORDER, key: str = "order 1") -> Answer:
    """The answer to POST /qr-codes."""
    return call(handler, "POST", "/qr-codes", order, headers={"Idempotency-Key": key})


def scan(call: Caller, payload: str) -> Answer:
    """The answer to POST /qr-codes/scan."""
    return call(handler, "POST", "/qr-codes/scan", {"payload": payload})


def scanned(call: Caller, order: object = ORDER) -> str:
    """The token of a fresh code's scan."""
    answer = scan(call, issue(call, order).json()["payload"])
    assert answer.status == 200
    token: str = answer.json()["qr_code"]
    return token


def pay(
    database: Database, call: Caller, token: str, *, money: Money = EUROS, key: str = "payment 1"
) -> ids.PaymentId:
    """A payment of `money` that spends the token."""
    accepted = payments.accept(
        database,
        Scope(call.merchant_id, call.mode, "POST /payments", key),
        PaymentRequest(money, "tok_visa", qr_code=token),
        fingerprint=b"same",
        now=runtime.clock()(),
    )
    return accepted.payment_id


def refusal(database: Database, call: Caller, token: str, *, money: Money = EUROS) -> str:
    """The code that spending the token is refused with."""
    with pytest.raises(QrRefused) as caught:
        pay(database, call, token, money=money, key="refused")
    return caught.value.code


def test_issued_code_is_read_back(call: Caller) -> None:
    """What POST answers is what GET shows, and the payload says the same, signed."""
    issued = issue(call)
    code = issued.json()
    read = call(handler, "GET", f"/qr-codes/{code['id']}")
    payload = payloads.verify(code["payload"], runtime.qr_keys())

    assert (issued.status, code["status"]) == (201, "active")
    assert read.json() == code
    assert code["amount"] == {"amount": 1250, "currency": "EUR"}
    assert (payload.amount, payload.currency, payload.mode) == (1250, "EUR", "test")
    assert ids.text("qr", payload.qr_code_id) == code["id"]
    assert payload.merchant_id == call.merchant_id


def test_same_key_answers_the_same_code(call: Caller) -> None:
    """A repeated order is one code, byte for byte; another order under its key is refused."""
    first, again = issue(call), issue(call)
    other = issue(call, {**ORDER, "amount": 1})

    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")


def test_key_is_required_to_issue_but_not_to_scan(call: Caller) -> None:
    """Issuing acts, scanning asks."""
    answer = call(handler, "POST", "/qr-codes", ORDER)

    problem = answer.json()
    assert (answer.status, problem["code"]) == (400, "idempotency_key_missing")
    assert problem["param"] == "Idempotency-Key"
    assert scanned(call)


BAD_CHANGES: list[tuple[dict[str, object], str | None]] = [
    ({"amount": 0}, "amount"),
    ({"amount": -1}, "amount"),
    ({"amount": "5"}, "amount"),
    ({"amount": 5.0}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": 10**10}, "amount"),
    ({"currency": "XXX"}, "currency"),
    ({"currency": "eur"}, "currency"),
    ({"currency": None}, "currency"),
    ({"reference": "a\0b"}, "reference"),
    ({"reference": ""}, "reference"),
    ({"reference": "a" * 201}, "reference"),
    ({"expires_in": 9}, "expires_in"),
    ({"expires_in": 86_401}, "expires_in"),
    ({"expires_in": 60.0}, "expires_in"),
    ({"unknown": 1}, "unknown"),
]


def test_bad_order_names_its_field(call: Caller, database: Database) -> None:
    """4xx, and nothing is written."""
    for change, param in BAD_CHANGES:
        answer = issue(call, {**ORDER, **change})

        assert (answer.status, answer.json().get("param")) == (400, param), change
    count = database.connection().execute(
        "SELECT (SELECT count(*) FROM qr_codes) + (SELECT count(*) FROM idempotency_keys)"
    )
    assert count.fetchone() == (0,)


def test_pictures(call: Caller) -> None:
    """SVG by default, PNG on request, 406 for the rest."""
    path = f"/qr-codes/{issue(call).json()['id']}/image"
    svg = call(handler, "GET", path)
    picture = call(handler, "GET", path, headers={"accept": "image/png"})
    neither = call(handler, "GET", path, headers={"accept": "image/jpeg"})

    assert svg.headers["Content-Type"] == "image/svg+xml"
    assert ET.fromstring(svg.body).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - ours
    assert picture.headers["Content-Type"] == "image/png"
    width, height, _, _ = png.Reader(bytes=picture.body).read()
    assert width == height > 300
    assert (neither.status, neither.json()["code"]) == (406, "not_acceptable")


def test_scan_tells_the_payer_what_is_asked(call: Caller) -> None:
    """Merchant, money, reference, and a token that is in no other answer."""
    code = issue(call).json()
    answer = scan(call, code["payload"]).json()

    assert answer["merchant"] == {
        "id": ids.text("mer", call.merchant_id),
        "name": "Café Müller",
    }
    assert (answer["amount"], answer["reference"]) == (code["amount"], "Table 4")
    assert answer["qr_code"].startswith("qrt_")
    assert call(handler, "GET", f"/qr-codes/{code['id']}").json()["status"] == "scanned"


def test_payment_spends_the_code(call: Caller, database: Database) -> None:
    """The code names its payment, and neither a scan nor a payment takes it again."""
    code = issue(call).json()
    token = scan(call, code["payload"]).json()["qr_code"]
    payment_id = pay(database, call, token)
    spent = call(handler, "GET", f"/qr-codes/{code['id']}").json()
    again = scan(call, code["payload"])

    assert (spent["status"], spent["payment"]) == ("spent", ids.text("pay", payment_id))
    assert refusal(database, call, token) == "qr_spent"
    assert (again.status, again.json()["code"]) == (422, "qr_spent")


def test_customer_may_choose_the_amount(call: Caller, database: Database) -> None:
    """A code without an amount takes any, in its currency."""
    token = scanned(call, {"currency": "EUR"})

    assert refusal(database, call, token, money=Money(7, "USD")) == "qr_wrong_currency"
    pay(database, call, token, money=Money(7, "EUR"))


def test_each_refusal_to_spend_has_its_code(call: Caller, database: Database) -> None:
    """And none of them spends the code."""
    token = scanned(call)

    assert refusal(database, call, token, money=Money(1251, "EUR")) == "qr_amount_mismatch"
    assert refusal(database, call, token, money=Money(1250, "USD")) == "qr_wrong_currency"
    assert refusal(database, call, "qrt_unknown") == "qr_unknown"
    assert refusal(database, replace(call, mode="live"), token) == "qr_unknown"
    pay(database, call, token)


def test_a_newer_scan_voids_the_older(call: Caller, database: Database) -> None:
    """Only the last scan's token is worth anything."""
    payload = issue(call).json()["payload"]
    older = scan(call, payload).json()["qr_code"]
    newer = scan(call, payload).json()["qr_code"]

    assert refusal(database, call, older) == "qr_unknown"
    pay(database, call, newer)


def test_time_ends_codes_and_scans(
    call: Caller, database: Database, deployed: pytest.MonkeyPatch
) -> None:
    """An expired code is not scanned; a scan in time is paid within five minutes of it."""
    payload = issue(call).json()["payload"]
    later = runtime.clock()() + dt.timedelta(minutes=4, seconds=50)
    deployed.setattr(runtime, "clock", lambda: lambda: later)
    token = scan(call, payload).json()["qr_code"]
    latest = later + dt.timedelta(minutes=5)
    deployed.setattr(runtime, "clock", lambda: lambda: latest)
    late = scan(call, payload)

    assert (late.status, late.json()["code"]) == (422, "qr_expired")
    assert refusal(database, call, token) == "qr_expired"
    deployed.setattr(runtime, "clock", lambda: lambda: latest - dt.timedelta(seconds=1))
    pay(database, call, token)


def test_another_merchant_and_the_other_mode_see_nothing(call: Caller, database: Database) -> None:
    """Reading is 404, scanning and spending are qr_unknown."""
    code = issue(call).json()
    token = scan(call, code["payload"]).json()["qr_code"]
    other = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (other,))
        tx.execute("INSERT INTO merchant_fees VALUES (%s, 'EUR', 0, 0)", (other,))
    for stranger in (Caller(other), replace(call, mode="live")):
        assert call.merchant_id != other
        assert stranger(handler, "GET", f"/qr-codes/{code['id']}").status == 404
        assert stranger(handler, "GET", f"/qr-codes/{code['id']}/image").status == 404
        assert scan(stranger, code["payload"]).json()["code"] == "qr_unknown"
        assert refusal(database, stranger, token) == "qr_unknown"


def test_what_is_no_code_is_404(call: Caller) -> None:
    """Whatever stands in the path."""
    for name in ("x", "qr_", "qr_" + "0" * 26, "qr_" + "z" * 26, "pay_1"):
        assert call(handler, "GET", f"/qr-codes/{name}").status == 404, name


def test_twenty_payments_race_for_one_code(call: Caller, database_url: str) -> None:
    """One wins; nineteen learn that it is spent; the books name one payment."""
    token = scanned(call)

    def race(number: int) -> str:
        own = Database(lambda: database_url)
        try:
            pay(own, call, token, key=f"racer {number}")
        except QrRefused as error:
            return error.code
        finally:
            own.close()
        return "paid"

    with ThreadPoolExecutor(20) as pool:
        results = sorted(pool.map(race, range(20)))
    rows = (
        runtime.database()
        .connection()
        .execute(
            "SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM idempotency_keys)"
        )
    )

    assert results == ["paid"] + ["qr_spent"] * 19
    # The key of the QR code itself, and the winner's.
    assert rows.fetchone() == (1, 2)


def test_a_spent_code_never_changes(call: Caller, database: Database) -> None:
    """Not even by hand."""
    pay(database, call, scanned(call))
    for change in ("payment_id = uuidv7()", "amount = 1", "token_hash = NULL"):
        with pytest.raises(Exception, match="never changes"), database.transaction() as tx:
            tx.execute(f"UPDATE qr_codes SET {change}")  # noqa: S608 - constants above
    with pytest.raises(Exception, match="never changed or deleted"), database.transaction() as tx:
        tx.execute("DELETE FROM qr_codes")


@settings(deadline=None, max_examples=50)
@given(text=st.text(max_size=200))
def test_any_text_is_a_forgery(text: str) -> None:
    """Whatever a camera reads: qr_forged, before any database is asked."""
    ring = payloads.key_ring_from(b"k" * 32)

    with pytest.raises(QrRefused) as caught:
        payloads.verify(text, ring)

    assert caught.value.code == "qr_forged"
