"""Logs and metrics. Only named fields are logged: never bodies, headers, tokens, e-mails."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from paynexus import ids

NAMESPACE = "PayNexus"

logger = Logger(service="paynexus", log_uncaught_exceptions=False)
for _library in ("aws_lambda_powertools", "boto3", "botocore", "urllib3"):
    # Whatever the level: below this one, they print requests and answers whole.
    logging.getLogger(_library).setLevel(logging.WARNING)


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """Emit one business metric, named after the fact it counts (EMF on standard output).

    With dimensions the total is emitted too: an alarm watches one series, not one for each
    label there may be.
    """
    gauge(name, value, unit=MetricUnit.Count, **dimensions)


def gauge(name: str, value: float, *, unit: MetricUnit, **dimensions: str) -> None:
    """Emit one measurement, such as a lag in seconds; likewise."""
    for labels in [{}, dimensions] if dimensions else [{}]:
        _emit(name, unit, value, labels)


def trace_of(error: BaseException) -> list[str]:
    """Where `error` and what led to it were raised, outermost call first, cause after effect.

    Without their messages: those may quote what was sent to us.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    before = error.__cause__ or error.__context__
    return [type(error).__name__, *places, *(trace_of(before) if before else [])]


def _emit(name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, label in dimensions.items():
            metric.add_dimension(name=dimension, value=label)


def request_id_of(event: Mapping[str, Any]) -> str:
    """How logs and answers call this request: API Gateway's own id of it, in our spelling."""
    given = (event.get("requestContext") or {}).get("requestId")
    try:
        number = UUID(given)
    except (ValueError, TypeError, AttributeError):
        number = ids.new_id()
    return ids.text("req", number)
