"""What each route of the merchants' API asks for: a scope, and room within a rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from paynexus.errors import Forbidden
from paynexus.identity.allowance import Rate
from paynexus.identity.model import Principal, Scope


@dataclass(frozen=True, slots=True)
class Access:
    """The scope that a route asks for, and the rate that its requests are counted in."""

    scope: Scope
    rate: Rate
    takes_value: bool = False
    """Whether the body's amount is taken of the client's money for its currency as well."""


ACCESS_OF: Mapping[str, Access] = MappingProxyType(
    {
        "POST /payments": Access(Scope.PAYMENTS_WRITE, Rate.WRITE, takes_value=True),
        "GET /payments": Access(Scope.PAYMENTS_READ, Rate.READ),
        "GET /payments/{id}": Access(Scope.PAYMENTS_READ, Rate.READ),
        "GET /payments/{id}/timeline": Access(Scope.PAYMENTS_READ, Rate.READ),
        "POST /payments/{id}/capture": Access(Scope.PAYMENTS_WRITE, Rate.WRITE),
        "POST /payments/{id}/cancel": Access(Scope.PAYMENTS_WRITE, Rate.WRITE),
        "POST /payments/{id}/confirm": Access(Scope.PAYMENTS_WRITE, Rate.WRITE),
        "POST /payments/{id}/refunds": Access(Scope.REFUNDS_WRITE, Rate.WRITE),
        "GET /refunds/{id}": Access(Scope.PAYMENTS_READ, Rate.READ),
        "GET /disputes": Access(Scope.PAYMENTS_READ, Rate.READ),
        "GET /disputes/{id}": Access(Scope.PAYMENTS_READ, Rate.READ),
        "POST /qr-codes": Access(Scope.QR, Rate.WRITE),
        "POST /qr-codes/scan": Access(Scope.QR, Rate.WRITE),
        "GET /qr-codes/{id}": Access(Scope.QR, Rate.READ),
        "GET /qr-codes/{id}/image": Access(Scope.QR, Rate.READ),
        "GET /merchant": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "PATCH /merchant": Access(Scope.ADMIN, Rate.CONFIGURE),
        "POST /clients": Access(Scope.ADMIN, Rate.CONFIGURE),
        "GET /clients": Access(Scope.ADMIN, Rate.READ),
        "GET /clients/{id}": Access(Scope.ADMIN, Rate.READ),
        "DELETE /clients/{id}": Access(Scope.ADMIN, Rate.CONFIGURE),
        "POST /clients/{id}/rotate-secret": Access(Scope.ADMIN, Rate.CONFIGURE),
        "GET /balances": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "GET /ledger-entries": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "GET /settlements": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "GET /settlements/next": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "GET /settlements/{id}": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "GET /settlements/{id}/statement": Access(Scope.SETTLEMENTS_READ, Rate.READ),
        "POST /webhook-endpoints": Access(Scope.WEBHOOKS, Rate.CONFIGURE),
        "GET /webhook-endpoints": Access(Scope.WEBHOOKS, Rate.READ),
        "GET /webhook-endpoints/{id}": Access(Scope.WEBHOOKS, Rate.READ),
        "PATCH /webhook-endpoints/{id}": Access(Scope.WEBHOOKS, Rate.CONFIGURE),
        "DELETE /webhook-endpoints/{id}": Access(Scope.WEBHOOKS, Rate.CONFIGURE),
        "POST /webhook-endpoints/{id}/rotate-secret": Access(Scope.WEBHOOKS, Rate.CONFIGURE),
        "GET /events": Access(Scope.WEBHOOKS, Rate.READ),
        "GET /events/{id}": Access(Scope.WEBHOOKS, Rate.READ),
        "GET /deliveries": Access(Scope.WEBHOOKS, Rate.READ),
        "POST /deliveries/{id}/retry": Access(Scope.WEBHOOKS, Rate.WRITE),
        "GET /fraud/features": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/rules": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/rules": Access(Scope.FRAUD_READ, Rate.READ),
        "GET /fraud/rules/{id}": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/rules/{id}/versions": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/rules/{id}/versions": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/rules/{id}/shadow": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/rules/{id}/stop-shadow": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/rules/{id}/disable": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/rules/{id}/snoozes": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/rules/{id}/snoozes": Access(Scope.FRAUD_READ, Rate.READ),
        "DELETE /fraud/snoozes/{id}": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/lists": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/lists": Access(Scope.FRAUD_READ, Rate.READ),
        "GET /fraud/lists/{id}": Access(Scope.FRAUD_READ, Rate.READ),
        "PATCH /fraud/lists/{id}": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/lists/{id}/entries": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/lists/{id}/entries": Access(Scope.FRAUD_READ, Rate.READ),
        "DELETE /fraud/list-entries/{id}": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/lists/{id}/import": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/lists/{id}/rescreenings": Access(Scope.FRAUD_READ, Rate.READ),
        "GET /fraud/lists/{id}/hits": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/backtests": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/backtests": Access(Scope.FRAUD_READ, Rate.READ),
        "GET /fraud/backtests/{id}": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/promotions": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/promotions": Access(Scope.FRAUD_READ, Rate.READ),
        "GET /fraud/promotions/{id}": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/promotions/{id}/revert": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/settings": Access(Scope.FRAUD_READ, Rate.READ),
        "PATCH /fraud/settings": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "GET /fraud/cases": Access(Scope.FRAUD_READ, Rate.READ),
        "GET /fraud/cases/{id}": Access(Scope.FRAUD_READ, Rate.READ),
        "POST /fraud/cases/{id}/assign": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/cases/{id}/notes": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/cases/{id}/close": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
        "POST /fraud/cases/{id}/reopen": Access(Scope.FRAUD_WRITE, Rate.CONFIGURE),
    }
)
"""The one table. A route that is not in it is refused to everyone."""

SCOPE_OF: Mapping[str, Scope] = MappingProxyType(
    {route: access.scope for route, access in ACCESS_OF.items()}
)
"""The table's scopes alone."""

PUBLIC_ROUTES = frozenset({"GET /.well-known/qr-keys.json"})
"""Routes of the merchants' functions that anyone may read: no token, no rate of a client's."""


def require_scope(principal: Principal, route: str) -> None:
    """Raise Forbidden, naming the scope, unless the principal's token opens the route."""
    scope = SCOPE_OF.get(route)
    if scope is None:
        raise Forbidden("No scope opens this route.")
    if not principal.has(scope):
        raise Forbidden(f"This token lacks the scope {scope}.", scope=scope.value)
