"""A merchant's webhook endpoint at the local sink."""

import secrets
from dataclasses import dataclass

from tests.e2e.client import Client
from tests.e2e.stack import Stack


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the merchant hears, and by what it knows who speaks."""

    path: str
    secret: str
    id: str


def listen(stack: Stack, merchant: Client) -> Endpoint:
    """The merchant is told of everything from now on."""
    path = f"/e2e/{secrets.token_hex(8)}"
    url = stack.described["webhook_sink_url"] + path
    answer = merchant.post("/webhook-endpoints", {"url": url})
    assert answer.status == 201, answer
    return Endpoint(path, answer.json["secret"], answer.json["id"])
