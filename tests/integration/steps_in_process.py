"""Step Functions for tests: runs the workflow's functions in this process, one after the other."""

import json
from typing import Any

import charge_gateway.handler as charge_gateway
import finish_payment.handler as finish_payment
import score_fraud.handler as score_fraud


class Context:
    """What Lambda hands to a function, with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        """Plenty."""
        return 60_000


class StepFunctions:
    """The state machine of infra/workflows/process_payment.asl.json, state by state."""

    def start_sync_execution(self, *, stateMachineArn: str, input: str) -> dict[str, Any]:  # noqa: A002, N803 - boto3's names
        """The execution has come to its end."""
        assert stateMachineArn
        state: dict[str, Any] = json.loads(input)
        if state["operation"] == "charge":
            state |= score_fraud.handler(state, Context())
        if state.get("verdict", "ALLOW") == "ALLOW":
            state |= charge_gateway.handler(state, Context())
        if state.get("verdict") not in {"CHALLENGE", "DONE"}:
            state |= finish_payment.handler(state, Context())
        return {"status": "SUCCEEDED", "output": json.dumps(state)}
