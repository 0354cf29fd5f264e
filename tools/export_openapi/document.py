"""The OpenAPI document: the routes and request models of the handlers, and what they answer."""

import importlib
import inspect
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from merchants_api.merchant import Configuration
from paynexus import errors
from paynexus.gateways.callbacks import DIALECTS
from paynexus.http import Resolver
from paynexus.identity.access import PUBLIC_ROUTES, SCOPE_OF
from tools.export_openapi import fixed, replies
from tools.export_openapi.answers import models
from tools.export_openapi.examples import EXAMPLES
from tools.export_openapi.refusals import REFUSALS, TOKEN_REQUEST
from tools.export_openapi.schemas.words import CLIENT_ID, pattern_of

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs/openapi.json"
FUNCTIONS = ROOT / "functions"

PUBLIC = "tokens_api"
"""The one API function whose routes need no access token."""
CALLBACKS = "gateway_callbacks"
"""The function that gateways call, which sign what they say."""
WITHOUT_KEY = {"/oauth/token", "/qr-codes/scan", "/gateways/{name}/callbacks"}
"""POSTs that do not act, or whose body has an id of its own: they need no Idempotency-Key."""
NOUN_OF = {"qr_api": "qr_code"}
"""Of a function whose handlers are named by verbs alone, what they act on."""
PREFIX_OF = {
    "payment_id": "pay",
    "refund_id": "re",
    "dispute_id": "dp",
    "qr_code_id": "qr",
    "settlement_id": "set",
    "endpoint_id": "we",
    "event_id": "evt",
    "delivery_id": "del",
    "rule_id": "frl",
    "snooze_id": "fsn",
    "case_id": "frc",
    "fraud_list_id": "fls",
    "list_entry_id": "fle",
    "rescreening_id": "frs",
    "backtest_id": "fbt",
    "promotion_id": "fpr",
}
"""How the ids that paths name begin."""
CURSOR_OF = {
    "list_payments": "pay",
    "list_disputes": "dp",
    "list_settlements": "set",
    "list_webhook_endpoints": "we",
    "list_events": "evt",
    "list_deliveries": "del",
    "list_fraud_rules": "frl",
    "list_fraud_rule_versions": "frv",
    "list_fraud_cases": "frc",
    "list_fraud_lists": "fls",
    "list_fraud_list_entries": "fle",
    "list_fraud_rescreenings": "frs",
    "list_fraud_list_hits": "frh",
    "list_fraud_backtests": "fbt",
    "list_fraud_promotions": "fpr",
}
"""How the ids begin that lists go on after."""
REFERENCE = "#/components/schemas/"
METHODS = ("get", "post", "patch", "put", "delete")
GENERATED = {"HTTPValidationError", "ResponseValidationError", "ValidationError"}
"""Powertools' own error bodies, which this API never sends."""


def document() -> dict[str, Any]:
    """The OpenAPI document that the code stands for."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": _problem(), **_answer_schemas()}
    for function in _api_functions():
        app: Resolver = importlib.import_module(f"{function}.handler").app
        part = _set_apart(_part_of(app, function), schemas, function=function)
        names = _names_of(app, function)
        for path, item in part["paths"].items():
            paths.setdefault(path, {}).update(_finished(path, item, names, function=function))
        own = part.get("components", {}).get("schemas", {})
        schemas |= {title: own[title] for title in own.keys() - GENERATED}
    return {
        "openapi": "3.1.0",
        "info": fixed.INFO | {"version": _version()},
        "servers": fixed.SERVERS,
        "tags": fixed.TAGS,
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(_reached(paths, schemas).items())),
            "examples": {
                code: {"summary": one.title, "value": one.example()}
                for code, one in REFUSALS.items()
            },
            "headers": fixed.HEADERS,
            "securitySchemes": fixed.SECURITY_SCHEMES,
        },
    }


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def codes() -> set[str]:
    """Every code that a problem may carry: of each kind of error, and of refusals by reason."""
    return {kind.code for kind in _kinds(errors.PayNexusError)} | set(REFUSALS)


def _kinds(
    base: type[errors.PayNexusError],
) -> Iterator[type[errors.PayNexusError]]:
    # The token endpoint's refusals are no problems.
    if base is not errors.TokenRefused and base.__module__ == errors.__name__:
        yield base
        for kind in base.__subclasses__():
            yield from _kinds(kind)


def _problem() -> dict[str, Any]:
    properties = fixed.PROBLEM["properties"] | {"code": {"type": "string", "enum": sorted(codes())}}
    return fixed.PROBLEM | {"properties": properties}


def _answer_schemas() -> dict[str, Any]:
    """Of every model in an answer, but for those that requests bring along."""
    requested = _schemas_of([Configuration])
    return {name: one for name, one in _schemas_of(models()).items() if name not in requested}


def _schemas_of(found: Sequence[type[BaseModel]]) -> dict[str, Any]:
    _, generated = models_json_schema(
        [(model, "validation") for model in found], ref_template=REFERENCE + "{model}"
    )
    schemas: dict[str, Any] = generated["$defs"]
    return schemas


def _reached(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas that something refers to: queries are told parameter by parameter."""
    found: dict[str, Any] = {"Problem": schemas["Problem"]}
    ways: list[Any] = [paths, schemas["Problem"]]
    while ways:
        for name in set(re.findall(f'"{REFERENCE}(.+?)"', json.dumps(ways.pop()))) - found.keys():
            found[name] = schemas[name]
            ways.append(schemas[name])
    return found


def _api_functions() -> Iterator[str]:
    yield CALLBACKS
    for handler in sorted(FUNCTIONS.glob("*_api/handler.py")):
        yield handler.parent.name


def _part_of(app: Resolver, function: str) -> dict[str, Any]:
    part: dict[str, Any] = json.loads(app.get_openapi_json_schema(title=function, version="1"))
    for path, item in part["paths"].items():
        for route in app.routes_on(path):
            for field in route.dependant.query_params:
                asked = field.field_info.annotation
                if isinstance(asked, type) and issubclass(asked, BaseModel):
                    _tell_apart(item[route.method.lower()], asked)
    for route in app._static_routes + app._dynamic_routes:  # noqa: SLF001 - there is no accessor
        operations = part["paths"].get(re.sub("<(.+?)>", r"{\1}", route.path), {})
        if operation := operations.get(route.method.lower()):
            operation.setdefault("description", inspect.getdoc(route.func))
    return part


def _tell_apart(operation: dict[str, Any], asked: type[BaseModel]) -> None:
    """Each parameter has the schema of its field: Powertools tells its type and no more."""
    whole = asked.model_json_schema()
    for parameter in operation["parameters"]:
        if parameter["in"] != "query":
            continue
        field = dict(whole["properties"][parameter["name"]])
        kind = field.pop("anyOf", [field])[0]
        if "$ref" in kind:
            kind = whole["$defs"][kind["$ref"].rpartition("/")[2]]
        unsaid = {"title", "description"} | ({"default"} if field.get("default") is None else set())
        schema = {**field, **kind}
        parameter["schema"] = {name: schema[name] for name in schema if name not in unsaid}


def _names_of(app: Resolver, function: str) -> dict[tuple[str, str], str]:
    """By method and path, what the operation is called: as its handler is."""
    names = {}
    for route in app._static_routes + app._dynamic_routes:  # noqa: SLF001 - there is no accessor
        name = route.func.__name__
        if function in NOUN_OF and "_" not in name:
            name = f"{name}_{NOUN_OF[function]}"
        names[route.method.lower(), re.sub("<(.+?)>", r"{\1}", route.path)] = name
    return names


def _finished(
    path: str, item: dict[str, Any], names: dict[tuple[str, str], str], *, function: str
) -> dict[str, Any]:
    for method in set(METHODS) & item.keys():
        operation = item[method]
        operation["operationId"] = names[method, path]
        operation["tags"] = [fixed.tag_of(path)]
        operation["security"] = _security_of(method, path, function)
        parameters = operation.setdefault("parameters", [])
        if method == "post" and path not in WITHOUT_KEY:
            parameters.append(fixed.IDEMPOTENCY_KEY)
        if operation["operationId"] == TOKEN_REQUEST:
            operation["requestBody"] = fixed.TOKEN_FORM
        if function == CALLBACKS:
            operation["requestBody"] = fixed.CALLBACK
            parameters[0]["schema"] = {"enum": sorted(DIALECTS)}
        for one in parameters:
            prefix = _prefix_of(one["name"], operation["operationId"])
            if prefix is not None:
                one["schema"] = {"type": "string", "pattern": pattern_of(prefix)}
            if one["in"] == "path" and one["name"] == "client_id":
                one["schema"] = {"type": "string", "pattern": CLIENT_ID}
        _show_requests(operation)
        operation["responses"] = replies.responses_of(method, operation)
    return item


def _prefix_of(parameter: str, operation_id: str) -> str | None:
    """How the ids begin that the parameter takes, if it takes any."""
    if parameter == "starting_after":
        return CURSOR_OF.get(operation_id)
    return PREFIX_OF.get(parameter) or PREFIX_OF.get(f"{parameter}_id")


def _show_requests(operation: dict[str, Any]) -> None:
    if "requestBody" not in operation:
        return
    [content] = operation["requestBody"]["content"].values()
    content["examples"] = {
        replies.key_of(one): {"summary": one.title, "value": one.request}
        for one in EXAMPLES.get(operation["operationId"], ())
        if one.request is not None
    }


def _security_of(method: str, path: str, function: str) -> list[dict[str, list[str]]]:
    if function == PUBLIC:
        return [{"client": []}, {}] if path == "/oauth/token" else []
    if function == CALLBACKS:
        return [{"signature": []}]
    if f"{method.upper()} {path}" in PUBLIC_ROUTES:
        return []
    return [{"token": [_scope_of(method, path)]}]


def _scope_of(method: str, path: str) -> str:
    route = re.sub(r"\{.+?\}", "{id}", path)
    return SCOPE_OF[f"{method.upper()} {route}"].value


def _set_apart(part: dict[str, Any], schemas: dict[str, Any], *, function: str) -> dict[str, Any]:
    """The part with those of its schemas renamed whose names mean something else elsewhere."""
    text = json.dumps(part)
    own = part.get("components", {}).get("schemas", {})
    for name in own:
        if schemas.get(name, own[name]) != own[name]:
            unique = function.title().replace("_", "") + name
            text = text.replace(f'"{REFERENCE}{name}"', f'"{REFERENCE}{unique}"')
            text = text.replace(f'"{name}": {{', f'"{unique}": {{')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version: str = project["version"]
    return version
