"""Which scope each route of the merchants' API asks for."""

from collections.abc import Mapping
from types import MappingProxyType

from paynexus.errors import Forbidden
from paynexus.identity.model import Principal, Scope

SCOPE_OF: Mapping[str, Scope] = MappingProxyType(
    {
        "POST /payments": Scope.PAYMENTS_WRITE,
        "GET /payments": Scope.PAYMENTS_READ,
        "GET /payments/{id}": Scope.PAYMENTS_READ,
        "GET /payments/{id}/timeline": Scope.PAYMENTS_READ,
        "POST /payments/{id}/capture": Scope.PAYMENTS_WRITE,
        "POST /payments/{id}/cancel": Scope.PAYMENTS_WRITE,
        "POST /payments/{id}/confirm": Scope.PAYMENTS_WRITE,
        "POST /payments/{id}/refunds": Scope.REFUNDS_WRITE,
        "GET /refunds/{id}": Scope.PAYMENTS_READ,
        "GET /disputes": Scope.PAYMENTS_READ,
        "GET /disputes/{id}": Scope.PAYMENTS_READ,
        "POST /qr-codes": Scope.QR,
        "POST /qr-codes/scan": Scope.QR,
        "GET /qr-codes/{id}": Scope.QR,
        "GET /qr-codes/{id}/image": Scope.QR,
        "GET /merchant": Scope.SETTLEMENTS_READ,
        "PATCH /merchant": Scope.ADMIN,
        "POST /clients": Scope.ADMIN,
        "GET /clients": Scope.ADMIN,
        "GET /clients/{id}": Scope.ADMIN,
        "DELETE /clients/{id}": Scope.ADMIN,
        "POST /clients/{id}/rotate-secret": Scope.ADMIN,
        "GET /balances": Scope.SETTLEMENTS_READ,
        "GET /ledger-entries": Scope.SETTLEMENTS_READ,
        "GET /settlements": Scope.SETTLEMENTS_READ,
        "GET /settlements/{id}": Scope.SETTLEMENTS_READ,
        "GET /settlements/{id}/statement": Scope.SETTLEMENTS_READ,
        "POST /webhook-endpoints": Scope.WEBHOOKS,
        "GET /webhook-endpoints": Scope.WEBHOOKS,
        "GET /webhook-endpoints/{id}": Scope.WEBHOOKS,
        "PATCH /webhook-endpoints/{id}": Scope.WEBHOOKS,
        "DELETE /webhook-endpoints/{id}": Scope.WEBHOOKS,
        "POST /webhook-endpoints/{id}/rotate-secret": Scope.WEBHOOKS,
        "GET /events": Scope.WEBHOOKS,
        "GET /events/{id}": Scope.WEBHOOKS,
        "GET /deliveries": Scope.WEBHOOKS,
        "POST /deliveries/{id}/retry": Scope.WEBHOOKS,
    }
)
"""The one table. A route that is not in it is refused to everyone."""


PUBLIC_ROUTES = frozenset({"GET /.well-known/qr-keys.json"})
"""Routes of the merchants' functions that anyone may read: no token, no rate of a client's."""


def require_scope(principal: Principal, route: str) -> None:
    """Raise Forbidden, naming the scope, unless the principal's token opens the route."""
    scope = SCOPE_OF.get(route)
    if scope is None:
        raise Forbidden("No scope opens this route.")
    if not principal.has(scope):
        raise Forbidden(f"This token lacks the scope {scope}.", scope=scope.value)
