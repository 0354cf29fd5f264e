"""The merchant over HTTP: its record, its money, its settlements, its notifications."""

from collections.abc import Mapping
from typing import Any

from merchants_api import (
    clients,
    deliveries,
    events,
    merchant,
    money,
    settlements,
    webhook_endpoints,
)
from paynexus import runtime

app = runtime.merchant_api()
app.include_router(merchant.router)
app.include_router(clients.router)
app.include_router(money.router)
app.include_router(settlements.router)
app.include_router(webhook_endpoints.router)
app.include_router(events.router)
app.include_router(deliveries.router)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)
