"""The edge before the functions: what API Gateway does with a request, in this process.

It finds the function of a route that the template deploys, asks the authorizer, and answers by
itself, in the template's own words, where no function is reached.
"""

import base64
import importlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from authorize_request import handler as authorizer
from tests.contracts import infrastructure
from tests.integration.conftest import Answer, Handler, answer_of

METHOD_ARN = "arn:aws:execute-api:us-east-1:123456789012:api/v1/GET/any"
BINARY = "image/png"
"""The one media type that arrives as base64; all others are text."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sends."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, the module that answers it, and whether it needs a token."""

    method: str
    pattern: re.Pattern[str]
    module: str
    has_token: bool


def answer(request: Request) -> Answer:
    """What the client gets."""
    route = route_of(request.method, request.path)
    if route is None:
        return own_answer("MISSING_AUTHENTICATION_TOKEN")
    event = event_of(request)
    if route.has_token:
        context = _authorized(event)
        if context is None:
            return own_answer("UNAUTHORIZED")
        event["requestContext"]["authorizer"] = context
    return answer_of(handler_of(route)(event, None))


@cache
def routes() -> list[Route]:
    """Every route that the template deploys; those without braces are tried first."""
    found = [
        _route(given["Handler"], event["Properties"])
        for given in infrastructure.properties(infrastructure.FUNCTION).values()
        for event in given.get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    return sorted(found, key=lambda route: route.pattern.pattern.count("[^/]"))


def route_of(method: str, path: str) -> Route | None:
    """The route that the request goes to."""
    for route in routes():
        if route.method == method and route.pattern.fullmatch(path):
            return route
    return None


def handler_of(route: Route) -> Handler:
    """The function that answers the route."""
    handler: Handler = importlib.import_module(route.module).handler
    return handler


def own_answer(kind: str) -> Answer:
    """What API Gateway says by itself."""
    request_id = secrets.token_hex(8)
    responses = infrastructure.template()["Resources"]["Api"]["Properties"]["GatewayResponses"]
    response = responses[kind]
    headers = {
        name: request_id if value == "context.requestId" else value.strip("'")
        for name, value in response["ResponseParameters"]["Headers"].items()
    }
    text = response["ResponseTemplates"]["application/json"]
    body = text.replace("$context.requestId", request_id).encode()
    return Answer(int(response["StatusCode"]), headers, body)


def event_of(request: Request) -> dict[str, Any]:
    """The request as a REST API hands it to a function."""
    query = parse_qsl(request.query, keep_blank_values=True)
    several: dict[str, list[str]] = {}
    for name, value in query:
        several.setdefault(name, []).append(value)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_binary = bool(request.body) and media_type == BINARY
    body = base64.b64encode(request.body) if is_binary else request.body
    return {
        "resource": request.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "v1",
            "path": f"/v1{request.path}",
            "httpMethod": request.method,
            "requestId": secrets.token_hex(8),
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": body.decode("utf-8", "replace") or None,
        "isBase64Encoded": is_binary,
    }


def _authorized(event: Mapping[str, Any]) -> dict[str, str] | None:
    try:
        allowed = authorizer.handler({**event, "type": "REQUEST", "methodArn": METHOD_ARN}, None)
    except Exception as refusal:  # API Gateway's own protocol
        if str(refusal) != "Unauthorized":
            raise
        return None
    context: dict[str, str] = json.loads(json.dumps(allowed["context"]))
    return context


def _route(handler: str, properties: Mapping[str, Any]) -> Route:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(properties["Path"]))
    has_token = properties.get("Auth", {}).get("Authorizer") != "NONE"
    return Route(
        properties["Method"].upper(),
        re.compile(pattern),
        handler.removesuffix(".handler"),
        has_token,
    )
