"""Deliver notifications: what the bus announces, and deliveries whose next attempt is due."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from paynexus import runtime
from paynexus.notification import service

# A batch that fails as a whole is still an answer: the queue repeats it, then sets it aside.
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
    """Put on record what the batch asks for, then attempt all of it side by side.

    A failed POST fails no message: the delivery's own schedule tries again.
    """
    means = runtime.notification_means()
    accepted = []

    def accept(record: SQSRecord) -> None:
        accepted.append(service.accept(means, record.body))

    with processor(event["Records"], accept):
        processor.process()
    service.attempt_all(means, list(chain.from_iterable(accepted)))
    return processor.response()
