"""Reconcile settlements: take each file that the bank or a gateway left, once."""

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from paynexus import letterbox, runtime
from paynexus.errors import BankFileRefused
from paynexus.observability import count, logger
from paynexus.settlement import reconciliation
from paynexus.settlement.acquirers import service as acquirers
from paynexus.settlement.acquirers.port import FOLDER

# A batch that fails as a whole is still an answer: the queue repeats it, then sets it aside.
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
    """Take a batch of S3's `Object Created` events; the queue repeats the failed ones only."""
    with processor(event["Records"], reconcile):
        processor.process()
    return processor.response()


def reconcile(record: SQSRecord) -> None:
    """Apply one file; a refused one ends in the dead-letter queue, where an alarm waits."""
    key = json.loads(record.body)["detail"]["object"]["key"]
    try:
        _take(key)
    except BankFileRefused as error:
        count("BankFileRefused")
        logger.error("bank file refused", file=key, reason=error.detail)
        raise


def _take(key: str) -> None:
    db, now = runtime.database(), runtime.clock()()
    if not key.startswith(FOLDER):
        reconciliation.reconcile(db, runtime.bank(), object_key=key, now=now)
        return
    with letterbox.shelf().get(key) as file:
        acquirers.take(db, file, name=key, prove=letterbox.prove, now=now)
