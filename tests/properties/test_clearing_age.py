"""How old a balance is, against a plain queue: what came in first goes out first."""

import datetime as dt
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money

pytestmark = pytest.mark.proof

FEES = Account(AccountType.FEES, "test", "EUR")
SQL_ACCOUNT = "SELECT id FROM accounts WHERE merchant_id = %s"
SQL_ENTRIES = """
SELECT id, created_at, delta FROM ledger_entries
WHERE account_id = %s AND type = 'posted' ORDER BY id
"""
SQL_CHECKPOINT = """
INSERT INTO balance_checkpoints
SELECT %(account)s, %(entry)s, t.* FROM ledger_undated_totals(%(account)s, %(entry)s + 1) AS t
"""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that moves the account; `is_reserved`: it is never posted."""

    amount: int
    is_debit: bool
    is_reserved: bool
    shift: dt.timedelta | None
    """How long before its recording it counts; None: from its recording."""
    has_checkpoint: bool


steps = st.lists(
    st.builds(
        Step,
        # Small ones, so that balances come to zero and change their side.
        amount=st.integers(1, 4),
        is_debit=st.booleans(),
        is_reserved=st.sampled_from([False] * 5 + [True]),
        shift=st.none() | st.sampled_from([1, 3, -3]).map(lambda n: dt.timedelta(days=n)),
        has_checkpoint=st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


def age_by_queue(entries: Sequence[tuple[dt.datetime, int]]) -> dt.datetime | None:
    """When the first of what is left came in; each amount takes off the other side's oldest."""
    left: deque[tuple[dt.datetime, int]] = deque()
    for at, delta in entries:
        amount = delta
        while left and amount and (left[0][1] > 0) != (amount > 0):
            came, standing = left.popleft()
            rest = standing + amount
            if rest and (rest > 0) == (standing > 0):
                left.appendleft((came, rest))
                amount = 0
            else:
                amount = rest
        if amount:
            left.append((at, amount))
    return left[0][0] if left else None


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(done=steps)
def test_a_balance_is_as_old_as_the_oldest_in_its_queue(
    database: Database, done: list[Step]
) -> None:
    """Whatever is dated, reserved, or has a checkpoint."""
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Queue')", (merchant_id,))
        for step in done:
            book(tx, merchant_id, step)
        [(account,)] = tx.execute(SQL_ACCOUNT, (merchant_id,))
        entries = tx.execute(SQL_ENTRIES, (account,)).fetchall()
        sampled = [step for step in done if not step.is_reserved]
        for (entry, _, _), step in zip(entries, sampled, strict=True):
            if step.has_checkpoint:
                tx.execute(SQL_CHECKPOINT, {"account": account, "entry": entry})
        found = oldest(tx, account)

    assert found == age_by_queue([(at, delta) for _, at, delta in entries])


def book(tx: Connection, merchant_id: MerchantId, step: Step) -> None:
    """The step is booked, with a time of its own."""
    account = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant_id)
    transfer = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.IMPORT,
        debit=account if step.is_debit else FEES,
        credit=FEES if step.is_debit else account,
        money=Money(step.amount, "EUR"),
        object_id="queue",
    )
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - the tests' edge
    at = None if step.shift is None else now - step.shift
    (store.reserve if step.is_reserved else store.post)(tx, transfer, at=at)


def oldest(tx: Connection, account: UUID) -> dt.datetime | None:
    """What the database says."""
    [(found,)] = tx.execute("SELECT oldest_in_balance(%s)", (account,))
    assert found is None or isinstance(found, dt.datetime)
    return found
