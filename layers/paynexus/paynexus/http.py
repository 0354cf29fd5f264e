"""The HTTP edge: strict bodies in, resources or RFC 9457 problems out, a Request-Id on each."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from paynexus import errors, jsontext, versions
from paynexus.cards import has_card_number
from paynexus.money import EXPONENTS
from paynexus.observability import count, logger, request_id_of, trace_of

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    # Answers are data: no browser is to run, frame, guess at or fetch anything for them.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}
"""On each answer that does not say otherwise."""

EXPOSED_HEADERS = "Idempotent-Replayed, PayNexus-Version, RateLimit, Request-Id, Retry-After"
"""What a page of the configured origin may read besides the body."""

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_LIMIT = 100

JSON = "application/json"

STATUS_OF: dict[type[errors.PayNexusError], int] = {
    errors.InvalidRequest: 400,
    errors.IdempotencyKeyMissing: 400,
    errors.Unauthenticated: 401,
    errors.SignatureRefused: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.OperationRunning: 409,
    errors.InvalidState: 409,
    errors.RequestTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.IdempotencyKeyReused: 422,
    errors.QrRefused: 422,
    errors.ListFileRefused: 422,
    errors.RateLimited: 429,
    errors.DatabaseUnavailable: 503,
}
"""The one place where an error of the business becomes an HTTP status; others are 500."""


def _without_card_number(text: str) -> str:
    if has_card_number(text):
        raise ValueError("this looks like a card number, and none is taken here")
    return text


NoCardNumber = AfterValidator(_without_card_number)
"""On each text that is kept: card numbers are refused before they are stored or logged."""


def _known_currency(currency: str) -> str:
    if currency not in EXPONENTS:
        raise ValueError("unknown currency: use an ISO 4217 code such as EUR")
    return currency


Currency = Annotated[
    str, AfterValidator(_known_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})
]
"""A currency in a request body."""


PLAIN = r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
"""One character that people read: none that controls how the others are shown, or ends a line."""


class Strict(BaseModel):
    """A request body: no coercion ("5", 5.0 and true are no amounts), no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Resolver(APIGatewayRestResolver):
    """Powertools' resolver with our manners.

    `request_id` is the present request's; `answer_headers` go out with its answer, whichever.
    `guard` is asked first, before the request is read: it may raise a refusal.
    """

    request_id = ""
    answer_headers: dict[str, str]
    guard: Callable[[Mapping[str, Any]], None] | None = None
    _read: tuple[str, dict[str, Any]] | None = None

    def __init__(self) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=self.object_of)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's context is untyped here
        """The answer to one API Gateway event, never an exception."""
        self.request_id = request_id_of(event)
        self.answer_headers = {versions.HEADER: versions.NEWEST}
        self._read = None
        logger.set_correlation_id(self.request_id)
        try:
            request = self._admitted(event)
        except errors.PayNexusError as error:
            answer = _raw(problem(error, request_id=self.request_id))
        else:
            answer = super().resolve(request, context)
        headers = answer.setdefault("multiValueHeaders", {})
        headers["Request-Id"] = [self.request_id]
        headers.update({name: [value] for name, value in self.answer_headers.items()})
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, [value])
        return answer

    def route_of(self, event: Mapping[str, Any]) -> str | None:
        """The route that answers the event, as `POST /payments/{id}/capture`; None without one."""
        method = event["httpMethod"].upper()
        for route in self.routes_on(event["path"]):
            if route.method == method:
                return f"{method} {re.sub('<.+?>', '{id}', route.path)}"
        return None

    def object_of(self, text: str) -> dict[str, Any]:
        """The JSON object that `text` is; a request's text is parsed once, whoever asks."""
        if self._read is None or self._read[0] != text:
            self._read = (text, _object(text))
        return self._read[1]

    def readable_body(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event's body, or None where there is none that can be read."""
        try:
            return self.object_of(_text_of(event) or "")
        except errors.PayNexusError:
            return None

    def routes_on(self, path: str) -> list[Route]:
        """The routes that the path has, whatever their method, in the order they are tried."""
        routes = self._static_routes + self._dynamic_routes  # Powertools has no accessor
        return [route for route in routes if route.rule.match(path)]

    def _admitted(self, event: Mapping[str, Any]) -> dict[str, Any]:
        # API Gateway sends null for what there is none of, and some callers leave it out.
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        # Media types know no case; Powertools compares them in small letters.
        headers["content-type"] = (headers.get("content-type") or "").lower()
        request = {**event, "headers": headers, "body": event.get("body")}
        if self.guard is not None:
            self.guard(request)
        return {**request, "body": _text_of(request), "isBase64Encoded": False}


def new_resolver() -> Resolver:
    """A resolver that validates strictly and says no in problem+json only."""
    app = Resolver()

    @app.exception_handler(errors.PayNexusError)  # type: ignore[untyped-decorator]  # Powertools'
    def refuse(error: errors.PayNexusError) -> Response[str]:
        return problem(error, request_id=app.request_id)

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]  # Powertools'
    def refuse_invalid(error: RequestValidationError) -> Response[str]:
        return problem(_invalid_request(error.errors()), request_id=app.request_id)

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]  # Powertools'
    def refuse_unforeseen(error: Exception) -> Response[str]:
        logger.error("unforeseen error", trace=trace_of(error))
        count("UnforeseenError")
        unforeseen = errors.PayNexusError("Something failed on our side; it has been reported.")
        return problem(unforeseen, request_id=app.request_id)

    @app.not_found
    def refuse_unknown(_error: Exception) -> Response[str]:
        return problem(_unknown_route(app), request_id=app.request_id)

    return app


def cors_headers(headers: Mapping[str, str], *, origin: str) -> dict[str, str]:
    """What lets a page of `origin` read the answer, if it is one of its pages that asks."""
    if not origin or headers.get("origin") != origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }


def version_of(headers: Mapping[str, str], *, pinned: str) -> str:
    """The version that the request asks for, or else the `pinned` one.

    Raises InvalidRequest for a version that was never released.
    """
    wanted = headers.get(versions.HEADER.lower())
    if wanted is not None and wanted not in versions.RELEASED:
        raise errors.InvalidRequest(
            f"No such version: leave {versions.HEADER} out or send one of "
            f"{', '.join(versions.RELEASED)}.",
            param=versions.HEADER,
        )
    return wanted or pinned


def require_json(event: Mapping[str, Any]) -> None:
    """Raise UnsupportedMediaType for a body that says it is anything but JSON, or compressed.

    One that says nothing is read as JSON.
    """
    coding = (event["headers"].get("content-encoding") or "identity").strip().lower()
    if event["body"] and coding != "identity":
        raise errors.UnsupportedMediaType("Send the body as it is, without Content-Encoding.")
    media_type, _, _ = (event["headers"]["content-type"] or JSON).partition(";")
    if event["body"] and media_type.strip() != JSON:
        raise errors.UnsupportedMediaType(f"Send the body as `Content-Type: {JSON}`.")


def reply(
    status: int, resource: object, *, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """An answer whose body is `resource` as JSON."""
    return raw_reply(status, jsontext.write(resource), headers=headers)


def raw_reply(status: int, body: str, *, headers: Mapping[str, str] | None = None) -> Response[str]:
    """An answer whose JSON body goes out byte for byte."""
    return Response(status_code=status, content_type=JSON, body=body, headers=dict(headers or {}))


def picture_reply(
    media_type: str, picture: str | bytes, *, headers: Mapping[str, str]
) -> Response[str]:
    """An answer that is a picture: text as it stands, bytes as API Gateway wants them."""
    body = picture if isinstance(picture, str) else base64.b64encode(picture).decode()
    answer = Response(200, content_type=media_type, body=body, headers=dict(headers))
    answer.base64_encoded = isinstance(picture, bytes)
    return answer


def page(items: Sequence[object], *, has_more: bool) -> dict[str, object]:
    """One page of a list."""
    return {"data": list(items), "has_more": has_more}


def problem(error: errors.PayNexusError, *, request_id: str) -> Response[str]:
    """`error` as RFC 9457 problem+json."""
    status = status_of(error)
    body: dict[str, object] = {
        "type": f"https://docs.paynexus.dev/errors#{error.code}",
        "title": type(error).__name__,
        "status": status,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
        **error.extra,
    }
    if error.param is not None:
        body["param"] = error.param
    return Response(
        status_code=status,
        content_type=jsontext.PROBLEM_MEDIA_TYPE,
        body=jsontext.write(body),
        headers=_headers_of(error),
    )


def status_of(error: errors.PayNexusError) -> int:
    """The HTTP status that `error` is answered with."""
    for kind in type(error).__mro__:
        if kind in STATUS_OF:
            return STATUS_OF[kind]
    return 500


def _object(text: str) -> dict[str, Any]:
    value = jsontext.parse(text)
    if not isinstance(value, dict):
        raise errors.InvalidRequest("The body is no JSON object.")
    return value


def _text_of(event: Mapping[str, Any]) -> str | None:
    body: str | None = event["body"]
    if not body or not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError:
        raise errors.InvalidRequest("The body is no UTF-8 text.") from None


def _raw(refusal: Response[str]) -> dict[str, Any]:
    headers = {"Content-Type": str(refusal.content_type), **refusal.headers}
    return {
        "statusCode": refusal.status_code,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": refusal.body,
        "isBase64Encoded": False,
    }


def _headers_of(error: errors.PayNexusError) -> dict[str, str | list[str]]:
    """What the refusal's own standard asks for: RFC 9110, RFC 6750."""
    match error:
        case errors.RateLimited() | errors.OperationRunning():
            # Some requests pass at no time.
            known = error.retry_after is not None
            return {"Retry-After": str(error.retry_after)} if known else {}
        case errors.MethodNotAllowed(extra={"allow": [*methods]}):
            return {"Allow": ", ".join(map(str, methods))}
        case errors.Forbidden(extra={"scope": scope}):
            return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        case errors.Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case errors.SignatureRefused():
            return {"WWW-Authenticate": "Signature"}
    return {}


def _invalid_request(faults: Sequence[Mapping[str, Any]]) -> errors.InvalidRequest:
    first = faults[0]
    if (first["loc"], first["type"]) == (("body",), "missing"):
        return errors.InvalidRequest("The body is empty; send a JSON object.")
    kind, *within = first["loc"]
    # A query is flat, whatever model reads it.
    where = map(str, within[-1:] if kind == "query" else within)
    name = ".".join(where)[: jsontext.KEY_SHOWN]
    detail = f"{name}: {first['msg']}" if name else str(first["msg"])
    return errors.InvalidRequest(detail, param=name or None)


def _unknown_route(app: Resolver) -> errors.PayNexusError:
    methods = sorted({str(route.method) for route in app.routes_on(app.current_event.path)})
    if methods:
        return errors.MethodNotAllowed(f"This path answers {', '.join(methods)}.", allow=methods)
    return errors.NotFound("There is no such path.")
