"""Back-tests and promotions as the API and events show them. Pure."""

from typing import Any

from paynexus import ids
from paynexus.fraud.backtest.changes import outlined, written
from paynexus.fraud.backtest.model import Backtest, Promotion


def backtest(one: Backtest) -> dict[str, Any]:
    """A back-test, with its report once there is one."""
    return {
        "id": ids.text("fbt", one.id),
        "object": "fraud_backtest",
        "merchant": one.scope.merchant_id and ids.text("mer", one.scope.merchant_id),
        "status": one.state,
        "change": written(one.change),
        "from": one.period.since.isoformat(),
        "to": one.period.until.isoformat(),
        "warm_up_from": one.warm_up_from.isoformat(),
        "report": one.report,
        "failure": one.failure,
        "requested_by": one.requested_by,
        "mode": one.scope.mode,
        "created": one.created_at.isoformat(),
        "finished": one.finished_at and one.finished_at.isoformat(),
    }


def promotion(one: Promotion) -> dict[str, Any]:
    """A promotion, with all that the gate asked and found."""
    return fact_of(one) | {"replaced": one.replaced, "checks": one.checks}


def settings(held: dict[str, Any]) -> dict[str, Any]:
    """What holds for a scope, as `promotion.settings_of` tells it."""
    return {"object": "fraud_settings", **held}


def fact_of(one: Promotion) -> dict[str, Any]:
    """A promotion as its events show it."""
    return {
        "id": ids.text("fpr", one.id),
        "object": "fraud_promotion",
        "merchant": one.scope.merchant_id and ids.text("mer", one.scope.merchant_id),
        "backtest": ids.text("fbt", one.backtest_id),
        "subject": one.object,
        "change": outlined(one.change),
        "because": one.because,
        "promoted_by": one.promoted_by,
        "reverted_by": one.reverted_by,
        "mode": one.scope.mode,
        "created": one.promoted_at.isoformat(),
        "reverted": one.reverted_at and one.reverted_at.isoformat(),
    }
