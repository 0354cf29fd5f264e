"""Gateways' callbacks over HTTP: signed by the gateway, kept, then acted upon."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from paynexus import http, runtime
from paynexus.payments import callbacks, disputes

app = http.new_resolver()


@app.post("/gateways/<name>/callbacks", summary="Take a gateway's callback")
def take_callback(name: str) -> Response[str]:
    """200 once it is on record, also when it was before: nothing is done twice.

    Authenticated by the gateway's own signature; 401 without, and nothing is stored.
    """
    event, db, now = app.current_event, runtime.database(), runtime.clock()
    kept = callbacks.receive(
        db,
        name,
        event.headers,
        event.body or "",
        key=runtime.callback_key(name),
        now=now(),
    )
    if kept is not None:
        ask = disputes.asking(runtime.gateways)
        callbacks.take(db, runtime.workflow().run, kept, ask=ask, now=now())
    return http.reply(200, {"received": True})


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)
