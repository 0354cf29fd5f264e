"""Who asks, under which key, and for which objects: read off a request about notifications."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from aws_lambda_powertools.event_handler.openapi.params import Query

from paynexus import http, idempotency, ids, runtime
from paynexus.errors import InvalidRequest, NotFound
from paynexus.notification.model import Owner

type Limit = Annotated[int, Query(ge=1, le=http.PAGE_SIZE_LIMIT)]
type Text = Annotated[str | None, Query(max_length=64)]


def owner_of(router: BaseRouter) -> Owner:
    """The merchant and mode that the request acts for."""
    principal = runtime.principal(router)
    return Owner(principal.merchant_id, principal.mode)


def key_scope(router: BaseRouter, operation: str) -> idempotency.Scope:
    """Where the request's Idempotency-Key is unique."""
    owner = owner_of(router)
    key = idempotency.key_of(router.current_event.headers)
    return idempotency.Scope(owner.merchant_id, owner.mode, operation, key)


def parsed(prefix: str, text: str, *, what: str) -> UUID:
    """The id that a path names; NotFound for what can't be one."""
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise NotFound(f"There is no such {what}.") from None


def cursor(prefix: str, text: str | None, param: str = "starting_after") -> UUID | None:
    """The id that a parameter names, if it is given; InvalidRequest for what can't be one."""
    if text is None:
        return None
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise InvalidRequest(
            f"{param}: not an id that starts with {prefix}_", param=param
        ) from None
