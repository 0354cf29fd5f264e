"""A merchant's clients: who may act for it, and what each may do."""

import datetime as dt
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from pydantic import Field, StringConstraints

from merchants_api.asked import key_scope
from paynexus import http, idempotency, runtime
from paynexus.identity import clients
from paynexus.identity.model import (
    FORMER_SECRET_LIFETIME,
    FORMER_SECRET_LIFETIME_MAX,
    Scope,
)

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open

# Strict models take no text for an enum; JSON has nothing else.
OneScope = Annotated[Scope, Field(strict=False)]


class ClientOrder(http.Strict):
    """A client to be made."""

    name: Annotated[str, StringConstraints(pattern=f"^{http.PLAIN}{{1,100}}$"), http.NoCardNumber]
    scopes: Annotated[list[OneScope], Field(min_length=1, max_length=len(Scope))]


class SecretOrder(http.Strict):
    """Another secret of a client."""

    former_expires_in: Annotated[
        int,
        Field(
            ge=0,
            le=int(FORMER_SECRET_LIFETIME_MAX.total_seconds()),
            description="seconds for which the present secret is honoured still; 0 ends it now",
        ),
    ] = int(FORMER_SECRET_LIFETIME.total_seconds())


USUAL_ROTATION = SecretOrder()
"""What a request without a body asks for."""


@router.post("/clients", summary="Create a client", status_code=201)
def create_client(body: Annotated[ClientOrder, Body()]) -> Response[str]:
    """The answer alone holds the `client_secret`. Needs an Idempotency-Key."""
    answer = clients.create(
        runtime.database(),
        runtime.vault(),
        clients.Wanted(body.name, sorted({scope.value for scope in body.scopes})),
        scope=key_scope(router, "POST /clients"),
        fingerprint=idempotency.fingerprint_of("/clients", body.model_dump()),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


@router.get("/clients", summary="List clients")
def list_clients() -> Response[str]:
    """All that are not revoked, the oldest first."""
    found = clients.list_of(runtime.database(), owner=runtime.principal(router))
    return http.reply(200, http.page([clients.resource(one) for one in found], has_more=False))


@router.get("/clients/<client_id>", summary="Read a client")
def read_client(client_id: str) -> Response[str]:
    """A client, without its secret."""
    found = clients.find(runtime.database(), client_id, owner=runtime.principal(router))
    return http.reply(200, clients.resource(found))


@router.delete("/clients/<client_id>", summary="Revoke a client")
def revoke_client(client_id: str) -> Response[str]:
    """It gets no more tokens, and those it has open nothing after a minute at most."""
    owner, now = runtime.principal(router), runtime.clock()()
    clients.revoke(runtime.database(), client_id, owner=owner, now=now)
    return http.reply(200, {"id": client_id, "object": "client", "revoked": True})


@router.post("/clients/<client_id>/rotate-secret", summary="Rotate a client's secret")
def rotate_client_secret(
    client_id: str, body: Annotated[SecretOrder, Body()] = USUAL_ROTATION
) -> Response[str]:
    """Both secrets are honoured for a day, or as long as asked. Needs an Idempotency-Key."""
    operation = f"/clients/{client_id}/rotate-secret"
    answer = clients.rotate_secret(
        runtime.database(),
        runtime.vault(),
        client_id,
        former_lifetime=dt.timedelta(seconds=body.former_expires_in),
        scope=key_scope(router, f"POST {operation}"),
        fingerprint=idempotency.fingerprint_of(operation, body.model_dump()),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)
