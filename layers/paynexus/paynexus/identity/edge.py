"""What every merchant-facing API does first: know the caller, count the request."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from paynexus import http
from paynexus.clock import Clock
from paynexus.errors import RateLimited
from paynexus.identity.model import Principal, principal_from
from paynexus.identity.rate_limit import RateLimiter


def merchant_api(*, limiter: Callable[[], RateLimiter], clock: Clock) -> http.Resolver:
    """A resolver whose routes are reached by authorized clients within their rate only."""
    app = http.new_resolver()

    def limit_rate(app: http.Resolver, next_middleware: NextMiddleware) -> Response[str]:
        now = clock()
        verdict = limiter().admit(principal_of(app, clock).client_id, now=now)
        # Kept by the resolver, so that refusals of every kind carry them too.
        app.answer_headers.update(verdict.headers())
        if not verdict.is_allowed:
            raise RateLimited(
                "Too many requests: wait as Retry-After says.", retry_after=verdict.retry_after
            )
        answer: Response[str] = next_middleware(app)
        return answer

    app.use([limit_rate])
    return app


def principal_of(app: BaseRouter, clock: Clock) -> Principal:
    """The caller of the present request, as the authorizer vouched for it."""
    context = app.current_event.raw_event["requestContext"].get("authorizer") or {}
    return principal_from(context, now=clock())
