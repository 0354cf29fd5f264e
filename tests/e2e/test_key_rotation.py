"""Token keys rotate on the deployed stack while merchants work: not one request fails."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from tests.e2e.client import Client
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually
from tools.local_stack.layout import CREDENTIALS, REPOSITORY, STAGE

pytestmark = pytest.mark.e2e

WORKERS = 3
TOKEN_PAUSE_SECONDS = 2
"""Between two tokens of a worker: together they stay below the client's rate."""


def test_no_request_fails_while_the_token_keys_rotate(stack: Stack, merchant: Client) -> None:
    """Each worker asks for tokens and uses new and old ones, until the next key signs."""
    seen: Counter[int] = Counter()
    kids: set[str] = set()
    is_over = threading.Event()

    def work() -> None:
        own = Client(
            merchant.api_url, merchant.merchant_id, merchant.client_id, merchant.client_secret
        )
        old = own.token()
        while not is_over.is_set():
            asked = own.ask_token()
            seen[asked.status] += 1
            token = asked.json["access_token"]
            kids.add(_kid(token))
            until = time.monotonic() + TOKEN_PAUSE_SECONDS
            while time.monotonic() < until and not is_over.is_set():
                for bearer in (token, old):
                    answer = own.raw("GET", "/merchant", authorization=f"Bearer {bearer}")
                    seen[answer.status] += 1
        own.close()

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        eventually(lambda: len(kids) == 1 and seen[200] > 30, what="the load runs")
        _rotate(stack)
        eventually(lambda: len(kids) == 2, what="the next key signs")
    finally:
        is_over.set()
        for worker in workers:
            worker.join()
    published = merchant.raw("GET", "/.well-known/jwks.json").json["keys"]

    assert set(seen) == {200}, seen
    assert kids <= {key["kid"] for key in published}


def _kid(token: str) -> str:
    head = token.split(".", maxsplit=1)[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    kid: str = header["kid"]
    return kid


def _rotate(stack: Stack) -> None:
    described = stack.described
    subprocess.run(
        [
            *(sys.executable, "-m", "tools.rotate_keys", "tokens"),
            *("--stage", STAGE, "--min-age", "0"),
        ],
        cwd=REPOSITORY,
        check=True,
        env={
            **os.environ,  # noqa: TID251 - the tool's own environment
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": described["region"],
            "AWS_ENDPOINT_URL": described["aws_endpoint_url"],
        },
    )
