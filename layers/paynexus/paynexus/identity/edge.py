"""What every merchant-facing API does first: know the caller, count it, ask for the scope."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from paynexus import http, versions
from paynexus.clock import Clock
from paynexus.errors import RateLimited
from paynexus.identity.access import PUBLIC_ROUTES, require_scope
from paynexus.identity.model import Principal, principal_from
from paynexus.identity.rate_limit import RateLimiter
from paynexus.lists.query import require_known


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
        verdict = limiter().admit(caller.client_id, now=now)
        app.answer_headers.update(verdict.headers())
        if not verdict.is_allowed:
            raise RateLimited(
                "Too many requests: wait as Retry-After says.", retry_after=verdict.retry_after
            )
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


def _context_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    context: Mapping[str, Any] = (event.get("requestContext") or {}).get("authorizer") or {}
    return context
