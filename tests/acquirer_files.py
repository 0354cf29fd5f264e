"""An acquirer's day: payments through the sandbox, its settlement file, its payout at the bank."""

import datetime as dt
import hashlib
import io
from dataclasses import dataclass, field
from typing import Any

from paynexus.gateways.port import Operation, Result
from paynexus.ids import PaymentId
from paynexus.ledger import store as ledger
from paynexus.ledger.model import Order
from paynexus.payments import authority, operations, pursuit
from paynexus.settlement.acquirers import arrivals, service
from paynexus.settlement.acquirers.arrivals import Arrival, Credit
from paynexus.settlement.acquirers.service import Taken
from tests.disputing import Bank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome
from tools.sandbox_acquirer.settlement import FileFault, Planted

BANK_FILE = hashlib.sha256(b"a statement").digest()


@dataclass
class AcquirerDay:
    """A merchant's day at the sandbox acquirer, and what settlement makes of it."""

    flow: Flow
    sandbox: Sandbox
    proved: list[str] = field(default_factory=list)
    credited: int = 0

    @property
    def day(self) -> dt.date:
        """The acquirer's day."""
        return self.flow.now.date()

    @property
    def payers(self) -> Bank:
        """The payers' bank."""
        return Bank(self.flow, self.sandbox)

    def trade(self) -> PaymentId:
        """Something of everything; the first payment's id."""
        flow, first = self.flow, self.flow.take(amount=1000)[0]
        flow.operate(Operation.REFUND, first, operations.refund, amount=300, reason=None)
        for amount in (2500, 4999):
            flow.take(amount=amount)
        self.capture(flow.take(amount=9000, capture="manual")[0], 4000, 2000, 3000)
        flow.take("tok_decline", amount=700)
        self.payers.dispute(flow.take(amount=1500)[0], 1500, Outcome.WON)
        self.payers.dispute(flow.take(amount=1600)[0], 1500, Outcome.LOST)
        self.payers.learn(self.payers.open(flow.take(amount=2000)[0], 500))
        return first

    def capture(self, payment_id: PaymentId, *amounts: int) -> None:
        """The payment is captured in these parts."""
        for amount in amounts:
            self.flow.operate(
                Operation.CAPTURE,
                payment_id,
                operations.capture,
                amount=amount,
                is_final=False,
            )

    def agree_on_fees(self) -> None:
        """What the acquirer charges is what was agreed."""
        query = (
            "INSERT INTO gateway_fees (gateway, currency, basis_points, fixed_minor)"
            " SELECT %s, unnest(ARRAY['EUR', 'USD']), 20, 0"
        )
        self.flow.database.connection().execute(query.encode(), (self.sandbox.name,))

    def plant(self, fault: FileFault, reference: str, operation: str | None = None) -> None:
        """The day's file has the fault."""
        self.sandbox.server.acquirer.plant(self.day, Planted(fault, reference, operation))

    def file(self, day: dt.date | None = None) -> str:
        """The acquirer's file of the day."""
        return self.sandbox.server.acquirer.settlement_file(day or self.day)

    def take(self, day: dt.date | None = None, *, after_days: int = 1) -> Taken:
        """The file of the day is taken so many days after it."""
        day = day or self.day
        return self.give(self.file(day), f"{day}.csv", after_days=after_days)

    def give(self, text: str, name: str, *, after_days: int = 1) -> Taken:
        """A file is taken."""
        return service.take(
            self.flow.database,
            io.BytesIO(text.encode()),
            name=f"gateways/{self.sandbox.name}/{name}",
            prove=self.prove,
            now=self.flow.now + dt.timedelta(days=after_days),
        )

    def prove(self, reference: str, result: Result, now: dt.datetime) -> None:
        """What the function hands in."""
        self.proved.append(reference)
        authority.settle_unknown(self.flow.database, reference, result, now=now)

    def payouts(self, day: dt.date | None = None) -> list[dict[str, Any]]:
        """What the acquirer pays for the day."""
        answer: Any = self.sandbox.server.acquirer.payouts(day or self.day)
        return list(answer["data"])

    def arrive(self, day: dt.date | None = None) -> list[Arrival]:
        """What the acquirer pays for the day is at the bank."""
        return self.bank(
            *(
                self.credit(
                    paid["amount"], f"SANDBOX {paid['reference']}", currency=paid["currency"]
                )
                for paid in self.payouts(day)
                if paid["amount"]
            )
        )

    def credit(
        self, amount: int, *texts: str, currency: str = "EUR", after_days: int = 1
    ) -> Credit:
        """A line of the bank's."""
        self.credited += 1
        return Credit(
            key=(BANK_FILE, self.credited),
            mode="test",
            currency=currency,
            amount=amount,
            booked_on=self.day + dt.timedelta(days=after_days),
            texts=texts,
        )

    def bank(self, *credits: Credit) -> list[Arrival]:  # noqa: A002 - the bank's word
        """The bank's lines are matched and booked."""
        with self.flow.database.transaction() as tx:
            found = arrivals.match(tx, credits, now=self.flow.now)
            orders = [Order.single(one) for arrival in found for one in arrival.transfers]
            for result in ledger.transfers(tx, orders):
                result.require_booked()
        return found

    def breaks(self, *, are_open: bool = False) -> list[tuple[str, str, int]]:
        """Type, subject and amount of all breaks, or of those that are open."""
        query = "SELECT type, subject, amount FROM breaks {where} ORDER BY type, subject"
        where = "WHERE status <> 'RESOLVED'" if are_open else ""
        return self.ask(query.format(where=where))

    def balance(self, account: str, currency: str = "EUR") -> int:
        """Posted debits less credits of a platform account."""
        query = (
            "SELECT coalesce(sum(debits_posted - credits_posted), 0) FROM account_balances"
            " JOIN accounts ON id = account_id WHERE type = %s AND currency = %s"
        )
        return int(self.ask(query, account, currency)[0][0])

    def verdicts(self) -> dict[str, int]:
        """How many lines have each verdict."""
        return dict(self.ask("SELECT verdict, count(*) FROM gateway_lines GROUP BY 1"))

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return self.flow.database.connection().execute(query.encode(), values).fetchall()


def reference_of(payment_id: PaymentId) -> str:
    """Our reference of the payment's charge."""
    return pursuit.reference_of(Operation.CHARGE, payment_id)
