"""The whole API in this process: every function, the queue, the acquirer, real databases."""

import boto3
import pytest

from paynexus import runtime
from paynexus.db import Database
from tests.integration.api.world import World
from tests.integration.conftest import Caller
from tests.sandbox import Sandbox


@pytest.fixture
def world(
    call: Caller, acquirer: Sandbox, database: Database, deployed: pytest.MonkeyPatch
) -> World:
    """A merchant, and all that the API needs to make its objects."""
    queue = boto3.client("sqs").create_queue(QueueName="notifications")["QueueUrl"]
    deployed.setenv("PAYNEXUS_NOTIFICATION_QUEUE_URL", queue)
    runtime.settings.cache_clear()
    runtime.notification_queue.cache_clear()
    return World(call, acquirer, database)
