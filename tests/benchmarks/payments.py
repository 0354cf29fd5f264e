"""A payment below the handlers, in the product's own code: its two commits, and its whole flow."""

from itertools import count

from paynexus import idempotency, ids
from paynexus.cache import Cache
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.fraud.engine import Engine
from paynexus.fraud.velocity import service as velocity
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import Policy
from paynexus.gateways.port import Instruction, Operation, Outcome, Result, Sent
from paynexus.gateways.service import Gateways, GuardedGateway
from paynexus.idempotency import Scope
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from paynexus.payments import scoring, service, steps, workflow
from paynexus.payments.service import PaymentRequest
from paynexus.payments.step import Step
from paynexus.payments.steps import Next

DEADLINE_SECONDS = 5.0

SQL_RECORD_APPROVALS = """
WITH waiting AS (
    SELECT * FROM transactions AS t
    WHERE NOT EXISTS (SELECT FROM attempts AS a WHERE a.payment_id = t.id)
), decisions AS (
    INSERT INTO fraud_decisions
        (payment_id, merchant_id, mode, verdict, reasons, trace, created_at)
    SELECT id, merchant_id, mode, 'ALLOW', '[]', '{}', now() FROM waiting
    ON CONFLICT (payment_id) DO NOTHING
)
INSERT INTO attempts (
    id, payment_id, operation, operation_id, number, gateway, reference, amount, currency,
    outcome, gateway_reference, response, created_at, finished_at
)
SELECT uuidv7(), id, 'charge', id, 1, 'instant', 'chg_' || id, amount, currency, 'APPROVED',
    'ref_' || id, '{}', now(), now()
FROM waiting
"""


class InstantGateway:
    """A gateway that approves at once: what is left is the product's own work."""

    name = "instant"

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """Approved, within any deadline."""
        assert deadline_seconds > 0
        return Result(Outcome.APPROVED, gateway_reference=f"ref_{instruction.reference}")

    def inquire(
        self,
        reference: str,
        *,
        deadline_seconds: float,
        sent: Sent | None = None,  # noqa: ARG002 - the port's
    ) -> Result | None:
        """Approved, as it was."""
        assert deadline_seconds > 0
        return Result(Outcome.APPROVED, gateway_reference=f"ref_{reference}")

    def is_healthy(self) -> bool:
        """Always."""
        return True


class Till:
    """Takes payments as the deployed functions do, on a connection of its own."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self.database = database
        self.cache = cache
        self.engine = Engine(database, cache)
        velocity.tend(database, cache, system_clock())
        # The rate is the gateway's to limit, not what is measured here.
        policy = Policy(calls_per_second=100_000, burst=100_000)
        breaker = Breaker(cache, gateway=InstantGateway.name, policy=policy)
        gateway = GuardedGateway(InstantGateway(), breaker=breaker)
        self._gateways = Gateways(cache, {"test": [gateway]})
        self._numbers = count()
        self._run = ids.new_id().hex

    def accept(self, merchant_id: MerchantId) -> PaymentId:
        """The first commit: key, payment, reservation, event."""
        key = f"{self._run}-{next(self._numbers)}"
        request = PaymentRequest(
            Money(1999, "EUR"),
            f"tok_approve_{key}",
            reference=key,
            description="A benchmark's payment",
        )
        accepted = service.accept(
            self.database,
            Scope(merchant_id, "test", "POST /payments", key),
            request,
            fingerprint=idempotency.fingerprint_of("/payments", key),
            now=system_clock(),
        )
        return accepted.payment_id

    def finish(self, payment_id: PaymentId, seen: str = "") -> None:
        """The second commit: status, posting, fee, stored answer, event."""
        step = Step(payment_id, Operation.CHARGE, payment_id)
        known = workflow.from_seen({"seen": seen})
        status = steps.finish(self.database, step, blocked=False, now=system_clock(), seen=known)
        assert status == "COMPLETED", status

    def take(self, merchant_id: MerchantId) -> PaymentId:
        """The whole flow: accepted, scored, charged through the circuit, finished."""
        payment_id = self.accept(merchant_id)
        seen = self.score(payment_id)
        seen = self.charge(payment_id, seen)
        self.finish(payment_id, seen)
        return payment_id

    def score(self, payment_id: PaymentId) -> str:
        """The fraud decision is stored: ALLOW. What it hands on."""
        scored = scoring.score(self.engine, payment_id, now=system_clock())
        assert scored.next is Next.ALLOW, scored.next
        return workflow.to_seen(scored.seen)

    def charge(self, payment_id: PaymentId, seen: str = "") -> str:
        """The attempt is recorded before and after the call: APPROVED. What it hands on."""
        called = steps.call_gateway(
            self.database,
            self._gateways,
            Step(payment_id, Operation.CHARGE, payment_id),
            clock=system_clock,
            deadline_seconds=DEADLINE_SECONDS,
            seen=workflow.from_seen({"seen": seen}),
        )
        assert called.outcome is Outcome.APPROVED, called.outcome
        return workflow.to_seen(called.seen)


def record_approvals(connection: Connection) -> None:
    """Every payment is allowed and charged on record, as the steps between its commits leave it."""
    connection.execute(SQL_RECORD_APPROVALS)
