"""A payer's bank: it disputes at the sandbox acquirer, and we ask about it."""

from dataclasses import dataclass

from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.payments import disputes, pursuit
from paynexus.payments.verdicts import Verdict
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Asked, Outcome


@dataclass
class Bank:
    """The payer's bank, and what we make of what it does."""

    flow: Flow
    sandbox: Sandbox

    def open(self, payment_id: PaymentId, amount: int | None = None) -> str:
        """The acquirer's name of a new dispute of the payment's charge."""
        reference = pursuit.reference_of(Operation.CHARGE, payment_id)
        asked = Asked(amount, "fraudulent")
        return str(self.sandbox.server.acquirer.open_dispute(reference, asked)["id"])

    def close(self, name: str, end: Outcome) -> None:
        """The dispute is decided."""
        self.sandbox.server.acquirer.close_dispute(name, end)

    def learn(self, name: str) -> Verdict:
        """What came of asking about it."""
        flow = self.flow
        _, verdict = disputes.learn(
            flow.database, flow.run, flow.ask_about, self.sandbox.name, name, now=flow.now
        )
        return verdict

    def dispute(self, payment_id: PaymentId, amount: int | None, end: Outcome) -> None:
        """A dispute from its opening to its end, and we know of both."""
        name = self.open(payment_id, amount)
        self.learn(name)
        self.close(name, end)
        self.learn(name)
