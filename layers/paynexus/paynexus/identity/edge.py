"""What every merchant-facing API does first: know the caller, count it, ask for the scope."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from paynexus import http, versions
from paynexus.clock import Clock
from paynexus.identity.access import ACCESS_OF, PUBLIC_ROUTES, require_scope
from paynexus.identity.allowance import Allowances, Charge, Rate
from paynexus.identity.model import Principal, principal_from
from paynexus.identity.rate_limit import RateLimiter
from paynexus.lists.query import require_known
from paynexus.money import EXPONENTS, Money, limit_of


def merchant_api(
    *, limiter: Callable[[], RateLimiter], clock: Clock, cors_origin: Callable[[], str]
) -> http.Resolver:
    """A resolver whose routes are reached within their rate by clients that have their scope.

    Pages of `cors_origin` may read the answers; of none when it is empty.
    """
    app = http.new_resolver()

    def admit(event: Mapping[str, Any]) -> None:
        app.answer_headers |= http.cors_headers(event["headers"], origin=cors_origin())
        route = app.route_of(event)
        if route in PUBLIC_ROUTES:
            return
        now = clock()
        caller = principal_from(_context_of(event), now=now)
        app.answer_headers[versions.HEADER] = caller.api_version
        rates = limiter()
        charges = list(_charges(app, event, route, caller, rates.allowances))
        verdict = rates.admit(caller.client_id, charges, now=now)
        app.answer_headers.update(verdict.headers())
        verdict.require_allowed()
        if route is not None:
            require_scope(caller, route)
        require_known(app, event)
        app.answer_headers[versions.HEADER] = http.version_of(
            event["headers"], pinned=caller.api_version
        )
        http.require_json(event)

    app.guard = admit
    return app


def principal_of(app: BaseRouter, clock: Clock) -> Principal:
    """The caller of the present request, as the authorizer vouched for it."""
    return principal_from(_context_of(app.current_event.raw_event), now=clock())


def _charges(
    app: http.Resolver,
    event: Mapping[str, Any],
    route: str | None,
    caller: Principal,
    allowances: Allowances,
) -> Iterator[Charge]:
    """One request, of the route's class (a read where there is no route), and its money.

    Who may not take payments can't use up what others of the client may.
    """
    access = ACCESS_OF.get(route or "")
    yield allowances.request(access.rate if access else Rate.READ)
    if access and access.takes_value and caller.has(access.scope):
        money = _money_in(app.readable_body(event))
        if money is not None:
            yield allowances.value(money)


def _money_in(body: Mapping[str, Any] | None) -> Money | None:
    """What the body would take, if it is an amount that a payment can have."""
    amount, currency = (body or {}).get("amount"), (body or {}).get("currency")
    if type(amount) is not int or not isinstance(currency, str) or currency not in EXPONENTS:
        return None
    return Money(amount, currency) if 0 < amount <= limit_of(currency) else None


def _context_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    context: Mapping[str, Any] = (event.get("requestContext") or {}).get("authorizer") or {}
    return context
