"""Every route of the merchants' API asks for its scope, and refuses every other token."""

import importlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paynexus import ids
from paynexus.errors import Forbidden
from paynexus.http import Resolver
from paynexus.identity.access import ACCESS_OF, PUBLIC_ROUTES, SCOPE_OF, require_scope
from paynexus.identity.allowance import Rate
from paynexus.identity.model import ALL_SCOPES, Principal, Scope
from paynexus.ids import MerchantId
from tests.integration.conftest import Caller, Handler

FUNCTIONS = Path(__file__).parents[2] / "functions"
PUBLIC = {"docs_api", "tokens_api"}
"""The API functions whose routes need no access token."""

CALLER = Caller(MerchantId(ids.new_id()))


def apps() -> dict[str, Any]:
    """The handler module of each function that answers authorised clients."""
    names = {path.parent.name for path in FUNCTIONS.glob("*_api/handler.py")} - PUBLIC
    return {name: importlib.import_module(f"{name}.handler") for name in sorted(names)}


def routes(app: Resolver) -> list[tuple[str, str]]:
    """Method and path of each route that the function answers."""
    found = app._static_routes + app._dynamic_routes
    return [(str(route.method), re.sub("<.+?>", "x1", route.path)) for route in found]


EVERY = [
    pytest.param(module, method, path, id=f"{method} {path}")
    for module in apps().values()
    for method, path in routes(module.app)
    if f"{method} {path}" not in PUBLIC_ROUTES
]


def wanted(app: Resolver, method: str, path: str) -> Scope:
    """The scope that the table names for the route."""
    route = app.route_of({"httpMethod": method, "path": path})
    assert route is not None
    assert route in SCOPE_OF, "a new route is entered into identity/access.py"
    return SCOPE_OF[route]


@pytest.mark.parametrize(("module", "method", "path"), EVERY)
def test_a_token_without_the_scope_is_refused(module: Any, method: str, path: str) -> None:  # noqa: ANN401 - a handler's module
    """With all others but this one, and admin: before the body is read or anything is asked."""
    scope = wanted(module.app, method, path)
    others = " ".join(set(ALL_SCOPES) - {scope, Scope.ADMIN})
    poor = replace(CALLER, client_id=f"pnx_test_{method}{path}", scope=others)
    handler: Handler = module.handler

    answer = poor(handler, method, path, text="{no JSON")

    assert answer.status == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]
    assert (answer.json()["code"], answer.json()["scope"]) == ("forbidden", scope)


@pytest.mark.parametrize(("module", "method", "path"), EVERY)
@pytest.mark.parametrize("case", ["the scope alone", "admin"])
def test_a_token_with_the_scope_is_let_in(module: Any, method: str, path: str, case: str) -> None:  # noqa: ANN401 - a handler's module
    """Past the guard, which is asked before everything else."""
    scope = wanted(module.app, method, path) if case != "admin" else Scope.ADMIN
    let_in: list[object] = []

    def only_the_guard(event: Any, context: object) -> dict[str, Any]:  # noqa: ANN401 - Lambda's event
        module.app.answer_headers = {}
        module.app.guard(event)
        let_in.append(context)
        return {"statusCode": 204, "multiValueHeaders": {}, "body": ""}

    caller = replace(CALLER, client_id=f"pnx_test_{case}{method}{path}", scope=scope.value)
    caller(only_the_guard, method, path)

    assert let_in == [None]


def test_the_table_names_routes_that_exist() -> None:
    """And each of them; a path that is none asks for no scope, and is not found."""
    found = {
        module.app.route_of({"httpMethod": method, "path": path})
        for module in apps().values()
        for method, path in routes(module.app)
    }

    assert found == set(SCOPE_OF) | PUBLIC_ROUTES
    assert not set(SCOPE_OF) & PUBLIC_ROUTES


def test_what_reads_is_counted_as_reading_and_nothing_else_is() -> None:
    """Tokens have a rate of their own; the one route that takes money is the one that pays."""
    for route, access in ACCESS_OF.items():
        assert (access.rate is Rate.READ) == route.startswith("GET "), route
        assert access.rate is not Rate.TOKEN
    assert [route for route, one in ACCESS_OF.items() if one.takes_value] == ["POST /payments"]


def test_what_is_not_in_the_table_is_shut() -> None:
    """Also to admin: a route without a scope is a mistake."""
    admin = Principal(CALLER.merchant_id, CALLER.client_id, "test", frozenset({"admin"}))

    with pytest.raises(Forbidden):
        require_scope(admin, "GET /forgotten")


def test_no_scope_at_all_opens_nothing() -> None:
    """A token that was narrowed to nothing."""
    nobody = replace(CALLER, scope="")

    answer = nobody(apps()["payments_api"].handler, "GET", "/payments")

    assert (answer.status, answer.json()["scope"]) == (403, "payments:read")


def test_a_method_that_a_path_lacks_is_answered_with_those_it_has() -> None:
    """Also HEAD and OPTIONS: 405 with `Allow` (RFC 9110, 15.5.6)."""
    handler = apps()["merchants_api"].handler
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"):
        answer = CALLER(handler, method, "/merchant")

        assert answer.status == 405, method
        assert answer.headers["Allow"] == "GET, PATCH"
        assert answer.json()["allow"] == ["GET", "PATCH"]
