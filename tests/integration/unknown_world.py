"""A merchant's payments whose gateway can't be heard, can't be reached, or never answers."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import override

from paynexus import ids
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result, Sent
from paynexus.ids import PaymentId
from paynexus.payments import authority, sweeper
from paynexus.payments.authority import Settled
from tests.flow import Flow
from tests.sandbox import Sandbox

APPROVED = Result(Outcome.APPROVED)
DECLINED = Result(Outcome.DECLINED, code="insufficient_funds")


@dataclass
class Wire:
    """The line to the gateway: some of it may be dead, and something may happen on the way."""

    inner: Gateway
    name: str = "sandbox"
    is_deaf: bool = False
    """Inquiries get no answer."""
    is_dead: bool = False
    """Nothing can be sent."""
    before_cancel: Callable[[], object] = lambda: None

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """As the gateway answers, if it is reached."""
        if self.is_dead:
            return Result(Outcome.NOT_SENT, code="connect_refused")
        if instruction.operation is Operation.CANCEL:
            self.before_cancel()
        return self.inner.send(instruction, deadline_seconds=deadline_seconds)

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """Likewise."""
        if self.is_deaf:
            return Result(Outcome.UNKNOWN, code="answer_timed_out")
        return self.inner.inquire(reference, deadline_seconds=deadline_seconds, sent=sent)

    def is_healthy(self) -> bool:
        """As the gateway answers."""
        return not self.is_dead


@dataclass
class Shop(Flow):
    """A flow whose line and whose acquirer are at hand."""

    wire: Wire = field(kw_only=True)
    sandbox: Sandbox = field(kw_only=True)

    def later(self, by: dt.timedelta) -> int:
        """Time passes, and a sweeper comes by."""
        self.now += by
        return sweeper.sweep(self.database, self.run, now=self.now)

    def settle(self, payment_id: PaymentId, result: Result) -> Settled:
        """The acquirer's file speaks of the payment's charge."""
        reference = ids.text("chg", payment_id)
        return authority.settle_unknown(self.database, reference, result, now=self.now)

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of the database."""
        return self.database.connection().execute(query.encode(), values).fetchall()

    def status(self, payment_id: PaymentId) -> tuple[str, str | None]:
        """The payment's status, and why it failed."""
        payment = self.payment(payment_id)
        return str(payment.status), payment.failure.code if payment.failure else None

    def suspense(self) -> int:
        """What stands in suspense."""
        [(net,)] = self.ask(
            "SELECT coalesce(sum(e.delta), 0)::BIGINT FROM ledger_entries AS e"
            " JOIN accounts AS a ON a.id = e.account_id"
            " WHERE a.type = 'suspense' AND e.type = 'posted'"
        )
        assert isinstance(net, int)
        return net

    def events(self, payment_id: PaymentId) -> list[object]:
        """The payment's events, in order."""
        query = "SELECT type FROM events WHERE object_id = %s ORDER BY sequence"
        return [row[0] for row in self.ask(query, ids.text("pay", payment_id))]


class Refusing(Wire):
    """A gateway that declines whatever it is sent."""

    @override
    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        return DECLINED


class Lost(Wire):
    """A gateway whose answers never come."""

    @override
    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        self.inner.send(instruction, deadline_seconds=deadline_seconds)
        return Result(Outcome.UNKNOWN, code="answer_timed_out")
