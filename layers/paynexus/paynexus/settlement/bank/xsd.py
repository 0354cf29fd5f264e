"""Whether a document keeps to the schema that ISO 20022 publishes for its message.

lxml is imported with the first document: only what writes files pays for it. It reads nothing
here but our own schemas and what we wrote ourselves; a bank's files go through `reader`.
"""

from functools import cache
from importlib.resources import files
from typing import Any


def violation(document: bytes, *, schema: str) -> str | None:
    """The first thing in the document that the schema forbids, with its line; None: nothing.

    `schema` names a message, such as `pain.001.001.09`, whose XSD lies in `schemas/`.
    """
    from lxml import etree  # noqa: PLC0415 - see above

    checked = _schema(schema)
    try:
        if checked.validate(etree.fromstring(document)):
            return None
    except etree.XMLSyntaxError as error:
        return str(error)
    first = checked.error_log[0]
    return f"line {first.line}: {first.message}"


@cache
def _schema(name: str) -> Any:  # noqa: ANN401 - lxml publishes no types
    from lxml import etree  # noqa: PLC0415 - see above

    text = files("paynexus.settlement.bank").joinpath("schemas", f"{name}.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(text))
