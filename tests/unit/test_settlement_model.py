"""The rules of settlement, without a database or a bank."""

import datetime as dt
import time
from collections.abc import Iterator
from itertools import product
from uuid import UUID

import pytest

from paynexus.ids import MerchantId, SettlementId
from paynexus.settlement import model
from paynexus.settlement.model import FAILED, MOVES, Status

MERCHANT = MerchantId(UUID("01900000-0000-7000-8000-000000000001"))
CUTOFF = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def _id(**changes: object) -> SettlementId:
    values = {"merchant_id": MERCHANT, "currency": "EUR", "mode": "test", "cutoff": CUTOFF}
    return model.settlement_id(**(values | changes))  # type: ignore[arg-type]


def test_ids_follow_from_merchant_currency_mode_and_cutoff() -> None:
    """The same four give the same id in any time zone; any other one gives another."""
    same = _id(cutoff=CUTOFF.astimezone(dt.timezone(dt.timedelta(hours=5))))
    others = {
        _id(merchant_id=MerchantId(UUID(int=MERCHANT.int + 1))),
        _id(currency="USD"),
        _id(mode="live"),
        _id(cutoff=CUTOFF + dt.timedelta(microseconds=1)),
    }

    assert same == _id()
    assert len(others | {_id()}) == 5


def test_ids_are_version_7_and_sort_by_their_cutoff() -> None:
    """So that settlements list in the order of their cut-offs, and fit the partitions."""
    ids = [_id(cutoff=CUTOFF + dt.timedelta(minutes=n)) for n in range(50)]

    assert ids == sorted(ids)
    assert {i.version for i in ids} == {7}
    assert {model.transfer_id(i, "payout").version for i in ids} == {7}


def test_bookings_of_one_settlement_have_different_ids() -> None:
    """Payout and its closing are two transfers."""
    kinds = ("payout", "payout_paid", "payout_returned")

    assert len({model.transfer_id(_id(), kind) for kind in kinds}) == 3


def test_references_fit_every_bank() -> None:
    """At most 35 characters, of those that SEPA passes on."""
    reference = model.end_to_end_id(_id())

    assert len(reference) <= 35
    assert reference.replace("-", "").isalnum()
    assert reference.isupper()


def test_the_table_of_statuses_ends_in_rejected_and_returned() -> None:
    """No move leads back, and what was paid may come back, but in no other way."""
    order = list(Status)
    moves = [(a, b) for a, b in product(Status, Status) if b in MOVES[a]]

    assert all(order.index(a) < order.index(b) for a, b in moves)
    assert {status for status in Status if not MOVES[status]} == FAILED
    assert MOVES[Status.PAID] == {Status.RETURNED}


@pytest.fixture(name="_tokyo")
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own time zone is another."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_tokyo")
def test_ids_stay_what_they_are() -> None:
    """Pinned: another id for a settlement that was paid would be paid once more."""
    assert str(_id()) == "01a205b3-d000-77a9-bc29-131175fc9e67"
    assert str(model.transfer_id(_id(), "payout")) == "01a205b3-d000-77a9-9942-06ee58c1a123"
    elsewhere = CUTOFF.astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert _id(cutoff=elsewhere) == _id()
