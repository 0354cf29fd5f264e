"""What a hostile body costs of our own CPU until it is refused, beside one bare signature."""

import base64
import time
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from payments_api.schemas import PaymentOrder
from paynexus import http, ids, jsontext
from paynexus.cache import Cache
from paynexus.clock import system_clock
from paynexus.identity import edge
from paynexus.identity.rate_limit import RateLimiter
from paynexus.ids import MerchantId
from tests import hostile_json
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run
from tests.benchmarks.sections.signatures import BARE, KEY, MESSAGE, ORDER, SIGNATURE

MILLISECONDS = 1_000
GOAL_MILLISECONDS = 50
"""Of handler time for the worst of them."""
ROUNDS_MIN = 3


def measured(run: Run) -> Iterator[Part]:
    """Through the guard (Redis asked), the parser and the validation, as a payment's body goes."""
    app = _app(run.servers.redis_url)
    bodies = hostile_json.bodies(jsontext.parse(ORDER))
    events = {what: _event(body) for what, body in bodies.items()}
    usual = _event(ORDER)
    spent: dict[str, list[float]] = {what: [] for what in events}
    bare: list[float] = []
    honest: list[float] = []
    for _ in range(max(ROUNDS_MIN, run.settings.rounds)):
        bare.append(_bare())
        honest.append(_cost(app, usual, status=201))
        for what, event in events.items():
            spent[what].append(_cost(app, event, status=None))
    yield Part("Hostile bodies: own CPU until refused", _figures(spent, bare, honest))


def _app(redis_url: str) -> http.Resolver:
    limiter = RateLimiter(Cache(redis_url))
    app = edge.merchant_api(limiter=lambda: limiter, clock=system_clock, cors_origin=str)

    @app.post("/payments")
    def take(body: Annotated[PaymentOrder, Body()]) -> Response[str]:
        return http.reply(201, {"currency": body.currency})

    return app


def _event(body: str | bytes) -> dict[str, Any]:
    text = body if isinstance(body, str) else base64.b64encode(body).decode()
    context = {
        "merchant_id": ids.text("mer", MerchantId(ids.new_id())),
        "client_id": f"benchmark {ids.new_id()}",
        "mode": "test",
        "scope": "admin",
        "expires_at": str(2**40),
    }
    return {
        "resource": "/payments",
        "path": "/payments",
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"stage": "v1", "path": "/v1/payments", "authorizer": context},
        "body": text,
        "isBase64Encoded": isinstance(body, bytes),
    }


def _cost(app: http.Resolver, event: Mapping[str, Any], *, status: int | None) -> float:
    began = time.process_time()
    answer = app.resolve(event, None)
    spent = (time.process_time() - began) * MILLISECONDS
    # What is let through is not refused quickly: it must not pass for it.
    is_right = answer["statusCode"] == status if status else 400 <= answer["statusCode"] < 500
    if not is_right:
        raise AssertionError(answer)
    return spent


def _bare() -> float:
    public = KEY.public_key()
    began = time.process_time()
    for _ in range(100):
        public.verify(SIGNATURE, MESSAGE)
    return (time.process_time() - began) / 100 * MILLISECONDS


def _figures(
    spent: Mapping[str, list[float]], bare: list[float], honest: list[float]
) -> list[Figure]:
    worst = sorted(((median(each), what) for what, each in spent.items()), reverse=True)
    figures = [
        Figure("worst hostile body", worst[0][0], "ms", goal=GOAL_MILLISECONDS),
        Figure("median hostile body", median(cost for cost, _ in worst), "ms"),
        Figure("an ordinary payment's body, let through", median(honest), "ms"),
        Figure(f"worst hostile body / {BARE}", worst[0][0] / median(bare), ""),
    ]
    return figures + [Figure(f"hostile: {what}", cost, "ms") for cost, what in worst[:8]]
