"""Every text that a request may bring and that is kept refuses card numbers."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from paynexus import http

ROOT = Path(__file__).parents[2]
NUMBER = "4242 4242 4242 4242"
NOT_KEPT = {
    "PaymentOrder.qr_code": "compared by its digest with those that scans made",
    "ScanOrder.payload": "verified, and dropped",
    "EndpointOrder.url": "an address: numbers in it are the receiver's",
    "EndpointChange.url": "likewise",
    "ImportOrder.file": "read line by line: what is kept of a line refuses one",
}
"""Texts that may hold a number, and why."""


def models() -> Iterator[type[http.Strict]]:
    """Each model of a request's body, or of a part of one."""
    for path in sorted((ROOT / "functions").glob("*_api/*.py")):
        importlib.import_module(f"{path.parent.name}.{path.stem}".removesuffix(".__init__"))
    yield from http.Strict.__subclasses__()


def refusals(model: type[http.Strict], field: str, value: object) -> list[str]:
    """What the model has against this value of its field."""
    try:
        model.model_validate({field: value})
    except ValidationError as error:
        return [one["msg"] for one in error.errors() if one["loc"][0] == field]
    return []


FIELDS = [
    pytest.param(model, field, id=f"{model.__name__}.{field}")
    for model in models()
    for field in model.model_fields
]


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_no_field_takes_a_card_number(model: type[http.Strict], field: str) -> None:
    """Its type or its rule refuses one, unless it is named above with a reason."""
    taken = not refusals(model, field, NUMBER)

    assert taken == (f"{model.__name__}.{field}" in NOT_KEPT)


@pytest.mark.parametrize("metadata", [{"note": NUMBER}, {NUMBER: "note"}])
def test_metadata_takes_none_either(metadata: dict[str, str]) -> None:
    """Neither as a value nor as a key."""
    (order,) = (model for model in models() if model.__name__ == "PaymentOrder")

    (message,) = refusals(order, "metadata", metadata)
    assert "card number" in message
