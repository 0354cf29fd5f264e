"""The rules of settlement, without a database or a bank."""

import dataclasses
import datetime as dt
import time
from collections.abc import Iterator
from itertools import product
from uuid import UUID

import pytest

from paynexus.ids import MerchantId, SettlementId
from paynexus.money import Money
from paynexus.settlement import model
from paynexus.settlement.model import (
    MOVES,
    BankAccount,
    BankEntry,
    Carry,
    Position,
    Settlement,
    Status,
    Unmatched,
)

MERCHANT = MerchantId(UUID("01900000-0000-7000-8000-000000000001"))
CUTOFF = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
HOUSE = BankAccount("PayNexus", "NL41MOCK0000000001", "MOCKNL2A")
CAFE = BankAccount("Café Müller", "DE89370400440532013000", None)


def _id(**changes: object) -> SettlementId:
    values = {"merchant_id": MERCHANT, "currency": "EUR", "mode": "test", "cutoff": CUTOFF}
    return model.settlement_id(**(values | changes))  # type: ignore[arg-type]


def _settlement(status: Status = Status.INSTRUCTED) -> Settlement:
    settlement_id = _id()
    return Settlement(
        id=settlement_id,
        merchant_id=MERCHANT,
        amount=5_000,
        status=status,
        processed_at=None,
        currency="EUR",
        mode="test",
        cutoff=CUTOFF,
        message_id=model.message_id(settlement_id),
        end_to_end_id=model.end_to_end_id(settlement_id),
        instruction={
            "debtor": dataclasses.asdict(HOUSE),
            "creditor": dataclasses.asdict(CAFE),
            "execution_date": "2026-11-23",
        },
        failure_code=None,
        created_at=CUTOFF,
    )


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
    for reference in (model.message_id(_id()), model.end_to_end_id(_id())):
        assert len(reference) <= 35
        assert reference.replace("-", "").isalnum()
        assert reference.isupper()


@pytest.mark.parametrize(
    ("amount", "creditor", "debtor", "expected"),
    [
        (1, CAFE, HOUSE, None),
        (0, CAFE, HOUSE, Carry.NOTHING_TO_PAY),
        (-5, None, None, Carry.NOTHING_TO_PAY),
        (5, None, HOUSE, Carry.NO_PAYOUT_ACCOUNT),
        (5, CAFE, None, Carry.NO_HOUSE_ACCOUNT),
    ],
)
def test_what_can_not_be_paid_is_carried_with_its_reason(
    amount: int, creditor: BankAccount | None, debtor: BankAccount | None, expected: Carry | None
) -> None:
    """Money stays on the balance rather than go nowhere."""
    position = Position(MERCHANT, "EUR", "test", amount, 3)

    assert model.reason_to_carry(position, creditor=creditor, debtor=debtor) is expected


@pytest.mark.parametrize("code", ["ACCP", "ACSC", "RJCT", "CANC", "PDNG", "RCVD", "XXXX"])
@pytest.mark.parametrize("status", list(Status))
def test_an_answer_moves_a_settlement_along_the_table_or_not_at_all(
    status: Status, code: str
) -> None:
    """Whatever the bank says whenever, no forbidden move comes of it (PENDING counts as sent)."""
    answer = model.answer(_settlement(status), code=code, reason="AC04")
    start = Status.INSTRUCTED if status is Status.PENDING else status

    assert answer is None or isinstance(answer, Unmatched) or answer in MOVES[start]


@pytest.mark.parametrize(
    ("status", "accepted", "rejected"),
    [
        (Status.PENDING, Status.ACCEPTED, Status.FAILED),
        (Status.INSTRUCTED, Status.ACCEPTED, Status.FAILED),
        (Status.ACCEPTED, None, Status.FAILED),
        (Status.PAID, None, Unmatched.ALREADY_PAID),
        (Status.FAILED, Unmatched.ALREADY_FAILED, None),
    ],
)
def test_a_yes_a_no_and_neither(
    status: Status, accepted: Status | Unmatched | None, rejected: Status | Unmatched | None
) -> None:
    """The same said twice changes nothing; what contradicts the end is for people to see."""

    def said(*codes: str) -> set[Status | Unmatched | None]:
        return {model.answer(_settlement(status), code=code, reason="AC04") for code in codes}

    assert said("ACCP", "ACTC", "ACSP", "ACWC", "ACSC", "ACCC") == {accepted}
    assert said("RJCT", "CANC") == {rejected}
    assert said("PDNG", "RCVD", "XXXX", "") == {Unmatched.NO_DECISION}


def test_a_duplicate_is_no_rejection() -> None:
    """The file that came first still counts."""
    answer = model.answer(_settlement(), code="RJCT", reason="DUPL")

    assert answer is Unmatched.DUPLICATE_FILE


def _entry(**changes: object) -> BankEntry:
    entry = BankEntry(
        account_iban=HOUSE.iban,
        reference="B-1",
        end_to_end_id=model.end_to_end_id(_id()),
        money=Money(5_000, "EUR"),
        is_debit=True,
        is_booked=True,
        booked_on=CUTOFF.date(),
    )
    return dataclasses.replace(entry, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "status", "expected"),
    [
        (_entry(), Status.INSTRUCTED, None),
        (_entry(), Status.ACCEPTED, None),
        (_entry(), Status.PAID, Unmatched.ALREADY_PAID),
        (_entry(), Status.FAILED, Unmatched.ALREADY_FAILED),
        (_entry(is_booked=False), Status.ACCEPTED, Unmatched.NOT_BOOKED),
        (_entry(is_debit=False), Status.PAID, Unmatched.RETURNED),
        (_entry(account_iban=CAFE.iban), Status.ACCEPTED, Unmatched.WRONG_ACCOUNT),
        (_entry(money=Money(4_999, "EUR")), Status.ACCEPTED, Unmatched.AMOUNT_DIFFERS),
        (_entry(money=Money(5_000, "USD")), Status.ACCEPTED, Unmatched.AMOUNT_DIFFERS),
    ],
)
def test_only_the_exact_movement_pays(
    entry: BankEntry, status: Status, expected: Unmatched | None
) -> None:
    """A line that differs in amount, currency, account, side or time is not this payment."""
    assert model.mismatch(entry, _settlement(status)) is expected


def test_the_table_of_statuses_ends_in_paid_and_failed() -> None:
    """No move leaves a final status, and none leads back."""
    order = list(Status)
    moves = [(a, b) for a, b in product(Status, Status) if b in MOVES[a]]

    assert all(order.index(a) < order.index(b) for a, b in moves)
    assert {status for status in Status if not MOVES[status]} == {Status.PAID, Status.FAILED}


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
