"""The sandbox acquirer's disputes, over HTTP: opened and decided by whoever plays the bank."""

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_sandbox_acquirer import Acquirer


@pytest.fixture(name="acquirer")
def _acquirer(tmp_path: Path) -> Iterator[Acquirer]:
    """One with books of its own."""
    acquirer = Acquirer(tmp_path / "acquirer")
    acquirer.start()
    yield acquirer
    acquirer.stop()
    acquirer.http.clear()


def opened(acquirer: Acquirer, reference: str, **asked: object) -> dict[str, Any]:
    """The acquirer's answer to a new dispute."""
    answer = acquirer.call("POST", f"/v1/charges/{reference}/disputes", asked)
    found: dict[str, Any] = {"http": answer.status, **answer.json()}
    return found


def refunded(acquirer: Acquirer, reference: str, amount: int) -> str | None:
    """Why a refund of the charge `a` was declined."""
    body = {"reference": reference, "amount": amount, "currency": "EUR"}
    code: str | None = acquirer.call("POST", "/v1/charges/a/refunds", body).json()["code"]
    return code


def test_a_dispute_takes_its_money_until_it_is_won(acquirer: Acquirer) -> None:
    """No refund is made of it meanwhile, and twice the same end is once."""
    acquirer.charge("a", "tok_approve")
    dispute = opened(acquirer, "a", amount=1000, reason="duplicate")
    assert refunded(acquirer, "r1", 251) == "charge_disputed"
    assert refunded(acquirer, "r2", 250) is None
    path = f"/v1/disputes/{dispute['id']}"

    won = [acquirer.call("POST", f"{path}/close", {"outcome": "won"}).json() for _ in range(2)]

    assert [one["status"] for one in won] == ["won", "won"]
    assert acquirer.call("GET", path).json() == won[0]
    assert acquirer.call("GET", "/v1/charges/a").json()["disputed"] == 0
    assert refunded(acquirer, "r3", 1000) is None
    other = acquirer.call("POST", f"{path}/close", {"outcome": "lost"})
    assert (other.status, other.json()["error"]["code"]) == (409, "dispute_closed")


def test_what_was_refunded_can_be_disputed_too(acquirer: Acquirer) -> None:
    """That is what makes a dispute a loss: the payer has it twice."""
    acquirer.charge("a", "tok_approve")
    refunded(acquirer, "r", 1250)
    assert opened(acquirer, "a")["amount"] == 1250


def test_disputes_survive_and_stand_in_the_settlement_file(acquirer: Acquirer) -> None:
    """A kill later both are as they were; each has its line, and the one that was won two."""
    acquirer.charge("a", "tok_approve")
    won, lost = opened(acquirer, "a", amount=200), opened(acquirer, "a", amount=300)
    for dispute, outcome in ((won, "won"), (lost, "lost")):
        acquirer.call("POST", f"/v1/disputes/{dispute['id']}/close", {"outcome": outcome})
    acquirer.stop(9)
    acquirer.start()

    day = dt.datetime.now(dt.UTC).date()  # noqa: TID251 - the acquirer's own day
    text = acquirer.call("GET", f"/v1/settlement-file?date={day}").data.decode()
    lines = [
        (row["reference"], row["operation"], row["net"])
        for row in csv.DictReader(io.StringIO(text))
    ]

    assert acquirer.call("GET", f"/v1/disputes/{lost['id']}").json()["status"] == "lost"
    assert lines[1:] == [
        (won["id"], "dispute", "-200"),
        (lost["id"], "dispute", "-300"),
        (won["id"], "dispute_won", "200"),
    ]


@pytest.mark.parametrize(
    ("reference", "asked", "http", "code"),
    [
        ("nobody", {}, 404, "unknown_charge"),
        ("held", {}, 409, "nothing_captured"),
        ("a", {"amount": 1251}, 409, "amount_exceeds_captured"),
        ("a", {"amount": 0}, 400, "invalid_request"),
        ("a", {"reason": "x" * 101}, 400, "invalid_request"),
        ("a", {"status": "lost"}, 400, "invalid_request"),
    ],
)
def test_a_dispute_that_can_not_be_is_refused(
    acquirer: Acquirer, reference: str, asked: dict[str, object], http: int, code: str
) -> None:
    """With its reason, and nothing is taken."""
    acquirer.charge("a", "tok_approve")
    acquirer.charge("held", "tok_approve", capture=False)
    refusal = opened(acquirer, reference, **asked)
    assert (refusal["http"], refusal["error"]["code"]) == (http, code)
    assert acquirer.call("GET", "/v1/charges/a").json()["disputed"] == 0


@pytest.mark.parametrize("body", [{}, {"outcome": "draw"}, {"outcome": "won", "amount": 1}])
def test_an_end_that_is_none_is_refused(acquirer: Acquirer, body: dict[str, object]) -> None:
    """The dispute stays open; one that nobody knows is 404."""
    acquirer.charge("a", "tok_approve")
    dispute = opened(acquirer, "a")
    path = f"/v1/disputes/{dispute['id']}"
    assert acquirer.call("POST", f"{path}/close", body).status == 400
    assert acquirer.call("GET", path).json()["status"] == "open"
    assert acquirer.call("POST", "/v1/disputes/dsp_x/close", {"outcome": "won"}).status == 404
    assert acquirer.call("GET", "/v1/disputes/dsp_x").json()["error"]["code"] == "unknown_dispute"


@pytest.mark.parametrize("state", ["open", "won", "lost"])
def test_a_token_disputes_right_after_the_payment(acquirer: Acquirer, state: str) -> None:
    """What is captured, and nothing of a charge that is merely authorized."""
    token = "tok_dispute" if state == "open" else f"tok_dispute_{state}"
    acquirer.charge("a", token)
    acquirer.charge("held", token, capture=False)
    taken = 0 if state == "won" else 1250
    assert acquirer.call("GET", "/v1/charges/a").json()["disputed"] == taken
    assert acquirer.call("GET", "/v1/charges/held").json()["disputed"] == 0


def test_a_token_disputes_what_was_refunded(acquirer: Acquirer) -> None:
    """The payer has it back twice."""
    acquirer.charge("a", "tok_refund_dispute_lost")
    assert acquirer.call("GET", "/v1/charges/a").json()["disputed"] == 0
    assert refunded(acquirer, "r", 1250) is None
    charge = acquirer.call("GET", "/v1/charges/a").json()
    assert (charge["refunded"], charge["disputed"]) == (1250, 1250)
