"""QR codes over HTTP: issued, drawn, scanned; then spent by a payment, once."""

import base64
import datetime as dt
import json
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import png  # type: ignore[import-untyped]  # pypng has no types
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.errors import QrRefused
from paynexus.idempotency import Scope
from paynexus.ids import MerchantId
from paynexus.money import Money
from paynexus.payments import service as payments
from paynexus.payments.service import PaymentRequest
from paynexus.qr import model
from paynexus.qr import payload as payloads
from paynexus.retention import service as retention
from qr_api.handler import handler
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.qr_reader import read_picture

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
    assert (payload.usage, code["usage"], payload.reference) == ("single", "single", "Table 4")
    assert (payload.name, payload.city, payload.country) == ("Cafe Muller", "Berlin", "DE")
    assert payload.expires_at == dt.datetime.fromisoformat(code["expires"])
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
    ({"expires_in": 366 * 86_400 + 1}, "expires_in"),
    ({"usage": "twice"}, "usage"),
    ({"usage": "static"}, None),
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


def test_of_two_scans_the_first_to_pay_has_the_code(call: Caller, database: Database) -> None:
    """Whoever scans a single code takes nothing from who scanned it before."""
    payload = issue(call).json()["payload"]
    older = scan(call, payload).json()["qr_code"]
    newer = scan(call, payload).json()["qr_code"]
    pay(database, call, older)

    assert older != newer
    assert refusal(database, call, newer) == "qr_spent"


def test_a_static_code_is_paid_by_many(call: Caller, database: Database) -> None:
    """Each scan once, each of any amount in its currency; the code stays as it is."""
    code = issue(call, {"currency": "EUR", "usage": "static"}).json()
    tokens = [scan(call, code["payload"]).json()["qr_code"] for _ in range(3)]
    for number, token in enumerate(tokens, start=1):
        pay(database, call, token, money=Money(number, "EUR"), key=f"customer {number}")

    assert refusal(database, call, tokens[0]) == "qr_spent"
    later = call(handler, "GET", f"/qr-codes/{code['id']}").json()
    assert (later["status"], later["expires"], later["payment"]) == ("active", None, None)


@pytest.mark.parametrize(
    ("limit", "after"),
    [
        ("STATIC_PAYMENTS_PER_MINUTE", dt.timedelta(seconds=61)),
        ("STATIC_PAYMENTS_PER_DAY", dt.timedelta(hours=25)),
    ],
)
def test_a_static_code_has_a_velocity(
    call: Caller,
    database: Database,
    deployed: pytest.MonkeyPatch,
    limit: str,
    after: dt.timedelta,
) -> None:
    """Two payments within the time, not three; another code, and later ones, are not held up."""
    deployed.setattr(model, limit, 2)
    order = {"currency": "EUR", "usage": "static"}
    payload = issue(call, order).json()["payload"]
    other = issue(call, order, key="another till").json()["payload"]
    for number in range(2):
        token = scan(call, payload).json()["qr_code"]
        pay(database, call, token, key=f"customer {number}")
    third = scan(call, payload).json()["qr_code"]

    assert refusal(database, call, third) == "qr_used_too_often"
    pay(database, call, scan(call, other).json()["qr_code"], key="elsewhere")
    later = runtime.clock()() + after
    deployed.setattr(runtime, "clock", lambda: lambda: later)
    pay(database, call, scan(call, payload).json()["qr_code"], key="later")


def test_a_crowd_at_a_static_code_is_counted_exactly(
    call: Caller, database_url: str, deployed: pytest.MonkeyPatch
) -> None:
    """Twelve customers at once, seven allowed a minute: seven pay."""
    deployed.setattr(model, "STATIC_PAYMENTS_PER_MINUTE", 7)
    payload = issue(call, {"currency": "EUR", "usage": "static"}).json()["payload"]
    tokens = [scan(call, payload).json()["qr_code"] for _ in range(12)]

    results = _race(call, database_url, tokens)

    assert results == ["paid"] * 7 + ["qr_used_too_often"] * 5


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
    skewed = later + dt.timedelta(minutes=2)
    deployed.setattr(runtime, "clock", lambda: lambda: skewed)
    assert scan(call, payload).status == 200, "clocks may differ by two minutes"
    deployed.setattr(runtime, "clock", lambda: lambda: latest)
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
    results = _race(call, database_url, [scanned(call)] * 20)
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


def test_codes_and_spent_scans_never_change(call: Caller, database: Database) -> None:
    """Not even by hand."""
    pay(database, call, scanned(call))
    for change in ("payment_id = uuidv7()", "expires_at = now()", "usage = 'static'"):
        with pytest.raises(Exception, match="never changes"), database.transaction() as tx:
            tx.execute(f"UPDATE qr_scans SET {change}")  # noqa: S608 - constants above
    with pytest.raises(Exception, match="never changes"), database.transaction() as tx:
        tx.execute("DELETE FROM qr_scans")
    for change in ("UPDATE qr_codes SET amount = 1", "DELETE FROM qr_codes"):
        with pytest.raises(Exception, match="never changed or del"), database.transaction() as tx:
            tx.execute(change)


def test_unpaid_scans_are_forgotten_after_a_day(call: Caller, database: Database) -> None:
    """And no others: what was paid is kept with the books."""
    payload = issue(call).json()["payload"]
    tokens = [scan(call, payload).json()["qr_code"] for _ in range(2)]
    pay(database, call, tokens[0])
    now = runtime.clock()()

    assert retention.forget_scans(database, now=now) == 0
    assert retention.forget_scans(database, now=now + dt.timedelta(days=1, minutes=6)) == 1
    assert refusal(database, call, tokens[1]) == "qr_unknown"


@pytest.mark.parametrize("size", [128, 300, 1024])
@pytest.mark.parametrize("usage", ["single", "static"])
def test_a_camera_reads_what_is_drawn(
    call: Caller, database: Database, size: int, usage: str
) -> None:
    """At three sizes, by an independent reader; what it reads is scanned, and paid."""
    order = {"currency": "EUR", "usage": usage, "reference": "Table 4"}
    code = issue(call, order).json()
    answer = call(
        handler,
        "GET",
        f"/qr-codes/{code['id']}/image",
        headers={"accept": "image/png"},
        query={"size": str(size)},
    )
    width, height, read = read_picture(answer.body)

    assert (width, height) == (size, size)
    assert read == code["payload"]
    payment_id = pay(database, call, scan(call, read).json()["qr_code"])
    paid = database.connection().execute(
        "SELECT qr_code_id FROM transactions WHERE id = %s", (payment_id,)
    )
    assert paid.fetchone() == (ids.parse("qr", code["id"]),)


def test_size_and_margin_are_kept(call: Caller) -> None:
    """A margin is counted in modules; bad values are named."""
    path = f"/qr-codes/{issue(call).json()['id']}/image"
    wide = call(handler, "GET", path, query={"size": "200", "margin": "10"}).body.decode()
    usual = call(handler, "GET", path, query={"size": "200"}).body.decode()
    sides = [int(re.search(r'viewBox="0 0 (\d+)', one)[1]) for one in (wide, usual)]  # type: ignore[index]

    assert 'width="200"' in wide
    assert sides[0] - sides[1] == 12
    for query in ({"size": "63"}, {"size": "4097"}, {"margin": "3"}, {"layout": "x"}):
        answer = call(handler, "GET", path, query=query)
        assert (answer.status, answer.json()["param"]) == (400, next(iter(query))), query
    tiny = call(handler, "GET", path, query={"size": "64"}, headers={"accept": "image/png"})
    assert (tiny.status, tiny.json()["param"]) == (400, "size")


def test_a_poster_names_the_merchant(call: Caller, database: Database) -> None:
    """As text that can't break out of the drawing; as SVG alone."""
    with database.transaction() as tx:
        tx.execute("UPDATE merchants SET name = '<script>&\"Café\"'")
    path = f"/qr-codes/{issue(call).json()['id']}/image"
    drawn = call(handler, "GET", path, query={"layout": "poster"})
    picture = ET.fromstring(drawn.body)  # noqa: S314 - ours
    texts = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    refused = call(
        handler, "GET", path, query={"layout": "poster"}, headers={"accept": "image/png"}
    )

    assert texts == ['<script>&"Café"', "12.50 EUR · Table 4"]
    assert (refused.status, refused.json()["code"]) == (406, "not_acceptable")


def test_keys_are_published_and_rotate(call: Caller, deployed: pytest.MonkeyPatch) -> None:
    """Anyone reads them; an announced key takes over, the former one stays honoured."""
    before = issue(call).json()["payload"]
    published = _published_keys()
    secret = runtime.settings().keys_secret
    held = json.loads(
        runtime.aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    )
    former = Ed25519PrivateKey.from_private_bytes(base64.b64decode(held["qr_signing_key"]))
    rotated = held | {
        "qr_signing_key": base64.b64encode(b"n" * 32).decode(),
        "qr_former_keys": base64.b64encode(former.public_key().public_bytes_raw()).decode(),
    }
    runtime.aws("secretsmanager").put_secret_value(
        SecretId=secret, SecretString=json.dumps(rotated)
    )
    later = runtime.clock()() + dt.timedelta(seconds=runtime.KEYS_SECONDS)
    deployed.setattr(runtime, "clock", lambda: lambda: later)
    after = issue(call, key="after").json()["payload"]

    assert len(published) == 1
    assert len(_published_keys()) == 2
    assert published[0] in _published_keys()
    assert scan(call, before).status == scan(call, after).status == 200
    runtime.aws("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps(held))


def _published_keys() -> list[dict[str, str]]:
    answer = answer_of(handler(gateway_event("GET", "/.well-known/qr-keys.json"), None))
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=300")
    keys: list[dict[str, str]] = answer.json()["keys"]
    assert all(key["kty"] == "OKP" and "d" not in key for key in keys)
    return keys


def _race(call: Caller, database_url: str, tokens: list[str]) -> list[str]:
    """What each of the payments came to that spend these tokens at once, sorted."""

    def pays(number: int) -> str:
        own = Database(lambda: database_url)
        try:
            pay(own, call, tokens[number], key=f"racer {number}")
        except QrRefused as error:
            return error.code
        finally:
            own.close()
        return "paid"

    with ThreadPoolExecutor(len(tokens)) as pool:
        return sorted(pool.map(pays, range(len(tokens))))
