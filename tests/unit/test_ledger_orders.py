"""Orders as they are made, as they are written down for Postgres, and what comes back."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from paynexus import errors, ids
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Balance, Balancing, Order, Transfer, TransferKind
from paynexus.ledger.results import ERRORS, Net, Result, Status, status_of
from paynexus.ledger.rows import row_of
from paynexus.money import Money

MERCHANT = MerchantId(ids.new_id())
PAYMENT = PaymentId(ids.new_id())
OTHER = TransferId(ids.new_id())
MOMENT = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)

TRANSFER = Transfer(
    id=TransferId(ids.new_id()),
    kind=TransferKind.PAYMENT,
    debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
    credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", MERCHANT),
    money=Money(1250, "EUR"),
    object_id="pay_1",
    transaction_id=PAYMENT,
    balancing=Balancing.DEBIT,
    metadata={"reason": "test"},
)
BETWEEN = {
    "kind": "payment",
    "debit": "gateway_receivable",
    "debit_merchant": None,
    "credit": "merchant_payable",
    "credit_merchant": str(MERCHANT),
    "amount": 1250,
    "currency": "EUR",
    "mode": "test",
    "object_id": "pay_1",
    "transaction_id": str(PAYMENT),
    "balancing": "debit",
    "metadata": {"reason": "test"},
}
UNSAID: dict[str, Any] = {
    "pending_id": None,
    "reverses": None,
    "is_final": None,
    "is_linked": False,
    "timeout_seconds": None,
    "effective_at": None,
}
ATTRIBUTES = (
    *("id", "state", "kind", "debit", "debit_merchant", "credit", "credit_merchant", "amount"),
    *("currency", "mode", "object_id", "transaction_id", "pending_id", "is_final"),
    *("timeout_seconds", "is_linked", "balancing", "reverses", "effective_at", "metadata"),
)
"""Of the SQL type `ledger_order`, in its order."""

ORDERS = [
    (
        Order.single(TRANSFER, effective_at=MOMENT),
        BETWEEN | {"state": "single", "effective_at": MOMENT.isoformat()},
    ),
    (
        Order.pending(TRANSFER, timeout=HOUR, effective_at=MOMENT),
        BETWEEN | {"state": "pending", "timeout_seconds": 3600, "effective_at": MOMENT.isoformat()},
    ),
    (
        Order.post(OTHER, id=TRANSFER.id, amount=7, is_final=False, effective_at=MOMENT),
        {
            "state": "post",
            "pending_id": str(OTHER),
            "amount": 7,
            "is_final": False,
            "effective_at": MOMENT.isoformat(),
        },
    ),
    (
        Order.post(OTHER, id=TRANSFER.id),
        {"state": "post", "pending_id": str(OTHER), "is_final": True},
    ),
    (
        Order.void(OTHER, id=TRANSFER.id, effective_at=MOMENT),
        {"state": "void", "pending_id": str(OTHER), "effective_at": MOMENT.isoformat()},
    ),
    (
        replace(Order.reverse(OTHER, id=TRANSFER.id, effective_at=MOMENT), is_linked=True),
        {
            "state": "reverse",
            "reverses": str(OTHER),
            "is_linked": True,
            "effective_at": MOMENT.isoformat(),
        },
    ),
]


@pytest.mark.parametrize(("order", "written"), ORDERS)
def test_an_order_is_written_with_all_that_it_says(order: Order, written: dict[str, Any]) -> None:
    """As a row of the SQL type that the booking functions take."""
    row = dict(zip(ATTRIBUTES, row_of(order), strict=True))
    as_text = {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in row.items()
        if name != "metadata"
    }
    expected = dict.fromkeys(ATTRIBUTES) | UNSAID | {"id": str(TRANSFER.id)} | written
    metadata = expected.pop("metadata")
    assert {k: v and str(v) for k, v in as_text.items()} == {
        k: v and str(v) for k, v in expected.items()
    }
    assert row["metadata"] == ('{"reason": "test"}' if metadata else None)


def test_a_post_is_the_last_unless_it_says_otherwise() -> None:
    """What it leaves is released, then; a forgotten word keeps no money back."""
    assert Order.post(OTHER, id=TRANSFER.id).is_final is True


def test_no_time_at_all_is_a_time_out_that_the_ledger_refuses() -> None:
    """Nought is said, not left out: left out, it would be a hold for ever."""
    order = Order.pending(TRANSFER, timeout=dt.timedelta(0))

    assert row_of(order)[ATTRIBUTES.index("timeout_seconds")] == 0


def test_an_orders_own_metadata_comes_before_its_transfers() -> None:
    """A resolution may carry its own; and to say that there is nothing is to say something."""
    part = replace(Order.void(OTHER, id=TRANSFER.id), metadata={"by": "hand"})
    single = replace(Order.single(TRANSFER), metadata={"by": "hand"})

    assert row_of(part)[-1] == row_of(single)[-1] == '{"by": "hand"}'
    assert row_of(replace(single, metadata={}))[-1] == "{}"
    assert (
        row_of(replace(single, transfer=replace(TRANSFER, metadata=None)))[-1] == '{"by": "hand"}'
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"money": Money(0, "EUR")}, "a transfer moves a positive amount"),
        (
            {"credit": Account(AccountType.RESERVE, "live", "EUR", MERCHANT)},
            "test and live money never mix",
        ),
        ({"money": Money(1, "USD")}, "a transfer has one currency"),
        (
            {"debit": Account(AccountType.CASH, "test", "USD")},
            "a transfer has one currency",
        ),
    ],
)
def test_a_transfer_that_cannot_be_meant_is_not_made(changes: dict[str, Any], words: str) -> None:
    """What its maker can know is refused before anybody is asked."""
    with pytest.raises(ValueError, match=f"^{words}$"):
        replace(TRANSFER, **changes)
    assert replace(TRANSFER, money=Money(1, "EUR")).money.amount == 1


def test_available_is_posted_less_what_is_on_its_way_out() -> None:
    """Money on its way in is not there yet."""
    assert Balance("EUR", 1000, 300, 250).available == 750


@pytest.mark.parametrize("status", Status)
def test_every_refusal_is_an_error_of_its_kind(status: Status) -> None:
    """It names the transfer, the refusal and the field; what is booked is no error."""
    result = Result(TRANSFER.id, status, "amount")
    if status in {Status.CREATED, Status.EXISTS}:
        assert result.require_booked() is result
        return

    with pytest.raises(errors.LedgerError) as raised:
        result.require_booked()
    assert type(raised.value) is ERRORS[status]
    assert raised.value.detail == f"transfer {TRANSFER.id}: {status}"
    assert raised.value.param == "amount"


def test_a_result_is_read_with_its_balances_if_it_has_them() -> None:
    """Sums come as decimals, and balances only where they were asked for."""
    row = {
        "id": TRANSFER.id,
        "status": "exists_with_different_amount",
        "field": "amount",
        "amount": 5,
        "debit_account_id": OTHER,
        "credit_account_id": PAYMENT,
        "debit_posted": 1,
        "debit_pending": 2,
        "credit_posted": 3,
        "credit_pending": 4,
    }
    status = Status.EXISTS_WITH_DIFFERENCE
    nets = Net(OTHER, 1, 2), Net(PAYMENT, 3, 4)

    assert store._result(row) == Result(TRANSFER.id, status, "amount", 5, *nets)
    bare = row | {"debit_posted": None, "credit_posted": None}
    assert store._result(bare) == Result(TRANSFER.id, status, "amount", 5)
    assert status_of("created") is Status.CREATED
