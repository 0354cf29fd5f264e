"""The scheduled functions of fraud, as their schedules call them."""

import datetime as dt

import pytest

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import NotFound
from paynexus.fraud import upkeep
from paynexus.fraud.upkeep import Tending
from paynexus.gateways.port import Operation
from paynexus.payments import operations
from report_fraud_drift.handler import handler as report_fraud_drift
from tend_fraud.handler import handler as tend_fraud
from tests.flow import Flow


@pytest.mark.usefixtures("deployed")
def test_labels_are_gathered_each_minute(flow: Flow) -> None:
    """The second run finds nothing new."""
    payment_id, _ = flow.take()
    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=None, reason="fraudulent")

    assert tend_fraud({}, None)["labels"] == 1
    assert tend_fraud({}, None)["labels"] == 0


@pytest.mark.usefixtures("deployed")
def test_a_report_without_decisions_tells_nothing() -> None:
    """And does not fail."""
    assert report_fraud_drift({}, None) == {"told": 0}


def test_what_fails_keeps_nothing_else_from_its_turn(
    database: Database, cache: Cache, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted and raised once all have had theirs."""
    turns: list[str] = []

    def works(tending: Tending) -> int:
        with tending.database.transaction() as tx:
            tx.execute("SELECT 1")
        turns.append("works")
        return 1

    def breaks(tending: Tending) -> int:
        turns.append("breaks")
        with tending.database.transaction() as tx:
            tx.execute("SELECT 1 / 0")
        return 0

    def misses(_: Tending) -> int:
        turns.append("misses")
        raise NotFound("There is nothing.")

    tasks = {"one": breaks, "two": works, "three": misses, "four": works}
    with pytest.raises(ExceptionGroup) as caught:
        upkeep.tend(Tending(database, cache, now), tasks=tasks)

    assert turns == ["breaks", "works", "misses", "works"]
    assert [type(error).__name__ for error in caught.value.exceptions] == [
        "DivisionByZero",
        "NotFound",
    ]
    assert capsys.readouterr().out.count('"FraudUpkeepFailed":[1.0]') == 4
