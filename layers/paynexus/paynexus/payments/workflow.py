"""The coordinator: Step Functions runs a payment's steps, one after the other."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.observability import count, logger
from paynexus.payments.step import Step
from paynexus.payments.store import standings
from paynexus.payments.store.standings import Standing

SEEN_LIMIT = 64 * 1024
"""Characters, all of ASCII: doubled by quoting they are still half of what a workflow may hold."""


class Workflow:
    """Runs `process_payment` (Express, synchronous) through a boto3 Step Functions client."""

    def __init__(self, client: Any, arn: str) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
        self._client = client
        self._arn = arn

    def run(self, step: Step) -> bool:
        """Whether the workflow came to its end; if not, the sweeper takes the payment up."""
        try:
            answer = self._client.start_sync_execution(
                stateMachineArn=self._arn, input=json.dumps(to_input(step))
            )
        except Exception as error:  # noqa: BLE001 - whatever failed, the payment is on record
            self._report(step, type(error).__name__)
            return False
        if answer["status"] != "SUCCEEDED":
            self._report(step, answer.get("error", answer["status"]))
            return False
        return True

    @staticmethod
    def _report(step: Step, error: str) -> None:
        logger.warning("workflow failed", payment_id=str(step.payment_id), error=error)
        count("WorkflowFailed")


def to_input(step: Step) -> dict[str, str]:
    """The workflow's input for `step`."""
    return {
        "payment_id": ids.text("pay", step.payment_id),
        "operation": str(step.operation),
        "operation_id": str(step.operation_id),
    }


def from_input(event: Mapping[str, Any]) -> Step:
    """The step that `to_input` wrote."""
    return Step(
        PaymentId(ids.parse("pay", event["payment_id"])),
        Operation(event["operation"]),
        UUID(event["operation_id"]),
    )


def to_seen(seen: Standing | None) -> str:
    """What a step hands to the next one, beside its result; nothing of nothing, or of too much.

    A payment may carry much text of its merchant's, which quotes make longer still, and Step
    Functions ends a workflow whose data is beyond 256 KiB.
    """
    text = standings.written(seen) if seen else ""
    return text if len(text) <= SEEN_LIMIT else ""


def from_seen(event: Mapping[str, Any]) -> Standing | None:
    """What the step before has seen; None where it is not there, or not of this version."""
    text = event.get("seen")
    return standings.read(text) if isinstance(text, str) and text else None
