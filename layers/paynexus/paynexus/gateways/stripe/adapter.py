"""The adapter for Stripe: cards, by payment intents, captured at once or later, and refunds."""

import datetime as dt

from paynexus.clock import Clock
from paynexus.gateways.port import GatewayDispute, Instruction, Outcome, Result, Sent
from paynexus.gateways.stripe import disputes
from paynexus.gateways.stripe.inquiry import look_up
from paynexus.gateways.stripe.line import CallEnded, Line
from paynexus.gateways.stripe.operations import perform

URL = "https://api.stripe.com"
HEALTH_SECONDS = 2.0
REPLAY_FOR = dt.timedelta(hours=23)
"""Stripe keeps idempotency keys for a day at least; after that the same request is a new one."""
NOT_FOUND_YET = Result(Outcome.UNKNOWN, code="not_found_yet")


class StripeGateway:
    """Each operation is one request that takes effect, sent once; nothing is repeated here."""

    def __init__(self, url: str, *, api_key: str, clock: Clock, name: str = "stripe") -> None:
        self.name = name
        self._url = url.rstrip("/") or URL
        self._api_key = api_key
        self._clock = clock

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """What came of the instruction."""
        return perform(self._line(deadline_seconds), instruction)

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """What became of `reference`: looked up, and else, while Stripe keeps its key, sent again.

        None only when the key may be gone and nothing among all that Stripe has is of it.
        """
        line = self._line(deadline_seconds)
        try:
            finding = look_up(line, reference, sent)
        except CallEnded as end:
            return Result(Outcome.UNKNOWN, code=end.result.code)
        if finding.result is not None or sent is None:
            return finding.result or NOT_FOUND_YET
        if self._clock() - sent.first_at < REPLAY_FOR:
            return _heard(perform(line, sent.instruction))
        is_certain = finding.lookup.is_complete or finding.lookup.is_searched
        return None if is_certain else NOT_FOUND_YET

    def dispute(
        self, gateway_reference: str, *, deadline_seconds: float
    ) -> GatewayDispute | Result:
        """The dispute as it stands at Stripe."""
        return disputes.look_up(self._line(deadline_seconds), gateway_reference)

    def is_healthy(self) -> bool:
        """Whether Stripe answers a question about payments."""
        line = self._line(HEALTH_SECONDS)
        try:
            line.ask(lambda: line.api.payment_intents.list({"limit": 1}))
        except CallEnded:
            return False
        return True

    def _line(self, deadline_seconds: float) -> Line:
        return Line(self._url, api_key=self._api_key, deadline_seconds=deadline_seconds)


def _heard(result: Result) -> Result:
    """A repetition that wasn't sent says nothing of what was sent before it."""
    if result.outcome is Outcome.NOT_SENT:
        return Result(Outcome.UNKNOWN, code=result.code)
    return result
