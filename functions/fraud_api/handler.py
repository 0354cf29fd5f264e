"""Fraud over HTTP: features, rules, lists, back-tests and cases."""

from collections.abc import Mapping
from typing import Any

from fraud_api import (
    backtests,
    cases,
    entries,
    features,
    lists,
    promotions,
    rules,
    running,
    snoozes,
)
from paynexus import runtime

app = runtime.merchant_api()
app.include_router(features.router)
app.include_router(rules.router)
app.include_router(running.router)
app.include_router(snoozes.router)
app.include_router(lists.router)
app.include_router(entries.router)
app.include_router(backtests.router)
app.include_router(promotions.router)
app.include_router(cases.router)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)
