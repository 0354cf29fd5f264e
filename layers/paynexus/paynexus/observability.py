"""Logs and metrics. Only named fields are logged: never bodies, headers, tokens, e-mails."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "PayNexus"

logger = Logger(service="paynexus", log_uncaught_exceptions=False)


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


def _emit(name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, label in dimensions.items():
            metric.add_dimension(name=dimension, value=label)
